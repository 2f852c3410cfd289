"""Triangular systems and Cholesky factors by the library's own products; products of triangular matrices."""

import itertools

import numpy as np
import pytest

import fungrad
import fungrad.numpy as fnp
from fungrad import lax
from fungrad.ops.linalg.matrices import lower_product, upper_product

TOLERANCE = {np.float32: 1e-4, np.float64: 1e-12}


@pytest.fixture(params=[np.float32, np.float64])
def dtype(request):
    with fungrad.enable_x64():
        yield request.param


def numbers(dtype, *shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def positive(dtype, items, n):
    a = numbers(np.float64, items, n, n)
    return (a @ a.swapaxes(1, 2) + n * np.eye(n)).astype(dtype)


@pytest.mark.parametrize("items, n, columns", [(1, 70, 100), (3, 33, 40), (2, 5, 130)])
@pytest.mark.parametrize("left_side", [True, False])
def test_triangular_solve(dtype, items, n, columns, left_side):
    a = numbers(dtype, items, n, n) / n + 2 * np.eye(n, dtype=dtype)
    b = numbers(dtype, items, *((n, columns) if left_side else (columns, n)), seed=1)
    for lower, transpose, unit in itertools.product((True, False), repeat=3):
        options = {"lower": lower, "transpose_a": transpose, "unit_diagonal": unit}
        f = fungrad.jit(lambda a, b, o=options: lax.linalg.triangular_solve(a, b, left_side=left_side, **o))
        assert "in blocks" in f.lower(a, b).as_text("steps")
        x = np.asarray(f(a, b))
        triangle = (np.tril if lower else np.triu)(a)
        if unit:
            triangle[:, range(n), range(n)] = 1
        triangle = triangle.swapaxes(1, 2) if transpose else triangle
        np.testing.assert_allclose(triangle @ x if left_side else x @ triangle, b, atol=TOLERANCE[dtype])


def test_one_matrix_serves_several_blocks_of_its_own_item():
    a = np.stack([np.eye(8, dtype=np.float32) * k for k in (1, 2, 4)])
    x = fungrad.jit(lambda a, b: lax.linalg.triangular_solve(a, b, left_side=True))(a, np.ones((3, 8, 200), "f4"))
    np.testing.assert_array_equal(x, np.broadcast_to(np.float32([1, 0.5, 0.25])[:, None, None], (3, 8, 200)))


@pytest.mark.parametrize("items, n", [(1, 65), (2, 128), (1, 97), (1, 300)])
def test_cholesky(dtype, items, n):
    a = positive(dtype, items, n)
    lower = np.tril(a) + np.triu(numbers(dtype, items, n, n), 1)
    f = fungrad.jit(lambda a: lax.linalg.cholesky(a, symmetrize_input=False))
    assert "cholesky in blocks" in f.lower(lower).as_text("steps")
    found = np.asarray(f(lower))
    np.testing.assert_allclose(found, np.linalg.cholesky(a), atol=TOLERANCE[dtype])
    assert not np.triu(found, 1).any()


@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan])
@pytest.mark.parametrize("place", [0, 40, 96])
def test_cholesky_of_what_is_not_positive_definite(value, place):
    a = positive(np.float32, 2, 97)
    a[1, place, place] = value
    found = np.asarray(fungrad.jit(lax.linalg.cholesky)(a))
    assert np.isnan(found[1]).all()
    assert np.isfinite(found[0]).all()


def test_products_of_triangular_matrices():
    n = 600  # halved twice
    a, b = np.tril(numbers(np.float64, 2, n, n)), np.tril(numbers(np.float64, 2, n, n, seed=1))
    with fungrad.enable_x64():
        np.testing.assert_allclose(lower_product(fnp.asarray(a), fnp.asarray(b)), a @ b, atol=1e-11)
        a, b = a.swapaxes(1, 2), b.swapaxes(1, 2)
        np.testing.assert_allclose(upper_product(fnp.asarray(a), fnp.asarray(b)), a @ b, atol=1e-11)


def test_gradient_of_a_large_factor():
    """Along a line, against differences."""
    n = 260
    a, direction = positive(np.float64, 1, n)[0], numbers(np.float64, n, n, seed=2)
    direction, weights = direction + direction.T, numbers(np.float64, n, n, seed=3)
    with fungrad.enable_x64():
        f = fungrad.jit(lambda a: (fnp.sin(lax.linalg.cholesky(a)) * weights).sum())
        slope = (np.asarray(fungrad.jit(fungrad.grad(f))(a)) * direction).sum()
        forward = float(fungrad.jvp(f, (a,), (direction,))[1])
        step = 1e-4
        differences = (f(a + step * direction) - f(a - step * direction)) / (2 * step)
    np.testing.assert_allclose(slope, forward, rtol=1e-9)
    np.testing.assert_allclose(slope, differences, rtol=1e-6)
