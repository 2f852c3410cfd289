"""The object cache on disk."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fungrad.jit.front import load as runtime
from fungrad.jit.ir.loops import Affine, Buffer, Const, Let, Load, Loop, Nest, Program, Store
from fungrad.jit.runtime import cache, native


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
        cache.write(name * 64, bytes(400_000))
        os.utime(directory / (name * 64), (1000 + k, 1000 + k))
    # Not ours: a file somebody keeps here, and a temporary file that another process may be writing.
    strangers = {"notes.txt": bytes(3_000_000), f"{cache._TEMPORARY}fresh": b"x"}
    for name, content in strangers.items():
        (directory / name).write_bytes(content)
    os.utime(directory / "notes.txt", (1, 1))
    (directory / f"{cache._TEMPORARY}left").write_bytes(b"x")
    os.utime(directory / f"{cache._TEMPORARY}left", (1, 1))
    assert cache.read("a" * 64) is not None  # counts as a use
    monkeypatch.setenv("FUNGRAD_CACHE_LIMIT", "1")
    monkeypatch.setattr(cache, "_until_trim", 1)
    cache.write("e" * 64, bytes(10))
    found = {p.name for p in directory.iterdir()}
    assert found == {"a" * 64, "d" * 64, "e" * 64, *strangers}


@pytest.mark.parametrize(("text", "mib"), [("0.5", 0.5), ("0", 0), ("", 256), (None, 256)])
def test_limit(monkeypatch, text, mib):
    if text is None:
        monkeypatch.delenv("FUNGRAD_CACHE_LIMIT", raising=False)
    else:
        monkeypatch.setenv("FUNGRAD_CACHE_LIMIT", text)
    assert cache.limit() == mib * 2**20


@pytest.mark.parametrize("text", ["abc", "-1", "nan", "inf", "1e", " "])
def test_limits_that_are_none(directory, monkeypatch, text):
    monkeypatch.setenv("FUNGRAD_CACHE_LIMIT", text)
    monkeypatch.setattr(cache, "_until_trim", 1)
    cache._warn.cache_clear()
    with pytest.warns(RuntimeWarning, match=f"FUNGRAD_CACHE_LIMIT must be a number of MiB, got '{text}'") as warned:
        executable = runtime.load(program(2.0))
    assert len(warned) == 1 and "\n" not in str(warned[0].message)
    assert executable.run([np.zeros(33, "f4")])[0][0] == 2
    assert runtime.load(program(2.0)).cached


def test_an_entry_is_bound_to_its_key(directory):
    """Two files that have changed their names are damaged, not each other's code."""
    runtime.load(program(2.0))
    (two,) = entries(directory)
    runtime.load(program(300.0))
    (other,) = set(entries(directory)) - {two}
    spare = directory / "spare"
    two.rename(spare)
    other.rename(two)
    spare.rename(other)
    for amount in (2.0, 300.0):
        again = runtime.load(program(amount))
        assert not again.cached
        assert again.run([np.zeros(33, "f4")])[0][0] == amount
    assert runtime.load(program(2.0)).cached and runtime.load(program(300.0)).cached


def unused_with_one_warning(match):
    """Loads a program twice: it runs, comes from no cache, and says why in one line, once."""
    cache._warn.cache_clear()
    with pytest.warns(RuntimeWarning, match=match) as warned:
        for _ in range(2):
            executable = runtime.load(program(2.0))
            assert not executable.cached
            assert executable.run([np.zeros(33, "f4")])[0][0] == 2
    assert len(warned) == 1 and "\n" not in str(warned[0].message)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o1777])
def test_a_directory_that_is_open_to_others_is_refused(directory, mode):
    runtime.load(program(2.0))
    assert runtime.load(program(2.0)).cached
    directory.chmod(mode)
    before = entries(directory)
    unused_with_one_warning(rf"{directory} can be written by other users \(mode {mode:03o}\); .* FUNGRAD_CACHE_DIR")
    assert entries(directory) == before
    directory.chmod(0o755)
    assert runtime.load(program(2.0)).cached


@pytest.mark.skipif(os.geteuid() != 0, reason="only the administrator can give files away")
def test_a_directory_of_somebody_else_is_refused(directory):
    runtime.load(program(2.0))
    os.chown(directory, 12345, -1)
    unused_with_one_warning(rf"{directory} belongs to another user \(number 12345\)")


