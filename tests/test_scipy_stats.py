"""``fungrad.scipy.stats`` against SciPy and JAX: every function of every distribution, in the middle, in both tails, at
the ends; derivatives, compiled and mapped."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import scipy.special
import scipy.stats
from optable_base import array

import fungrad
import fungrad.numpy as jnp
from fungrad import random
from fungrad.scipy import stats
from fungrad.test_util import check_grads

INF = np.inf
# For each distribution: points, and the parameters that precede loc and scale.
POINTS = {
    "norm": ([-30, -3, -0.4, 0, 1.3, 8, INF, -INF], ()),
    "cauchy": ([-1e9, -3, -0.4, 0, 1.3, 1e8, INF, -INF], ()),
    "expon": ([-1, 0, 1e-9, 0.7, 3, 80, INF], ()),
    "gamma": ([-1, 0.2, 1.7, 12, 60], (2.5,)),
    "chi2": ([-1, 0.2, 1.7, 12, 60], (3.0,)),
    "beta": ([-0.5, 0.1, 0.4, 0.9, 1.2], (2.5, 1.5)),
    "t": ([-30, -1, 0, 2, 1e5], (3.5,)),
    "laplace": ([-30, -1, 0, 2, 30], ()),
    "logistic": ([-200, -30, -1, 0, 2, 30, 200], ()),
    "pareto": ([0.5, 1.0, 1.5, 1e3], (2.2,)),
    "gumbel_r": ([-4, -1, 0, 2, 40], ()),
    "gumbel_l": ([-40, -2, 0, 1, 4], ()),
    "uniform": ([-0.3, 0, 0.4, 1, 1.3], ()),
    "truncnorm": ([-2, -1.4, -0.3, 1.2, 1.9, 3], (-1.5, 2.0)),
    "gennorm": ([-3, -0.5, 0, 0.5, 4], (1.7,)),
    "vonmises": ([-3, -0.5, 0, 1.5, 3], (2.0,)),
    "wrapcauchy": ([0, 0.5, 3, 6.2], (0.6,)),
    "bernoulli": ([-1, 0, 1, 2], (0.3,)),
    "binom": ([-1, 0, 3, 7, 8], (7.0, 0.3)),
    "nbinom": ([-1, 0, 3, 20], (4.0, 0.3)),
    "geom": ([0, 1, 3, 20], (0.3,)),
    "betabinom": ([-1, 0, 3, 7, 8], (7.0, 2.0, 3.0)),
    "poisson": ([-1, 0, 1, 3, 20], (2.5,)),
}
PROBABILITIES = [1e-12, 0.01, 0.3, 0.5, 0.8, 0.999]
SCALED = {"norm", "cauchy", "expon", "gamma", "chi2", "beta", "t", "laplace", "logistic", "pareto", "gumbel_r"}
SCALED |= {"gumbel_l", "uniform", "truncnorm"}
LOCATED = SCALED | {"bernoulli", "binom", "nbinom", "geom", "betabinom", "poisson"}
FUNCTIONS = [
    (name, f)
    for name in POINTS
    for f in ("pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf")
    if hasattr(getattr(stats, name), f)
]
functions = pytest.mark.parametrize("name, f", FUNCTIONS, ids=[".".join(x) for x in FUNCTIONS])
# What of bernoulli takes no location.
UNLOCATED = {("bernoulli", "cdf"), ("bernoulli", "ppf")}


def arguments(name, f):
    """First operands and parameters, standard and moved."""
    points, shapes = POINTS[name]
    first = np.array(PROBABILITIES if f in ("ppf", "isf") else points, float)
    yield first, shapes
    if name not in LOCATED or (name, f) in UNLOCATED:
        return
    place = (1.5, 0.7) if name in SCALED else (2.0,)
    moved = first if f in ("ppf", "isf") else first * (0.7 if name in SCALED else 1) + place[0]
    # Away from the ends of the support, where rounding decides.
    yield moved[1:-1] + (1e-3 if name in ("uniform", "expon", "pareto") else 0), (*shapes, *place)


@functions
def test_values(name, f):
    ours, theirs = getattr(getattr(stats, name), f), getattr(getattr(scipy.stats, name), f)
    for first, parameters in arguments(name, f):
        with np.errstate(all="ignore"):
            expected = theirs(first, *parameters)
        for function in (ours, fungrad.jit(ours)):
            got = function(array(first), *[array(np.float64(p)) for p in parameters])
            np.testing.assert_allclose(got, expected, rtol=2e-11, atol=1e-300)
        single = ours(first.astype("float32"), *parameters)
        assert single.dtype == np.float32
        kept = np.abs(np.where(np.isfinite(expected), expected, 1)) > 1e-30
        np.testing.assert_allclose(np.asarray(single)[kept], expected[kept], rtol=3e-4, atol=1e-6)


@functions
def test_compiled_mapped_and_narrow(name, f):
    function = getattr(getattr(stats, name), f)
    first, parameters = next(iter(arguments(name, f)))
    first = first.astype("float32")
    steps = fungrad.jit(function).lower(first, *map(np.float32, parameters)).as_text("steps")
    assert not re.findall(r"= host (\w+)", steps)
    stacked = [np.full(len(first), p, np.float32) for p in parameters]
    np.testing.assert_allclose(fungrad.vmap(function)(first, *stacked), function(first, *stacked), rtol=1e-6)
    assert function(first.astype("float16"), *parameters).dtype == np.float16
    assert function(np.zeros((0, 2), np.float32), *parameters).shape == (0, 2)
    with pytest.raises(TypeError, match=rf"fungrad.scipy.stats.{name}.{f}: {'[xkqp]'} must be real"):
        function(first.astype("complex64"), *parameters)


@functions
def test_derivatives(name, f):
    if (name, f) in UNLOCATED or (name, f) == ("poisson", "cdf"):
        pytest.skip("a step")
    function = getattr(getattr(stats, name), f)
    first, parameters = list(arguments(name, f))[-1]
    first = first[np.isfinite(first)]
    if f in ("pmf", "logpmf"):
        # By the parameters that are real numbers; the numbers of trials are not.
        start = {"binom": 1, "betabinom": 1}.get(name, 0)
        count = len(POINTS[name][1])
        inner = np.isfinite(np.asarray(function(array(first), *parameters)))
        inner &= np.asarray(function(array(first), *parameters)) != 0
        ks, rest = array(first[inner]), parameters[:start]
        moving = [array(np.full(inner.sum(), p)) for p in parameters[start:count]]
        check_grads(lambda *p: function(ks, *rest, *p, 2.0), tuple(moving), order=2, rtol=1e-3, atol=1e-4)
        return
    # Away from kinks.
    first = first if f in ("ppf", "isf") else first + 0.013
    with np.errstate(all="ignore"):
        values = np.asarray(function(array(first), *parameters))
        slopes = np.asarray(fungrad.vmap(fungrad.grad(lambda x: function(x, *parameters)))(array(first)))
    assert not np.isnan(slopes[np.isfinite(values)]).any()
    inner = first[np.isfinite(values) & (np.abs(first) < 20) & (np.abs(slopes) > 1e-4)]
    inner = inner[(inner > 1e-3)] if f in ("ppf", "isf") else inner
    if name in ("laplace", "gennorm"):
        inner = inner[np.abs(inner - (1.5 if name == "laplace" else 0)) > 0.1]
    if not len(inner):
        return
    # Not by the parameters for which the incomplete functions have no derivative (of second order).
    fixed = {"beta": "cdf", "gamma": "cdf", "chi2": "cdf", "gennorm": "cdf"}.get(name, "-") in f.replace("sf", "cdf")
    place = parameters[len(POINTS[name][1]) :]
    if fixed:
        check_grads(
            lambda x, *p: function(x, *POINTS[name][1], *p),
            (array(inner), *[array(np.float64(p)) for p in place]),
            order=2,
            rtol=1e-3,
            atol=1e-4,
        )
    else:
        operands = (array(inner), *[array(np.float64(p)) for p in parameters])
        check_grads(function, operands, order=2, rtol=1e-3, atol=1e-4)


@pytest.mark.parity
def test_all_is_there_and_values_are_those_of_jax():
    pytest.importorskip("jax")
    import jax.scipy.stats as theirs

    for module in dir(theirs):
        if module.startswith("_"):
            continue
        for function in [f for f in dir(getattr(theirs, module)) if not f.startswith("_")]:
            if callable(getattr(getattr(theirs, module), function)) and module in POINTS:
                assert hasattr(getattr(stats, module), function), f"{module}.{function}"
        assert hasattr(stats, module)
    for name, f in FUNCTIONS:
        for first, parameters in list(arguments(name, f))[-1:]:
            first = first.astype("float32")[(np.abs(first) < 20) & (first > 1e-3 if f in ("ppf", "isf") else True)]
            a = getattr(getattr(stats, name), f)(first, *parameters)
            b = getattr(getattr(theirs, name), f)(first, *parameters)
            assert (a.shape, a.dtype) == (b.shape, b.dtype), f"{name}.{f}"
            # JAX loses digits far out in the tails.
            seen = np.isfinite(b) | (np.asarray(a) == np.asarray(b))
            assert seen.mean() > 0.7
            np.testing.assert_allclose(a[seen], b[seen], rtol=2e-3, atol=2e-5, err_msg=f"{name}.{f}")


def test_parameters_out_of_range():
    assert np.isnan(stats.beta.logpdf(0.5, -1.0, 2.0))
    assert np.isnan(stats.gumbel_r.cdf(0.5, 0.0, -1.0)) and np.isnan(stats.truncnorm.cdf(0.5, 1.0, 0.0))
    assert np.isnan(stats.vonmises.pdf(0.5, -1.0)) and np.isnan(stats.wrapcauchy.pdf(0.5, 1.5))
    assert np.isnan(stats.betabinom.pmf(1, 3, -1.0, 1.0)) and np.isnan(stats.bernoulli.cdf(1, 1.5))
    for module in (stats.norm, stats.cauchy, stats.expon, stats.uniform):
        assert np.isnan(module.ppf(-0.1)) and np.isnan(module.ppf(1.1))
    assert stats.norm.ppf(1.0) == INF and stats.cauchy.ppf(0.0) == -INF


def test_truncated_tails():
    x = np.array([40.1, 41.0, 45.0])
    for a, b, points in ((40.0, 50.0, x), (-50.0, -40.0, -x)):
        for f in ("logpdf", "logcdf", "logsf", "cdf", "sf"):
            ours = getattr(stats.truncnorm, f)(array(points), array(np.float64(a)), array(np.float64(b)))
            np.testing.assert_allclose(ours, getattr(scipy.stats.truncnorm, f)(points, a, b), rtol=1e-9)


def test_entropy_of_poisson():
    mu = np.array([0, 0.1, 1, 9.9, 10, 50, 99.9, 100.1, 1e4])
    masses = scipy.stats.poisson.pmf(np.arange(40_000), mu[:, None])
    expected = -np.sum(scipy.special.xlogy(masses, masses), axis=1)
    np.testing.assert_allclose(stats.poisson.entropy(array(mu)), expected, rtol=2e-8, atol=1e-12)
    assert stats.poisson.entropy(np.float32([1, 2]), np.zeros((3, 1), np.float32)).shape == (3, 2)
    check_grads(stats.poisson.entropy, (array(mu[1:7]),), order=2, rtol=1e-3)


def test_multivariate_distributions():
    rng = np.random.default_rng(0)
    mean, root = rng.normal(size=3), rng.normal(size=(3, 3))
    cov, x = root @ root.T + np.eye(3), rng.normal(size=(4, 3))
    for c, reference in ((cov, cov), (np.float64(2.0), 2 * np.eye(3))):
        ours = stats.multivariate_normal.logpdf(array(x), array(mean), array(c))
        np.testing.assert_allclose(ours, scipy.stats.multivariate_normal(mean, reference).logpdf(x), rtol=1e-12)
    np.testing.assert_allclose(
        stats.multivariate_normal.pdf(array(x[:, 0]), array(np.float64(0.3)), array(np.float64(2.0))),
        scipy.stats.norm(0.3, np.sqrt(2)).pdf(x[:, 0]),
    )
    covs = np.stack([cov, 2 * cov])
    ours = stats.multivariate_normal.logpdf(array(x[:2]), array(mean), array(covs))
    expected = [scipy.stats.multivariate_normal(mean, c).logpdf(p) for c, p in zip(covs, x[:2], strict=True)]
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    check_grads(stats.multivariate_normal.logpdf, (array(x), array(mean), array(cov)), order=2, rtol=1e-3)
    alpha, p = np.array([1.5, 2.0, 0.7]), np.array([[0.2, 0.1], [0.5, 0.3], [0.3, 0.6]])
    expected = scipy.stats.dirichlet(alpha).logpdf(p)
    np.testing.assert_allclose(stats.dirichlet.logpdf(array(p), array(alpha)), expected, rtol=1e-12)
    np.testing.assert_allclose(stats.dirichlet.pdf(array(p[:-1]), array(alpha)), np.exp(expected), rtol=1e-12)
    assert stats.dirichlet.logpdf(array(p + 0.1), array(alpha)).tolist() == [-INF, -INF]
    counts = np.array([[1, 2, 3], [0, 6, 0], [1, 1, 1]])
    expected = scipy.stats.multinomial(6, [0.2, 0.3, 0.5]).logpmf(counts)
    ours = stats.multinomial.logpmf(counts, 6, array(np.array([0.2, 0.3, 0.5])))
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


# -- samples ---------------------------------------------------------------------------------------------------------

SAMPLES = [
    np.array([3, 1, 2, 2, 3, 3, 1, 3]),
    np.array([[1.5, 2.0, 2.0], [2.0, 2.0, 1.5], [1.5, 0.0, np.nan]], np.float32),
    np.random.default_rng(0).integers(0, 4, (3, 5, 4)),
    np.array([7.0], np.float32),
]


@pytest.mark.parametrize("x", SAMPLES, ids=range(len(SAMPLES)))
def test_mode_and_ranks(x):
    for axis in (None, *range(-1, x.ndim)):
        for keepdims in (False, True):
            expected = scipy.stats.mode(x, axis, keepdims=keepdims)
            found = fungrad.jit(lambda x, a=axis, k=keepdims: stats.mode(x, a, keepdims=k))(x)
            if not np.isnan(x).any():
                np.testing.assert_array_equal(found.mode, expected.mode)
                np.testing.assert_array_equal(found.count, expected.count)
            assert found.mode.shape == expected.mode.shape and found.mode.dtype == jnp.asarray(x).dtype
        for method in ("average", "min", "max", "dense", "ordinal"):
            expected = scipy.stats.rankdata(x, method, axis=axis)
            for f in (stats.rankdata, fungrad.jit(stats.rankdata, static_argnames=("method", "axis"))):
                np.testing.assert_array_equal(f(x, method=method, axis=axis), expected)
    empty = stats.mode(np.zeros((0, 2), np.float32))
    assert np.isnan(empty.mode).all() and not empty.count.any() and stats.rankdata(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("policy", ["propagate", "omit"])
def test_standard_error(policy):
    for x in (SAMPLES[0], SAMPLES[1], SAMPLES[2]):
        for axis in (None, 0, -1):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = scipy.stats.sem(x.astype(float), axis, nan_policy=policy)
            np.testing.assert_allclose(stats.sem(x, axis, nan_policy=policy), expected, rtol=1e-6)
    assert stats.sem(SAMPLES[2], 1, keepdims=True).shape == (3, 1, 4)


# -- density estimates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("method", [None, "silverman", 0.4, lambda kde: kde.neff**-0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_density_estimates(d, method, weighted):
    rng = np.random.default_rng(1)
    data, points = rng.normal(size=(d, 30)), rng.normal(size=(d, 7))
    weights = rng.uniform(size=30) if weighted else None
    theirs = scipy.stats.gaussian_kde(data, method, weights)
    ours = stats.gaussian_kde(array(data), method, None if weights is None else array(weights))
    np.testing.assert_allclose(ours.covariance, theirs.covariance, rtol=1e-10)
    np.testing.assert_allclose(ours.inv_cov, theirs.inv_cov, rtol=1e-10)
    np.testing.assert_allclose(ours(array(points)), theirs(points), rtol=1e-10)
    logs = fungrad.jit(lambda k, x: k.logpdf(x))(ours, array(points))
    np.testing.assert_allclose(logs, theirs.logpdf(points), rtol=1e-9)
    mean, cov = np.full(d, 0.3), np.eye(d) * 0.7
    np.testing.assert_allclose(
        ours.integrate_gaussian(array(mean), array(cov)), theirs.integrate_gaussian(mean, cov), rtol=1e-10
    )
    np.testing.assert_allclose(ours.integrate_kde(ours), theirs.integrate_kde(theirs), rtol=1e-10)
    if d == 1:
        np.testing.assert_allclose(ours.integrate_box_1d(-0.5, 1.0), theirs.integrate_box_1d(-0.5, 1.0), rtol=1e-6)
    drawn = np.asarray(ours.resample(random.key(0), (4000,)))
    assert drawn.shape == (d, 4000)
    total = theirs.covariance + np.cov(data, bias=True, aweights=weights).reshape(d, d)
    np.testing.assert_allclose(np.cov(drawn).reshape(d, d), total, atol=0.15)
    check_grads(lambda x: ours(x), (array(points),), order=2, rtol=1e-3)
