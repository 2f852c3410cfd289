"""Short loops inside of long ones: written out, run as vectors over the long one, whole records at a time."""

import ctypes
import mmap
import re

import loop_interpreter as interpret
import numpy as np
import pytest

from fungrad.jit.front import load as runtime
from fungrad.jit.ir.loop_check import check
from fungrad.jit.ir.loops import Acc, Affine, Buffer, Const, Index, Let, Load, Loop, Nest, Program, Store, Update

i, j = Affine.var("i"), Affine.var("j")
RNG = np.random.default_rng(7)
SIZES = (31, 32, 33, 100, 1003)


def agree(p, *inputs):
    """Native code against the interpreter; returns the text of the native code and the results."""
    check(p)
    expected = interpret.run(p, inputs)
    executable = runtime.load(p)
    results = executable.run([np.array(x) for x in inputs])
    for got, want in zip(results, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-5)
    return executable.text("llvm"), results


def program(buffers, body):
    names = [[b.name for b in buffers if b.kind == kind] for kind in ("input", "output")]
    return Program("p", buffers, [Nest(body)], *names)


def gathered(text):
    """Vectors that are read or written lane by lane; the fewer than four records left over at the end may be."""
    return [found for found in re.findall(r"masked\.(?:gather|scatter)\.v(\d+)", text) if int(found) >= 4]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint32", "int64"])
@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("n", SIZES)
def test_sum_and_update_of_records(n, size, dtype):
    """out[i] = sum_k x[i, k]; y[i, k] += x[i, k] * out[i]; total[k] += x[i, k]."""
    type_ = {"f": "f", "i": "i", "u": "u"}[np.dtype(dtype).kind] + str(np.dtype(dtype).itemsize * 8)
    at = i * size + j
    buffers = [
        Buffer("x", dtype, (n, size), "input"),
        Buffer("s", dtype, (n,), "output"),
        Buffer("y", dtype, (n, size), "output"),
        Buffer("total", dtype, (size,), "output"),
    ]
    body = [
        Loop("j", size, [Store("total", j, Const(3, type_))]),
        Loop("i", n, [Loop("j", size, [Store("y", at, Const(1, type_))])]),
        Loop(
            "i",
            n,
            [
                Acc("a", "add", type_),
                Loop("j", size, [Load("v", "x", at), Update("a", "v")]),
                Store("s", i, "a"),
                Loop(
                    "j",
                    size,
                    [
                        Load("v2", "x", at),
                        Let("w", "mul", ("v2", "a"), type_),
                        Store("y", at, "w", update="add"),
                        Store("total", j, "v2", update="add"),
                    ],
                ),
            ],
        ),
    ]
    x = RNG.integers(0, 9, (n, size)).astype(dtype)
    text, (s, y, total) = agree(program(buffers, body), x)
    np.testing.assert_array_equal(s, x.sum(1))
    np.testing.assert_array_equal(y, 1 + x * x.sum(1, keepdims=True))
    np.testing.assert_array_equal(total, 3 + x.sum(0))
    assert not gathered(text)


@pytest.mark.parametrize("n", SIZES)
def test_records_that_are_read_and_written_in_place(n):
    buffers = [Buffer("x", "float32", (n, 3), "input"), Buffer("y", "float32", (n, 3), "output")]
    at = i * 3 + j
    body = [
        Loop("k", 3 * n, [Load("c", "x", "k"), Store("y", "k", "c")]),
        Loop(
            "i",
            n,
            [
                Acc("a", "max", "f32"),
                Loop("j", 3, [Load("v", "y", at), Update("a", "v")]),
                Loop("j", 3, [Load("u", "y", at), Let("w", "sub", ("u", "a"), "f32"), Store("y", at, "w")]),
            ],
        ),
    ]
    x = RNG.normal(size=(n, 3)).astype(np.float32)
    _, (y,) = agree(program(buffers, body), x)
    np.testing.assert_array_equal(y, x - x.max(1, keepdims=True))


