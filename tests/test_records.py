"""Short loops inside of long ones: written out, run as vectors over the long one, whole records at a time."""

import re

import numpy as np
import pytest

from fungrad.jit.front import load as runtime
from fungrad.jit.ir import interpret
from fungrad.jit.ir.loop_check import check
from fungrad.jit.ir.loops import Acc, Affine, Buffer, Const, Let, Load, Loop, Nest, Program, Store, Update

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
