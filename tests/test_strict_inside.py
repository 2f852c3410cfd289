"""Strict promotion of dtypes and ranks is about what programs combine, not about what functions do inside."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import image, nn, scipy
from fungrad.errors import RankPromotionError, TypePromotionError
from fungrad.test_util import check_grads

X = np.linspace(0.5, 2.0, 12, dtype=np.float32)

CALLS = {
    "logsumexp of complex numbers": lambda: nn.logsumexp(jnp.asarray((X + 1j).astype(np.complex64))),
    "gamma of complex numbers": lambda: scipy.special.gamma(jnp.asarray((X + 1j).astype(np.complex64))),
    "multigammaln": lambda: scipy.special.multigammaln(jnp.asarray(X).reshape(3, 4) + 3, 2),
    "isin": lambda: jnp.isin(jnp.arange(6).reshape(2, 3), jnp.arange(3)),
    "setdiff1d": lambda: jnp.setdiff1d(jnp.arange(6), jnp.arange(3), size=3),
    "cov with weights": lambda: jnp.cov(jnp.asarray(X).reshape(3, 4), fweights=jnp.array([1, 2, 1, 1])),
    "rint of integers": lambda: jnp.rint(jnp.array([1, 2], jnp.int8)),
    "variance in another dtype": lambda: jnp.var(jnp.asarray(X), dtype=jnp.float16),
    "quantile in another dtype": lambda: jnp.percentile(jnp.asarray(X, jnp.float16), jnp.array(30.0)),
    "detrend": lambda: scipy.signal.detrend(jnp.asarray(X).reshape(3, 4)),
    "stft": lambda: scipy.signal.stft(jnp.asarray(X).reshape(2, 6), nperseg=4)[2],
    "idct": lambda: scipy.fft.idct(jnp.asarray(X)),
    "function of a matrix": lambda: scipy.linalg.funm(jnp.asarray(X).reshape(3, 4)[:, :3], jnp.square),
    "resize": lambda: image.resize(jnp.asarray(X).reshape(3, 4), (5, 2), "linear"),
    "inverse of a rotation": lambda: scipy.spatial.transform.Rotation.from_quat(
        jnp.asarray(X[:8]).reshape(2, 4)).inv().as_quat(),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_functions_promote_inside(name):
    wanted = CALLS[name]()
    with fungrad.numpy_dtype_promotion("strict"), fungrad.numpy_rank_promotion("raise"):
        got = CALLS[name]()
        compiled = fungrad.jit(CALLS[name])()
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_allclose(compiled, wanted, rtol=2e-3, atol=1e-5)
    assert got.dtype == compiled.dtype == wanted.dtype


def test_what_the_program_combines_is_refused():
    x, n = jnp.ones((2, 3)), jnp.ones(3, int)
    with fungrad.numpy_dtype_promotion("strict"):
        for call in (
            lambda: x + n,
            lambda: jnp.hypot(x, n),
            lambda: jnp.cross(x, n),
            lambda: jnp.concatenate([x[0], n]),
        ):
            with pytest.raises(TypePromotionError, match="strict"):
                call()
    with fungrad.numpy_rank_promotion("raise"):
        for call in (lambda: x * x[0], lambda: jnp.hypot(x, x[0])):
            with pytest.raises((RankPromotionError, ValueError), match="ranks"):
                call()


def test_what_a_function_of_the_program_combines_is_refused():
    with fungrad.numpy_rank_promotion("raise"), pytest.raises(ValueError, match="ranks"):
        jnp.apply_along_axis(lambda row: row + jnp.ones((1, 3)), 1, jnp.ones((2, 3)))


@pytest.mark.parametrize("function", ["quantile", "nanquantile", "percentile", "nanpercentile"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
def test_weighted_quantiles(function, axis):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3, 4, 5)).astype(np.float32)
    weights = rng.random((3, 4, 5)).astype(np.float32)
    if function.startswith("nan"):
        x[rng.random(x.shape) < 0.2] = np.nan
    for q in (0.3, np.array([0.0, 0.4, 1.0])):
        q = q * 100 if "percentile" in function else q
        options = {"axis": axis, "weights": weights, "method": "inverted_cdf", "keepdims": True}
        wanted = getattr(np, function)(x, q, **options)
        np.testing.assert_allclose(getattr(jnp, function)(x, q, **options), wanted, rtol=1e-6)
    with pytest.raises(NotImplementedError, match="inverted_cdf"):
        getattr(jnp, function)(x, 0.5, weights=weights)


def test_weights_along_an_axis():
    x, weights = np.arange(12.0, dtype=np.float32).reshape(3, 4), np.array([1.0, 5.0, 1.0], np.float32)
    options = {"axis": 0, "weights": weights, "method": "inverted_cdf"}
    np.testing.assert_array_equal(jnp.quantile(x, 0.5, **options), np.quantile(x, 0.5, **options))
    with pytest.raises(ValueError, match="weights must have the shape"):
        jnp.quantile(x, 0.5, axis=1, weights=weights, method="inverted_cdf")


def test_masks_are_boolean_and_masked_arrays_are_refused():
    for function in (jnp.sum, jnp.any, jnp.mean, jnp.nanmean):
        with pytest.raises(ValueError, match="boolean"):
            function(jnp.ones(2), where=jnp.array([1, 0]))
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    for call in (lambda: jnp.array(masked), lambda: jnp.sin(masked)):
        with pytest.raises(ValueError, match="masked"):
            call()


def test_softmax_of_scipy_is_over_all_elements():
    special = pytest.importorskip("scipy.special")
    x = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    np.testing.assert_allclose(scipy.special.softmax(x), special.softmax(x), rtol=1e-6)
    np.testing.assert_allclose(scipy.special.log_softmax(x, axis=0), special.log_softmax(x, axis=0), rtol=1e-6)
    assert scipy.special.softmax(3.0) == 1


def test_derivatives_of_sinc_at_zero():
    # Those of sum of (-1)^k (pi x)^(2k) / (2k + 1)!.
    wanted = [1.0, 0.0, -(np.pi**2) / 3, 0.0, np.pi**4 / 5, 0.0, -(np.pi**6) / 7]
    f = jnp.sinc
    for value in wanted:
        np.testing.assert_allclose(f(0.0), value, rtol=1e-5)
        f = fungrad.grad(f)


def test_sph_harm_y_of_negative_polar_angles():
    special = pytest.importorskip("scipy.special")
    n, m, theta = np.array([1, 2, 3]), np.array([1, -1, 3]), np.array([-0.7, -2.0, 0.4])
    wanted = special.sph_harm_y(n, m, theta, 0.3)
    np.testing.assert_allclose(scipy.special.sph_harm_y(n, m, theta, 0.3, n_max=3), wanted, rtol=1e-5)


def test_gradient_by_complex_coordinates():
    x = np.array([1.0, 2.0, 4.0, 7.0], np.complex64)
    at = np.array([0.0, 1 + 1j, 2.0, 3 - 1j], np.complex64)
    np.testing.assert_allclose(jnp.gradient(x, at), np.gradient(x, at), rtol=1e-5)


def test_tolerances_by_dtype_and_linearize():
    tolerance = {np.float32: 1e-2, np.float64: 1e-6}
    check_grads(jnp.sin, (np.float32(0.5),), 2, modes=("fwd", "rev", "lin"), atol=tolerance, rtol=tolerance)
    with pytest.raises(AssertionError):
        check_grads(_wrong, (np.float32(0.5),), 1, atol=tolerance)


@fungrad.custom_jvp
def _wrong(x):
    return jnp.sin(x)


@_wrong.defjvp
def _(primals, tangents):
    return jnp.sin(primals[0]), 2 * tangents[0]


# What a program hands to NumPy is promoted as NumPy does; `ndarray + array` is an operator, which obeys the options.
NUMPY_CALLS = {
    "ufunc": lambda x, n: np.hypot(x, n),
    "operator by its name": lambda x, n: np.add(x, n),
    "unlike ranks": lambda x, n: np.multiply(x, n),
    "function": lambda x, n: np.concatenate([x[0], n]),
    "product": lambda x, n: np.dot(x, n),
    "reduction": lambda x, n: np.average(x, axis=1, weights=n),
    "outer": lambda x, n: np.subtract.outer(n, x),
    "with a dtype": lambda x, n: np.add(x, n, dtype="float32"),
}


@pytest.mark.parametrize("name", NUMPY_CALLS)
def test_functions_of_numpy_promote_as_numpy_does(name):
    call = NUMPY_CALLS[name]
    x, n = jnp.arange(6.0).reshape(2, 3), jnp.array([1, 2, 3])
    wanted = call(x, n)
    with fungrad.numpy_dtype_promotion("strict"), fungrad.numpy_rank_promotion("raise"):
        got = call(x, n)
        traced = fungrad.jit(call)(x, n)
    for found in (got, traced):
        np.testing.assert_allclose(found, wanted)
        assert found.dtype == wanted.dtype


def test_operators_of_ndarrays_obey_the_options():
    x, n = jnp.ones((2, 3)), np.ones(3, int)
    with fungrad.numpy_dtype_promotion("strict"):
        for call in (lambda: n * x, lambda: x * n, lambda: n @ x.T, lambda: n < x):
            with pytest.raises(TypePromotionError, match="strict"):
                call()
    with fungrad.numpy_rank_promotion("raise"), pytest.raises(ValueError, match="ranks"):
        n.astype(np.float32) - x
