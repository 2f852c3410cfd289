"""Short records of narrow elements, such as the bytes of pixels: whole vectors are taken apart and put together."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp

TYPES = ["bool", "int8", "uint8", "int16", "uint16", "float16", "bfloat16", "int32", "float32"]


def records(dtype, count, width):
    values = np.random.default_rng(count + width).integers(0, 5, (count, width))
    return jnp.array(values > 2 if dtype == "bool" else values, dtype)


@pytest.mark.parametrize("width", [2, 3, 4, 5, 8, 9, 16])
@pytest.mark.parametrize("dtype", TYPES)
def test_reductions_of_records(dtype, width):
    for count in (33, 4099):
        x = records(dtype, count, width)
        plain = np.asarray(x).astype("int64")
        found = fungrad.jit(lambda x: (jnp.max(x, 1), jnp.sum(x, 1, dtype="int32"), jnp.any(x == 0, 1), x[:, -1]))(x)
        for ours, theirs in zip(found, (plain.max(1), plain.sum(1), (plain == 0).any(1), plain[:, -1]), strict=True):
            np.testing.assert_array_equal(np.asarray(ours).astype("int64"), theirs)


@pytest.mark.parametrize("width", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("dtype", TYPES)
def test_records_are_written(dtype, width):
    x = records(dtype, 4099, width)
    turned = fungrad.jit(lambda x: jnp.stack([x[:, k] for k in reversed(range(width))], 1))(x)
    np.testing.assert_array_equal(np.asarray(turned), np.asarray(x)[:, ::-1])


@pytest.mark.parametrize("count", [1, 7, 8, 1003, 98_807])
@pytest.mark.parametrize("bitorder", ["big", "little"])
def test_packed_bits(count, bitorder):
    x = np.random.default_rng(count).integers(0, 2, (2, count)).astype(bool)
    for axis in (None, 1):
        packed = fungrad.jit(lambda x: jnp.packbits(x, axis, bitorder))(jnp.array(x))
        np.testing.assert_array_equal(packed, np.packbits(x, axis, bitorder))
