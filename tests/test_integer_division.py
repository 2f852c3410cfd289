"""Integer division as vectors goes through floats: every result must be that of integers."""

import numpy as np
import pytest

import fungrad
from fungrad import lax, numpy as jnp

OPERATIONS = {
    "floor_divide": lambda a, b: a // b,
    "remainder": lambda a, b: a % b,
    "div": lambda a, b: lax.div(a, b),
    "rem": lambda a, b: lax.rem(a, b),
    "gcd": jnp.gcd,
    "power": jnp.power,
}


def pairs(dtype):
    """All pairs of extreme numbers, and random ones with divisors far and near."""
    info, rng = np.iinfo(dtype), np.random.default_rng(0)
    low, high = int(info.min), int(info.max)
    edges = {low, low + 1, high, high - 1, high // 2, high // 2 + 1, 0, 1, 2, 3, 7, 100, *([-1, -2, -7] if low else [])}
    a, b = np.meshgrid(np.array(sorted(edges), dtype), np.array(sorted(edges), dtype))
    random = [rng.integers(low, high, 4000, dtype, endpoint=True) for _ in range(2)]
    near = rng.integers(max(low, -50), 50, 2000).astype(dtype)
    return np.concatenate([a.ravel(), random[0]]), np.concatenate([b.ravel(), random[1][:2000], near])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_integers_are_divided_exactly(name, dtype):
    with fungrad.enable_x64(True):
        a, b = pairs(dtype)
        got = fungrad.jit(OPERATIONS[name])(a, b)
        np.testing.assert_array_equal(got, OPERATIONS[name](jnp.asarray(a), jnp.asarray(b)))


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint32"])
def test_divisors_agree_with_numpy(dtype):
    a, b = pairs(dtype)
    np.testing.assert_array_equal(fungrad.jit(jnp.gcd)(a, b), np.gcd(a.astype(np.int64), b).astype(dtype))
    keep = (b != 0) & (b.astype(np.int64) != -1)
    np.testing.assert_array_equal(fungrad.jit(lambda a, b: a // b)(a, b)[keep], a[keep] // b[keep])
    np.testing.assert_array_equal(fungrad.jit(lambda a, b: a % b)(a, b)[keep], a[keep] % b[keep])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int8", "int32"])
@pytest.mark.parametrize("period", [3, 4, 7])
def test_integers_are_unwrapped(dtype, period):
    turns = np.random.default_rng(0).integers(0, period, 40)
    expected = np.unwrap(turns, period=period).astype(dtype)
    for f in (jnp.unwrap, fungrad.jit(jnp.unwrap, static_argnames="period")):
        found = f(jnp.array(turns, dtype), period=period)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_negative_exponents_give_the_whole_part_of_the_power(dtype):
    bases = jnp.array([-128, -3, -1, 0, 1, 2, 127], dtype)[:, None]
    exponents = jnp.array([-128, -3, -2, -1], dtype)
    expected = np.zeros((7, 4), dtype)
    expected[4], expected[2] = 1, [1, -1, 1, -1]
    for f in (jnp.power, fungrad.jit(jnp.power), lambda x, y: x**y):
        np.testing.assert_array_equal(f(bases, exponents), expected)
