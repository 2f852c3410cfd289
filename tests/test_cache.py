"""The object cache on disk."""

import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from fungrad.jit import cache, native, runtime
from fungrad.jit.loops import Affine, Buffer, Const, Let, Load, Loop, Nest, Program, Store


def program(amount):
    i = Affine.var("i")
    body = [
        Load("a", "x", i),
        Let("b", "add", ("a", Const(amount, "f32")), "f32"),
        Store("y", i, "b"),
    ]
    buffers = [Buffer("x", "f4", (33,), "input"), Buffer("y", "f4", (33,), "output")]
    return Program("p", buffers, [Nest([Loop("i", 33, body)])], ["x"], ["y"])


@pytest.fixture
def directory(tmp_path, monkeypatch):
    where = tmp_path / "objects"
    monkeypatch.setenv("FUNGRAD_CACHE_DIR", str(where))
    return where


def entries(where):
    return sorted(p for p in where.iterdir() if not p.name.startswith("."))


def test_second_load_compiles_nothing(directory):
    first = runtime.load(program(2.0))
    assert not first.cached and "codegen" in first.timings
    second = runtime.load(program(2.0))
    assert second.cached and "codegen" not in second.timings
    x = np.arange(33, dtype="f4")
    np.testing.assert_array_equal(second.run([x])[0], x + 2)


def test_other_text_or_processor_is_another_key(directory):
    host = native.session().host
    keys = {
        cache.key("a", host),
        cache.key("b", host),
        cache.key("a", native.Host(host.triple, "generic", "")),
    }
    assert len(keys) == 3
    runtime.load(program(2.0))
    assert not runtime.load(program(3.0)).cached


def test_damaged_entry_is_a_miss(directory):
    runtime.load(program(2.0))
    (path,) = entries(directory)
    good = path.read_bytes()
    for bad in (b"", good[:100], good[:-1], good[:-1] + bytes([good[-1] ^ 1])):
        path.write_bytes(bad)
        again = runtime.load(program(2.0))
        assert not again.cached
        assert path.read_bytes() == good


def test_directory_is_private_and_has_no_leftovers(directory):
    runtime.load(program(2.0))
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    assert len(list(directory.iterdir())) == 1


def test_unwritable_directory_is_no_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("FUNGRAD_CACHE_DIR", str(blocked / "below"))
    assert not runtime.load(program(2.0)).cached


def test_empty_setting_turns_the_cache_off(monkeypatch):
    monkeypatch.setenv("FUNGRAD_CACHE_DIR", "")
    assert cache.directory() is None
    runtime.load(program(2.0))
    assert not runtime.load(program(2.0)).cached


def test_entries_used_longest_ago_go_first(directory, monkeypatch):
    monkeypatch.setattr(cache, "_until_trim", 1 << 30)
    for k, name in enumerate("abcd"):
        cache.write(name, bytes(400_000))
        os.utime(directory / name, (1000 + k, 1000 + k))
    assert cache.read("a") is not None  # counts as a use
    monkeypatch.setenv("FUNGRAD_CACHE_LIMIT", "1")
    monkeypatch.setattr(cache, "_until_trim", 1)
    cache.write("e", bytes(10))
    assert [p.name for p in entries(directory)] == ["a", "d", "e"]


def test_other_process_finds_the_code_and_does_not_import_numba(directory):
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from test_cache import program\n"
        "from fungrad.jit import runtime\n"
        "import numpy as np\n"
        "e = runtime.load(program(2.0))\n"
        "print(e.cached, e.run([np.zeros(33, 'f4')])[0].sum(), 'numba' in sys.modules)\n"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert [r.stdout.split() for r in runs] == [
        ["False", "66.0", "False"],
        ["True", "66.0", "False"],
    ]


_TEXT_OF_A_PROGRAM = """
import fungrad, hashlib
import fungrad.numpy as jnp
f = lambda w, b, x: jnp.sum(jnp.tanh(x @ w + b) ** 2) * jnp.max(x)
step = fungrad.jit(fungrad.value_and_grad(f, argnums=(0, 1, 2)))
lowered = step.lower(jnp.ones((8, 8)), jnp.ones(8), jnp.ones((8, 8)))
print(hashlib.sha256(lowered.as_text("llvm").encode()).hexdigest())
"""


def test_text_is_the_same_in_every_process():
    texts = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", _TEXT_OF_A_PROGRAM], env=environment, capture_output=True, text=True
        )
        assert not run.returncode, run.stderr
        texts.add(run.stdout)
    assert len(texts) == 1
