"""Positions among more than 2**31 elements: 64 bit where the size needs them, in every function that returns some."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

N = 2**31 + 5
LARGE = fungrad.ShapeDtypeStruct((N,), "int8")
POSITIONS = {
    "argmax": jnp.argmax,
    "argmin": jnp.argmin,
    "nanargmax": jnp.nanargmax,
    "argsort": jnp.argsort,
    "argpartition": lambda x: jnp.argpartition(x, 3),
    "lexsort": lambda x: jnp.lexsort((x,)),
    "nonzero": lambda x: jnp.nonzero(x, size=3)[0],
    "flatnonzero": lambda x: jnp.flatnonzero(x, size=3),
    "argwhere": lambda x: jnp.argwhere(x, size=3),
    "where": lambda x: jnp.where(x, size=3)[0],
    "searchsorted": lambda x: jnp.searchsorted(x, 3),
    "count_nonzero": jnp.count_nonzero,
    "sum of booleans": lambda x: jnp.sum(x > 0),
    "unique": lambda x: jnp.unique(x, size=3, return_index=True)[1],
    "top_k": lambda x: lax.top_k(x, 2)[1],
}


@pytest.mark.parametrize("name", POSITIONS)
def test_positions_have_64_bit_where_needed(name):
    assert fungrad.eval_shape(POSITIONS[name], LARGE).dtype == np.int64
    assert fungrad.eval_shape(POSITIONS[name], fungrad.ShapeDtypeStruct((N // 4,), "int8")).dtype == np.int32


def test_flat_positions_of_large_grids():
    places = jnp.ravel_multi_index((jnp.array([70000]), jnp.array([5])), (80000, 80000))
    assert places.dtype == np.int64 and places.tolist() == [5600000005]
    row, column = jnp.unravel_index(places, (80000, 80000))
    assert (row.tolist(), column.tolist()) == ([70000], [5])
    narrow = jnp.ravel_multi_index((jnp.array([255], "uint8"), jnp.array([3], "uint8")), (256, 4))
    assert narrow.tolist() == [1023]


def test_an_index_dtype_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="int8"):
        lax.argmax(jnp.zeros(300), 0, "int8")
    with pytest.raises(ValueError, match="int32"):
        fungrad.eval_shape(lambda x: lax.argmin(x, 0, "int32"), LARGE)


@pytest.mark.slow
def test_elements_behind_the_31st_bit():
    x = np.zeros(N, "int8")
    x[N - 2] = 3
    a = jnp.asarray(x)
    del x
    at = N - 2
    assert int(jnp.argmax(a)) == int(fungrad.jit(jnp.argmax)(a)) == at
    assert jnp.nonzero(a)[0].tolist() == jnp.flatnonzero(a).tolist() == [at]
    traced = jnp.array(at, "int64")
    assert int(a[at]) == int(a[traced]) == int(jnp.take(a, traced)) == int(a[-2]) == 3
    assert int(fungrad.jit(lambda a, i: a[i])(a, traced)) == 3
    assert lax.dynamic_slice(a, (at,), (2,)).tolist() == lax.dynamic_slice(a, (traced,), (2,)).tolist() == [3, 0]
    assert lax.dynamic_slice(a, (jnp.array(-2),), (2,)).tolist() == [3, 0]
    assert int(a.at[at].set(4)[at]) == int(a.at[traced].add(1)[at]) == 4
    for dtype in ("int32", "float32", "int64"):
        assert int(jnp.sum(a, dtype=dtype)) == 3
    assert int(jnp.sum(a == 0)) == N - 1


@pytest.mark.parametrize("dtype", ["int8", "uint8", "bool", "float16", "bfloat16", "int32"])
def test_sums_in_another_dtype_by_pieces(dtype):
    data = np.random.default_rng(0).integers(0, 2, (3, 2**19 + 7)).astype("float32")
    x = jnp.asarray(data, dtype=dtype)
    for wanted in ("int32", "float32", "float64", "int64"):
        for axis in (None, 0, 1, (0, 1)):
            got = jnp.sum(x, axis, dtype=wanted)
            assert got.dtype == wanted
            np.testing.assert_array_equal(np.asarray(got), data.sum(axis))
