"""Batches of matrices that are factorised with one matrix in every lane of a vector."""

import numpy as np
import pytest
import scipy.linalg

import fungrad
import fungrad.numpy as fnp
from fungrad import lax
from fungrad.ops.linalg import lanes

TOLERANCE = {np.float32: 2e-5, np.float64: 1e-13}


def matrices(dtype, *shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def steps(f, *args):
    return fungrad.jit(f).lower(*args).as_text("steps")


@pytest.fixture(params=[np.float32, np.float64])
def dtype(request):
    with fungrad.enable_x64():
        yield request.param


@pytest.mark.parametrize("shape", [(16, 16), (12, 19), (19, 12), (64, 64)])
def test_lu(dtype, shape):
    a = matrices(dtype, 2, 9, *shape)
    a[1, 3] = 0
    a[0, 2, :, 1] = 0
    assert "lu in lanes" in steps(lax.linalg.lu, a)
    factors, exchanges, order = map(np.asarray, fungrad.jit(lax.linalg.lu)(a))
    (getrf,) = scipy.linalg.get_lapack_funcs(("getrf",), (a,))
    k = min(shape)
    for at in np.ndindex(a.shape[:2]):
        wanted, pivots, _ = getrf(a[at])
        np.testing.assert_array_equal(exchanges[at], pivots)
        np.testing.assert_allclose(factors[at], wanted, rtol=0, atol=200 * TOLERANCE[dtype])
        lower = np.tril(factors[at][:, :k], -1) + np.eye(shape[0], k)
        np.testing.assert_allclose(lower @ np.triu(factors[at][:k]), a[at][order[at]], atol=10 * TOLERANCE[dtype])


def test_lu_of_no_number_leaves_other_matrices_alone(dtype):
    a = matrices(dtype, 10, 16, 16)
    good = np.asarray(fungrad.jit(lax.linalg.lu)(a)[0])
    a[4, 3, 3] = np.nan
    found = np.asarray(fungrad.jit(lax.linalg.lu)(a)[0])
    np.testing.assert_array_equal(np.delete(found, 4, 0), np.delete(good, 4, 0))
    assert np.isnan(found[4]).any()


@pytest.mark.parametrize("n", [20, 33])
def test_cholesky(dtype, n):
    a = matrices(dtype, 11, n, n)
    a = a @ a.swapaxes(1, 2) + np.eye(n, dtype=dtype)
    a[5] *= -1
    f = fungrad.jit(lax.linalg.cholesky)
    assert "cholesky in lanes" in steps(lax.linalg.cholesky, a)
    found = np.asarray(f(a))
    assert np.isnan(found[5]).all()
    rest = np.delete(a, 5, 0)
    np.testing.assert_allclose(np.delete(found, 5, 0), np.linalg.cholesky(rest), atol=20 * TOLERANCE[dtype])


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("left_side", [True, False])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("transpose_a", [True, False])
@pytest.mark.parametrize("unit_diagonal", [True, False])
def test_triangular_solve(columns, left_side, lower, transpose_a, unit_diagonal):
    n, items = 13, 9
    a = matrices(np.float32, items, n, n) / 8 + np.eye(n, dtype=np.float32)
    b = matrices(np.float32, items, *((n, columns) if left_side else (columns, n)), seed=1)
    options = {"left_side": left_side, "lower": lower, "transpose_a": transpose_a, "unit_diagonal": unit_diagonal}

    def f(a, b):
        return lax.linalg.triangular_solve(a, b, **options)

    assert "solve in lanes" in steps(f, a, b)
    x = np.asarray(fungrad.jit(f)(a, b))
    triangle = (np.tril if lower else np.triu)(a.astype(np.float64))
    if unit_diagonal:
        triangle[:, range(n), range(n)] = 1
    triangle = triangle.swapaxes(1, 2) if transpose_a else triangle
    np.testing.assert_allclose(triangle @ x if left_side else x @ triangle, b, atol=1e-5)


def test_solve_and_its_gradient():
    a, b = matrices(np.float32, 17, 16, 16) + 16 * np.eye(16, dtype=np.float32), matrices(np.float32, 17, 16, 2)
    run = fungrad.jit(fungrad.value_and_grad(lambda a, b: (fnp.linalg.solve(a, b) ** 2).sum(), (0, 1)))
    value, (da, db) = run(a, b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    x = np.linalg.solve(a, b)
    wanted = np.linalg.solve(a.swapaxes(1, 2), 2 * x)
    np.testing.assert_allclose(value, (x**2).sum(), rtol=1e-5)
    np.testing.assert_allclose(db, wanted, atol=1e-5)
    np.testing.assert_allclose(da, -wanted @ x.swapaxes(1, 2), atol=1e-5)


def test_the_place_of_a_matrix_changes_nothing():
    a = matrices(np.float32, 20, 16, 16)
    run = fungrad.jit(lax.linalg.lu)
    for x, y in zip(run(a), run(a[::-1]), strict=True):
        np.testing.assert_array_equal(x, np.asarray(y)[::-1])


def test_others_are_left_to_lapack():
    assert not lanes.fits(np.dtype(np.float32), 7, 16, 16)
    assert not lanes.fits(np.dtype(np.float32), 16, 65, 65)
    assert not lanes.fits(np.dtype(np.complex64), 16, 16, 16)
    assert "getrf" in steps(lax.linalg.lu, matrices(np.float32, 2, 16, 16))
