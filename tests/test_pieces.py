"""Modules cut into pieces that LLVM compiles at the same time: the same functions, the same numbers."""

import re
import threading

import numpy as np
import pytest

import fungrad as fg
import fungrad.numpy as jnp
from fungrad.jit.ir import tuning
from fungrad.jit.runtime import native, pieces

TEXT = """\
@table = internal constant [2 x ptr] [ptr @twice, ptr @thrice]
define void @entry(ptr noalias %x) #0 {
entry:
%a = load double, ptr %x
%b = call double @twice(double %a)
%c = call double @thrice(double %b)
store double %c, ptr %x
ret void
}
define internal double @twice(double %v) #0 {
%r = fadd double %v, %v
ret double %r
}
define internal double @thrice(double %v) #0 {
%d = call double @twice(double %v)
%r = fadd double %d, %v
ret double %r
}
declare double @llvm.fabs.f64(double)
attributes #0 = { nounwind }
"""


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(tuning, "PIECE_OF_A_MODULE", 100)
    monkeypatch.setenv("FUNGRAD_CACHE_DIR", "")


def test_short_modules_are_whole():
    assert pieces.cut(TEXT) == [TEXT]


def test_every_function_is_defined_once_and_all_that_is_named_is_declared(small):
    parts = pieces.cut(TEXT)
    assert len(parts) == 3
    defined = [name for p in parts for name in re.findall(r"^define .*?@(\w+)\(", p, flags=re.M)]
    assert sorted(defined) == ["entry", "thrice", "twice"]
    for part in parts:
        known = set(re.findall(r"^(?:define|declare) .*?@([\w.]+)\(", part, flags=re.M)) | {"table"}
        assert set(re.findall(r"@([\w.]+)", part)) <= known
        assert "define internal" not in part


def test_the_pieces_call_each_other(small):
    session = native.session()
    code = session.compile(TEXT)
    assert len(pieces.separate(code)) == 3
    import ctypes

    loaded = session.link(code, {}, "entry")
    x = ctypes.c_double(1.5)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(loaded.addresses["entry"])(ctypes.addressof(x))
    assert x.value == 9.0


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("internal constant", "internal global"),
        TEXT.replace("@twice", '@"the twice"'),
        TEXT.replace("define internal double @twice", "define linkonce_odr double @twice") + "\n@x = global i32 0\n",
    ],
    ids=["state", "quoted names", "both"],
)
def test_what_cannot_be_cut_is_whole(small, text):
    assert pieces.cut(text) == [text]


def test_objects_are_found_again():
    objects = [b"", b"a" * 5, b"fungrad objects\n"]
    assert pieces.separate(pieces.joined(objects)) == objects
    assert pieces.separate(pieces.joined([b"one"])) == [b"one"]


def _mlp(w, x):
    def loss(w):
        y = x
        for layer in w:
            y = jnp.tanh(y @ layer)
        return jnp.sum(jnp.sort(y, axis=1)[:, :3] * jnp.cos(y[:, :3] * 100.0))

    return fg.value_and_grad(loss)(w)


def _loop(w, x):
    def body(carry, row):
        carry = jnp.sin(carry) @ w[0] + row
        return carry, jnp.cumsum(carry)

    return fg.lax.scan(body, x[0], x)


@pytest.mark.parametrize("program", [_mlp, _loop])
def test_the_same_bits_whole_and_in_pieces(monkeypatch, program):
    monkeypatch.setenv("FUNGRAD_CACHE_DIR", "")
    rng = np.random.default_rng(0)
    w = [jnp.asarray(rng.standard_normal((48, 48)), jnp.float32) for _ in range(3)]
    x = jnp.asarray(rng.standard_normal((64, 48)), jnp.float32)
    results = []
    for size in (10**9, 500):
        monkeypatch.setattr(tuning, "PIECE_OF_A_MODULE", size)
        fg.clear_caches()
        compiled = fg.jit(program).lower(w, x).compile()
        results.append(fg.tree.leaves(compiled(w, x)))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_an_error_of_a_piece_reaches_the_caller(small):
    with pytest.raises(RuntimeError, match="use of undefined value"):
        native.session().compile(TEXT.replace("fadd double %d, %v", "fadd double %e, %v"))


def test_without_threads_the_caller_compiles(small, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert len(pieces.separate(native.session().compile(TEXT))) == 3