def test_a_directory_of_somebody_else_is_refused_by_number(directory, monkeypatch):
    """The same without the rights to give a directory away."""
    runtime.load(program(2.0))
    status = os.stat(directory)
    fields = list(status)
    fields[stat.ST_UID] = os.geteuid() + 1
    assert cache._danger(os.stat_result(fields)) == f"belongs to another user (number {os.geteuid() + 1})"
    fields[stat.ST_UID] = 0
    assert cache._danger(os.stat_result(fields)) is None


def test_an_entry_that_others_can_write_is_a_miss(directory):
    runtime.load(program(2.0))
    (path,) = entries(directory)
    path.chmod(0o666)
    assert not runtime.load(program(2.0)).cached
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and runtime.load(program(2.0)).cached


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling link", "directory", "unreadable"])
def test_what_is_no_plain_file_is_a_miss(directory, tmp_path, kind):
    runtime.load(program(2.0))
    (path,) = entries(directory)
    good = path.read_bytes()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        (tmp_path / "elsewhere").write_bytes(good)
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "nothing")
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(good)
        path.chmod(0)
    executable = runtime.load(program(2.0))
    assert executable.run([np.zeros(33, "f4")])[0][0] == 2
    if not (kind == "unreadable" and os.geteuid() == 0):  # the administrator reads everything
        assert not executable.cached
    if kind != "directory":
        assert runtime.load(program(2.0)).cached
    if kind == "link":
        assert (tmp_path / "elsewhere").read_bytes() == good


# -- where the directory is ------------------------------------------------------------------------------------------

PLACES = {
    "named": ({"FUNGRAD_CACHE_DIR": "/a/b", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/a/b"),
    "none": ({"FUNGRAD_CACHE_DIR": "", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, None),
    "tilde": ({"FUNGRAD_CACHE_DIR": "~/c", "HOME": "/h"}, "/h/c"),
    "tilde alone": ({"FUNGRAD_CACHE_DIR": "~", "HOME": "/h"}, "/h"),
    "xdg": ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/fungrad"),
    "xdg without home": ({"XDG_CACHE_HOME": "/x"}, "/x/fungrad"),
    "relative xdg": ({"XDG_CACHE_HOME": "x", "HOME": "/h"}, "/h/.cache/fungrad"),
    "empty xdg": ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/fungrad"),
    "home": ({"HOME": "/h"}, "/h/.cache/fungrad"),
    "no home": ({}, None),
}


@pytest.mark.parametrize("place", PLACES)
def test_places(monkeypatch, place):
    environment, wanted = PLACES[place]
    for name in ("FUNGRAD_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        if name in environment:
            monkeypatch.setenv(name, environment[name])
        else:
            monkeypatch.delenv(name, raising=False)

    def nobody(*_):
        raise KeyError("no such user")

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert cache.directory() == (None if wanted is None else Path(wanted))
    if place == "no home":
        executable = runtime.load(program(2.0))
        assert not executable.cached and executable.run([np.zeros(33, "f4")])[0][0] == 2


def test_a_home_that_is_not_known(monkeypatch):
    monkeypatch.setenv("FUNGRAD_CACHE_DIR", "~nobody-of-this-name/cache")
    unused_with_one_warning("there is no home directory for FUNGRAD_CACHE_DIR=~nobody-of-this-name/cache")


def test_a_process_without_a_home(tmp_path):
    """As containers with arbitrary user numbers start one: no HOME, and no user of that number."""
    code = (
        "import os, pwd\n"
        "def nobody(*_): raise KeyError('no such user')\n"
        "pwd.getpwuid = nobody\n"
        "import fungrad, fungrad.numpy as jnp\n"
        "print(fungrad.jit(lambda x: x * 2)(jnp.ones(3)))\n"
    )
    names = ("HOME", "XDG_CACHE_HOME", "FUNGRAD_CACHE_DIR")
    environment = {k: v for k, v in os.environ.items() if k not in names}
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment)
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "[2. 2. 2.]", "")


def test_other_process_finds_the_code_and_does_not_import_numba(directory):
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from test_cache import program\n"
        "from fungrad.jit.front import load as runtime\n"
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
