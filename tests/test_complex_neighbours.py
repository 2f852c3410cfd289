"""Neighbouring elements of complex arrays are read and written as whole vectors, forwards and backwards."""

import numpy as np
import pytest

import fungrad
from fungrad import numpy as jnp


def added(np_, x, y, where):
    if np_ is jnp:
        return y.at[where].add(x)
    y = y.copy()
    y[where] += x
    return y


PROGRAMS = {
    "backwards": lambda np_, x, y: x[::-1] * y,
    "rows backwards": lambda np_, x, y: x[:, ::-1] + y * 1j,
    "parts": lambda np_, x, y: np_.real(x[:, ::-1]) - np_.imag(y),
    "conjugates": lambda np_, x, y: np_.conj(x[::-1, ::-1]) - x,
    "sums of columns": lambda np_, x, y: x.sum(0),
    "sums of columns backwards": lambda np_, x, y: (x * y)[:, ::-1].sum(0),
    "sums of rows": lambda np_, x, y: (x * y).sum(1),
    "added": lambda np_, x, y: added(np_, x[1:-1], y, slice(1, -1)),
    "added backwards": lambda np_, x, y: added(np_, x, y, slice(None, None, -1)),
    "added columns backwards": lambda np_, x, y: added(np_, x, y, (slice(None), slice(None, None, -1))),
    "added numbers": lambda np_, x, y: added(np_, 2 + 1j, y, slice(2, None)),
    "rotated": lambda np_, x, y: np_.rot90(x) + np_.rot90(y, 3),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("shape", [(3, 1), (5, 7), (8, 64), (301, 33), (40, 130)])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_values(name, shape, dtype):
    rng = np.random.default_rng(0)
    x, y = ((rng.integers(-9, 9, shape) + 1j * rng.integers(-9, 9, shape)).astype(dtype) for _ in range(2))
    with fungrad.enable_x64():
        got = fungrad.jit(lambda x, y: PROGRAMS[name](jnp, x, y))(x, jnp.asarray(y))
    np.testing.assert_array_equal(got, PROGRAMS[name](np, x, y))


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "rotated"])
def test_nothing_is_gathered(name):
    x = fungrad.ShapeDtypeStruct((300, 200), "complex64")
    text = fungrad.jit(lambda x, y: PROGRAMS[name](jnp, x, y)).lower(x, x).as_text("llvm")
    assert "masked.gather" not in text and "masked.scatter" not in text
