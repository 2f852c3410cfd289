"""Integers of 2 and 4 bits: NumPy computes most functions of them in int8; results keep their type and wrap."""

import ml_dtypes
import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

DTYPES = [np.dtype(d) for d in (ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2, ml_dtypes.uint2)]
UNARY = {
    "neg": np.negative,
    "sign": np.sign,
    "bitwise_not": np.invert,
    "square": np.square,
    "cube": lambda x: x * x * x,
}
BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "lt": np.less,
    "ge": np.greater_equal,
}


def every(dtype):
    """All values of a dtype, as int8 and as an array."""
    info = ml_dtypes.iinfo(dtype)
    wide = np.arange(int(info.min), int(info.max) + 1).astype(np.int8)
    return wide, jnp.asarray(wide.astype(dtype))


def check(call, wanted, *xs):
    # Twice, since the second application of a type takes a shorter way.
    for got in (call(*xs), call(*xs), fungrad.jit(call)(*xs)):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(np.asarray(got).astype(np.int64), wanted.astype(np.int64))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_unary(name, dtype):
    wide, x = every(dtype)
    call = (lambda x: lax.integer_pow(x, 3)) if name == "cube" else getattr(lax, name)
    check(call, UNARY[name](wide).astype(np.int8).astype(dtype), x)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, dtype):
    wide, x = every(dtype)
    wanted = BINARY[name](wide[:, None], wide)
    wanted = wanted if wanted.dtype == bool else wanted.astype(dtype)
    n = wide.size
    check(getattr(lax, name), wanted, jnp.broadcast_to(x[:, None], (n, n)), jnp.broadcast_to(x, (n, n)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_functions_of_numpy(dtype):
    wide, x = every(dtype)
    check(lambda x: jnp.clip(x, 0, 1), np.clip(wide, 0, 1).astype(dtype), x)
    check(lambda x: x // 1 - x, np.zeros(wide.size, dtype), x)
    check(jnp.abs, np.abs(wide).astype(dtype), x)
    check(lambda x: jnp.maximum(x, 1), np.maximum(wide, 1).astype(dtype), x)
    check(lambda x: jnp.where(x > 0, -x, x), np.where(wide > 0, -wide, wide).astype(dtype), x)


@pytest.mark.parametrize("dtype", [*DTYPES, np.dtype(ml_dtypes.float4_e2m1fn)], ids=str)
@pytest.mark.parametrize("wide", ["int8", "uint16", "int32"])
def test_bits(wide, dtype):
    x = jnp.asarray(np.random.default_rng(0).integers(0, 100, (3, 2)), dtype=wide)
    small = lax.bitcast_convert_type(x, dtype)
    width = fungrad.dtypes.itemsize_bits(dtype)
    assert small.shape == (3, 2, 8 * x.itemsize // width) and small.dtype == dtype
    pieces = np.asarray(lax.bitcast_convert_type(small, f"uint{width}")).astype(np.int64)
    np.testing.assert_array_equal(sum(pieces[..., k] << (width * k) for k in range(pieces.shape[-1])), x)
    check(lambda s: lax.bitcast_convert_type(s, wide), np.asarray(x), small)
    check(lambda x: x.view(f"uint{width}"), pieces.reshape(3, -1).astype(f"uint{width}"), x)
    check(lambda s: s.view(wide)[..., 0], np.asarray(x), small)


@pytest.mark.parametrize("signed, unsigned", [("int4", "uint4"), ("int2", "uint2")])
def test_signs_are_bits(signed, unsigned):
    wide, x = every(np.dtype(getattr(ml_dtypes, signed)))
    width = int(signed[3:])
    wanted = (wide.astype(np.int64) % 2**width).astype(unsigned)
    check(lambda x: lax.bitcast_convert_type(x, unsigned), wanted, x)
    check(lambda u: lax.bitcast_convert_type(u, signed), np.asarray(x), jnp.asarray(wanted))


def test_sizes_must_divide():
    with pytest.raises(TypeError, match="multiple"):
        lax.bitcast_convert_type(jnp.ones(3, "float6_e2m3fn"), "int8")