@pytest.mark.parametrize("n", SIZES)
def test_incomplete_records(n):
    """Only the first and the last of four columns are read: nothing outside of the array may be."""
    buffers = [Buffer("x", "float32", (n, 4), "input"), Buffer("y", "float32", (n, 4), "output")]
    body = [
        Loop("k", 4 * n, [Store("y", "k", Const(0, "f32"))]),
        Loop(
            "i",
            n,
            [
                Loop("j", 2, [Load("v", "x", i * 4 + j * 3), Store("y", i * 4 + j * 2 + 1, "v")]),
                Load("u", "x", i * 4 + 2),
                Store("y", i * 4 + 2, "u"),
            ],
        ),
    ]
    x = RNG.normal(size=(n, 4)).astype(np.float32)
    _, (y,) = agree(program(buffers, body), x)
    np.testing.assert_array_equal(y, np.stack([0 * x[:, 0], x[:, 0], x[:, 2], x[:, 3]], 1))


def ends_before_a_guard(x):
    """A copy of an array whose last byte is the last that may be read."""
    libc = ctypes.CDLL(None, use_errno=True)
    page = mmap.PAGESIZE
    room = -(-x.nbytes // page) * page
    pages = mmap.mmap(-1, room + page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    assert libc.mprotect(ctypes.c_void_p(start + room), ctypes.c_size_t(page), 0) == 0
    copy = np.frombuffer(pages, x.dtype, x.size, room - x.nbytes).reshape(x.shape)
    copy[...] = x
    return copy


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mprotect"), reason="no protection of pages")
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int16", "int64", "bool"])
@pytest.mark.parametrize(
    ("size", "columns"), [(2, [0]), (2, [1]), (3, [1]), (3, [0, 1]), (3, [1, 2]), (4, [0, 1, 2]), (4, [2])]
)
def test_some_elements_of_records(dtype, size, columns, n):
    """They are read as vectors that end with the last of them."""
    x = (RNG.normal(size=(n, size)) * 40).astype(dtype)
    part = x.reshape(-1)[: (n - 1) * size + columns[-1] + 1]
    buffers = [Buffer("x", dtype, part.shape, "input"), Buffer("y", dtype, (len(columns), n), "output")]
    body = [
        s for k, c in enumerate(columns) for s in (Load(f"v{k}", "x", i * size + c), Store("y", i + k * n, f"v{k}"))
    ]
    p = program(buffers, [Loop("i", n, body)])
    text, (y,) = agree(p, part)
    (z,) = runtime.load(p).run([ends_before_a_guard(part)])
    for result in (y, z):
        np.testing.assert_array_equal(result, x[:, columns].T)
    assert not gathered(text)


@pytest.mark.parametrize(("dtype", "size"), [("uint8", 5), ("uint8", 8), ("uint16", 8)])
def test_long_records_of_narrow_elements(dtype, size):
    """y[i, k] = x[i] + k: records whose length is a power of two are written as whole vectors."""
    type_ = dtype[0] + str(8 * np.dtype(dtype).itemsize)
    for n in (63, 64, 1003):
        x = RNG.integers(0, 50, n).astype(dtype)
        buffers = [Buffer("x", dtype, (n,), "input"), Buffer("y", dtype, (n, size), "output")]
        inner = [Index("k", j, type_), Let("v", "add", ("a", "k"), type_), Store("y", i * size + j, "v")]
        text, (y,) = agree(program(buffers, [Loop("i", n, [Load("a", "x", i), Loop("j", size, inner)])]), x)
        np.testing.assert_array_equal(y, x[:, None] + np.arange(size, dtype=dtype))
    wide = [int(lanes) for lanes in re.findall(r"store <(\d+) x", text)]
    assert any(lanes >= 8 * size for lanes in wide) == (size != 5), wide


def test_records_one_after_the_other():
    """Five neighbours at a stride of two are three records."""
    n = 200
    x = RNG.normal(size=2 * n + 3).astype(np.float32)
    buffers = [Buffer("x", "float32", x.shape, "input"), Buffer("y", "float32", (n,), "output")]
    taps = [Load(f"v{k}", "x", i * 2 + k) for k in range(5)]
    sums = [Let(f"s{k}", "add", (f"s{k - 1}" if k > 1 else "v0", f"v{k}"), "f32") for k in range(1, 5)]
    text, (y,) = agree(program(buffers, [Loop("i", n, [*taps, *sums, Store("y", i, "s4")])]), x)
    np.testing.assert_allclose(y, sum(x[k : k + 2 * n : 2] for k in range(5)), rtol=1e-4, atol=1e-5)
    assert not gathered(text)
