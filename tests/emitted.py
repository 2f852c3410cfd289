"""Programs of the loop IR for tests, and how their native code is compared with the interpreter."""

import loop_interpreter as interpret
import ml_dtypes
import numpy as np

from fungrad.jit.front import load as runtime
from fungrad.jit.ir.loop_check import check
from fungrad.jit.ir.loops import Buffer, Nest, Program

RNG = np.random.default_rng(20240607)


def program(buffers, steps, name="p"):
    """A program whose inputs and outputs are the buffers of those kinds, in order."""
    return Program(
        name,
        buffers,
        steps,
        [b.name for b in buffers if b.kind == "input"],
        [b.name for b in buffers if b.kind == "output"],
    )


def sample(shape, dtype="float32"):
    """Random values that stay exact enough in every dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return RNG.random(shape) < 0.5
    if dtype.kind in "iu":
        return RNG.integers(0 if dtype.kind == "u" else -50, 50, shape).astype(dtype)
    if dtype.kind == "c":
        return (RNG.normal(size=shape) + 1j * RNG.normal(size=shape)).astype(dtype)
    return RNG.normal(size=shape).astype(dtype)


def agree(p, *inputs, rtol=0.0, atol=0.0):
    """Check a program, run it both ways, compare; returns the native results."""
    check(p)
    expected = interpret.run(p, inputs)
    given = [np.array(x, order="C") for x in inputs]
    executable = runtime.load(p)
    results = executable.run(given)
    assert len(results) == len(expected)
    for got, want in zip(results, expected, strict=True):
        assert got.dtype == want.dtype and got.shape == want.shape
        if rtol or atol:
            wide = complex if got.dtype.kind == "c" else float
            np.testing.assert_allclose(got.astype(wide), want.astype(wide), rtol, atol)
        else:
            exact = got.dtype if got.dtype.kind != "V" else float  # NaN of bfloat16 equals nothing
            np.testing.assert_array_equal(got.astype(exact), want.astype(exact))
    aliased = {p.root(n).name for n in p.outputs}
    for name, given_array, original in zip(p.inputs, given, inputs, strict=True):
        if name not in aliased:
            np.testing.assert_array_equal(given_array, original)
    return results


def dtype_of(name):
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def x_to_y(n, body, dtype="float32", out=None, m=None, name="p"):
    """A program with input `x` of `n` and output `y` of `m` elements and one nest."""
    dtype = dtype_of(dtype)
    buffers = [
        Buffer("x", dtype, (n,), "input"),
        Buffer("y", dtype if out is None else dtype_of(out), (n if m is None else m,), "output"),
    ]
    return program(buffers, [Nest(body)], name)
