"""Reductions over leading axes, wide, narrow and of joined pieces: everything is compared with NumPy."""

import numpy as np
import pytest

import fungrad
from fungrad import numpy as jnp

SHAPES = [(20000, 5), (20000, 16), (20, 2000, 6), (33, 64), (32, 1), (4096, 31), (50, 5000), (17, 4099), (3, 70001)]
HOWS = ("sum", "max", "min", "prod", "var", "any")
WIDER = {"float32": "float64", "float16": "float64", "complex64": "complex128"}


@pytest.mark.parametrize("dtype", ["float32", "int32", "float64", "int8", "complex64", "bool", "float16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_reductions_over_a_leading_axis(shape, dtype):
    rng, axis = np.random.default_rng(0), len(shape) - 2
    x = (rng.standard_normal(shape) * 3).astype(dtype) if dtype != "bool" else rng.random(shape) < 0.5
    tolerance = 1e-2 if dtype == "float16" else 1e-4
    with fungrad.enable_x64(dtype == "float64"):
        for how in HOWS:
            if (how, dtype) in (("var", "bool"), ("max", "complex64"), ("min", "complex64"), ("prod", "float16")):
                continue
            got = np.asarray(fungrad.jit(lambda x: getattr(jnp, how)(x, axis=axis))(x))
            with np.errstate(all="ignore"):
                want = getattr(np, how)(x.astype(WIDER.get(dtype, dtype)), axis=axis).astype(got.dtype)
            np.testing.assert_allclose(got, want, rtol=tolerance, atol=10 * tolerance, err_msg=how)


@pytest.mark.parametrize("shape", [(40, 5000), (3000, 12), (2000, 30)])
def test_results_kept_beside_their_sums(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    y, total, most = fungrad.jit(lambda x: ((y := jnp.sin(x)), y.sum(0), (y * x).max(0)))(x)
    np.testing.assert_allclose(y, np.sin(x), atol=1e-6)
    np.testing.assert_allclose(total, np.sin(x).sum(0), atol=1e-3)
    np.testing.assert_allclose(most, (np.sin(x) * x).max(0), atol=1e-6)


@pytest.mark.parametrize("shape", [(64, 5000), (1000, 7), (1000, 40), (5000, 200)])
def test_not_a_number_is_the_greatest_and_the_least_wherever_it_stands(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    x[0, 0] = x[-1, 1] = x[shape[0] // 2, 2] = np.nan
    for how in ("max", "min"):
        got = fungrad.jit(lambda x: getattr(jnp, how)(x, axis=0))(x)
        np.testing.assert_array_equal(got, getattr(np, how)(x, axis=0))


def test_narrow_sums_lose_no_digits():
    x = np.random.default_rng(0).standard_normal((1_000_003, 5)).astype(np.float32) + 1
    np.testing.assert_allclose(fungrad.jit(lambda x: x.sum(0))(x), x.astype(np.float64).sum(0), rtol=1e-6)


def test_threads_get_the_same_narrow_sums():
    x = np.random.default_rng(0).standard_normal((200_000, 7)).astype(np.float32)
    f = fungrad.jit(lambda x: (x.sum(0), x.max(0)))
    with fungrad.threads(1):
        alone = [np.asarray(y) for y in f(x)]
    for _ in range(20):
        for a, b in zip(f(x), alone, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n", [2, 9, 25, 64, 70])
@pytest.mark.parametrize("how", ["sum", "max", "std", "cumsum", "sort"])
def test_many_arrays_joined(n, how):
    xs = [np.random.default_rng(k).standard_normal(300).astype(np.float32) for k in range(n)]
    for join in ("stack", "concatenate"):
        got = fungrad.jit(lambda *xs: getattr(jnp, how)(getattr(jnp, join)([x * 2 for x in xs]), axis=0))(*xs)
        want = getattr(np, how)(getattr(np, join)([x.astype(np.float64) * 2 for x in xs]), axis=0)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-3)


def test_many_arrays_joined_are_read_anywhere():
    rng = np.random.default_rng(0)
    xs, i = [rng.standard_normal(50).astype(np.float32) for _ in range(40)], rng.integers(0, 2000, 3000)
    got = fungrad.jit(lambda i, *xs: jnp.concatenate([jnp.sin(x) for x in xs])[i])(i, *xs)
    np.testing.assert_allclose(got, np.sin(np.concatenate(xs))[i], atol=1e-6)
    blocks = [[rng.standard_normal((3, 4)).astype(np.float32) for _ in range(12)] for _ in range(12)]
    np.testing.assert_array_equal(fungrad.jit(jnp.block)(blocks), np.block(blocks))
    mixed = fungrad.jit(lambda *xs: jnp.stack(xs, -1).reshape(-1))(*xs)
    np.testing.assert_array_equal(mixed, np.stack(xs, -1).reshape(-1))


def test_indices_of_indices_are_read_under_the_condition_of_what_is_read():
    """Where a piece is not read, what computes the position in it may be out of range, too."""

    def f(x, i, j, k):
        return jnp.concatenate([x[i][j], x[:3]])[k]

    x, i = np.arange(8, dtype=np.float32), np.arange(8, dtype=np.int32)[::-1].copy()
    j, k = np.arange(5, dtype=np.int32), np.array([0, 4, 5, 7, 6], np.int32)
    compiled = fungrad.jit(f)
    np.testing.assert_array_equal(compiled(x, i, j, k), f(x, i, j, k))
    loads = [line for line in compiled.lower(x, i, j, k).as_text("steps").splitlines() if "load in" in line]
    assert [line for line in loads if "load in3" not in line and "where" not in line] == []
