"""Gamma variates and what is made of them, counts, and random vectors: laws, derivatives, the numbers of JAX."""

from __future__ import annotations

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import random

KEY = random.key(1701)
N = 20_000
PARAMETER = np.float32([0.3, 1.0, 2.5])
UP = np.float32([2.0, 20.0])
PROBABILITIES = np.float32([0.2, 0.3, 0.5])
MEAN, COVARIANCE = np.float32([1.0, -2.0]), np.float32([[2.0, 0.6], [0.6, 1.0]])

# Name, arguments after the key, and the law as scipy.stats knows it.
LAWS = [
    ("gamma", (0.2,), ("gamma", 0.2)),
    ("gamma", (3.0,), ("gamma", 3)),
    ("gamma", (1e4,), ("gamma", 1e4)),
    ("beta", (0.7, 2.0), ("beta", 0.7, 2)),
    ("chisquare", (3.0,), ("chi2", 3)),
    ("f", (5.0, 7.0), ("f", 5, 7)),
    ("t", (2.5,), ("t", 2.5)),
    ("generalized_normal", (1.5,), ("gennorm", 1.5)),
    ("generalized_normal", (4.0,), ("gennorm", 4)),
]
laws = pytest.mark.parametrize("name, arguments, law", LAWS, ids=[f"{n}{a}" for n, a, _ in LAWS])
COUNTS = [
    ("poisson", (0.7,), ("poisson", 0.7)),
    ("poisson", (9.0,), ("poisson", 9)),
    ("poisson", (40.0,), ("poisson", 40)),
    ("binomial", (7, 0.3), ("binom", 7, 0.3)),
    ("binomial", (100, 0.4), ("binom", 100, 0.4)),
    ("binomial", (60, 0.9), ("binom", 60, 0.9)),
]
# Arguments after the key of every function, for what holds for all of them.
CALLS = {
    "gamma": (PARAMETER,),
    "loggamma": (PARAMETER,),
    "beta": (PARAMETER, 1.5),
    "dirichlet": (PARAMETER,),
    "chisquare": (PARAMETER,),
    "f": (PARAMETER, 4.0),
    "t": (PARAMETER,),
    "generalized_normal": (1.5, (3,)),
    "ball": (3, 1.5, (4,)),
    "poisson": (UP,),
    "binomial": (UP, 0.4),
    "multinomial": (20.0, PROBABILITIES),
    "multivariate_normal": (MEAN, COVARIANCE),
    "orthogonal": (3, (2,)),
}
calls = pytest.mark.parametrize("name", CALLS)
SHAPED = ["gamma", "loggamma", "beta", "chisquare", "f", "t", "poisson", "binomial"]


@laws
def test_law(name, arguments, law):
    from scipy import stats

    x = np.asarray(getattr(random, name)(KEY, *arguments, shape=(N,))).astype(float)
    kind, *parameters = law
    assert stats.kstest(x, getattr(stats, kind)(*parameters).cdf).pvalue > 1e-4


@pytest.mark.parametrize("name, arguments, law", COUNTS, ids=[f"{n}{a}" for n, a, _ in COUNTS])
def test_law_of_counts(name, arguments, law):
    from scipy import stats

    x = np.asarray(getattr(random, name)(KEY, *arguments, shape=(N,))).astype(int)
    kind, *parameters = law
    known = getattr(stats, kind)(*parameters)
    low, high = int(known.ppf(1e-3)), int(known.ppf(1 - 1e-3))
    edges = np.arange(low, high + 1)
    p = known.pmf(edges)
    p[0], p[-1] = known.cdf(low), known.sf(high - 1)
    counts = np.bincount(np.clip(x, low, high) - low, minlength=len(edges))
    assert stats.chisquare(counts, N * p / p.sum()).pvalue > 1e-4


def test_laws_of_vectors():
    x = np.asarray(random.dirichlet(KEY, PARAMETER, (N,)), float)
    np.testing.assert_allclose(x.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(x.mean(0), PARAMETER / PARAMETER.sum(), atol=0.01)
    for method in ("cholesky", "eigh", "svd"):
        x = np.asarray(random.multivariate_normal(KEY, MEAN, COVARIANCE, (N,), method=method))
        np.testing.assert_allclose(x.mean(0), MEAN, atol=0.05)
        np.testing.assert_allclose(np.cov(x.T), COVARIANCE, atol=0.08)
    singular = random.multivariate_normal(KEY, MEAN, np.float32([[1, 1], [1, 1]]), (5,), method="svd")
    np.testing.assert_allclose(np.diff(singular, axis=-1), -3, atol=1e-3)
    for p in (1.0, 2, 5.5):
        x = np.asarray(random.ball(KEY, 2, p, (N,)), float)
        radius = (np.abs(x) ** p).sum(-1) ** (1 / p)
        assert radius.max() <= 1 + 1e-5
        np.testing.assert_allclose((radius < 0.5).mean(), 0.25, atol=0.015)
    counts = np.asarray(random.multinomial(KEY, 30, PROBABILITIES, shape=(2000, 3)))
    np.testing.assert_array_equal(counts.sum(-1), 30)
    np.testing.assert_allclose(counts.mean(0), 30 * PROBABILITIES, rtol=0.05)
    for n, m in ((3, None), (4, 2), (2, 4), (0, None)):
        q = np.asarray(random.orthogonal(KEY, n, (5,), m=m))
        assert q.shape == (5, n, n if m is None else m)
        small = q if q.shape[1] >= q.shape[2] else q.transpose(0, 2, 1)
        np.testing.assert_allclose(
            small.transpose(0, 2, 1) @ small, np.eye(small.shape[2])[None].repeat(5, 0), atol=1e-5
        )


@calls
def test_jit_equals_eager(name):
    def draw(key):
        return getattr(random, name)(key, *CALLS[name])

    for key in random.split(KEY, 4):
        np.testing.assert_allclose(fungrad.jit(draw)(key), draw(key), rtol=2e-4, atol=1e-6)


@calls
def test_vmap_over_keys_is_a_loop(name):
    def draw(key):
        return getattr(random, name)(key, *CALLS[name])

    keys = random.split(KEY, 3)
    expected = np.stack([np.asarray(draw(k)) for k in keys])
    np.testing.assert_allclose(fungrad.vmap(draw)(keys), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fungrad.jit(fungrad.vmap(draw))(keys), expected, rtol=2e-4, atol=1e-6)


@calls
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtypes(name, dtype):
    if name == "orthogonal" and dtype != "float64":
        pytest.skip("factorisations need 32 bits")
    dtype = "int8" if name == "poisson" else dtype
    arguments = CALLS[name]
    if name in ("beta", "chisquare", "f", "t"):  # they refuse parameters of a wider dtype, as in JAX
        arguments = [jnp.asarray(x, dtype) if isinstance(x, np.ndarray) else x for x in arguments]
    x = getattr(random, name)(KEY, *arguments, dtype=dtype)
    assert x.dtype == jnp.dtype(dtype) or name == "multivariate_normal"
    assert not x.weak_type and np.isfinite(np.asarray(x).astype(float)).all()


@pytest.mark.parametrize("name", SHAPED)
def test_parameters_broadcast(name):
    draw, arguments = getattr(random, name), CALLS[name]
    n = len(arguments[0])
    assert draw(KEY, *arguments).shape == (n,)
    for shape in ((4, n), (0, n)):
        assert draw(KEY, *arguments, shape=shape).shape == shape
    with pytest.raises(ValueError, match=rf"fungrad.random.{name}: shape \(7,\) .*\({n},\)"):
        draw(KEY, *arguments, shape=(7,))


def test_draws_without_a_size():
    assert random.dirichlet(KEY, np.ones((2, 0), np.float32)).shape == (2, 0)
    assert random.ball(KEY, 0, shape=(3,)).shape == (3, 0)
    assert random.multinomial(KEY, 3.0, np.ones((0, 3), np.float32)).shape == (0, 3)
    assert random.multivariate_normal(KEY, MEAN, COVARIANCE, (0,)).shape == (0, 2)


def test_edges_of_parameters():
    x = np.asarray(random.gamma(KEY, np.float32([0, np.inf, np.nan, -0.5, -3, 1e-30])))
    np.testing.assert_array_equal(x[:5], [0, np.inf, np.nan, np.nan, np.nan])
    assert np.isfinite(np.asarray(random.loggamma(KEY, np.float32([1e-30, 1e30])))).all()
    np.testing.assert_array_equal(random.poisson(KEY, np.float32([0, -1, np.nan])), [0, -1, -1])
    x = random.binomial(
        KEY, np.float32([5, 5, 5, 5, -1, np.nan, np.inf]), np.float32([0, 1, -1, np.nan, 0.5, 0.5, 0.5])
    )
    np.testing.assert_array_equal(x, [0, 5, np.nan, np.nan, np.nan, np.nan, np.inf])
    tiny = np.asarray(random.dirichlet(KEY, np.full(3, 1e-4, np.float32), (50,)))
    np.testing.assert_allclose(tiny.sum(-1), 1, atol=1e-5)


# -- derivatives ------------------------------------------------------------------------------------------------------


def test_a_gamma_variate_moves_so_that_its_probability_stays():
    from scipy import special

    with fungrad.enable_x64():
        a = jnp.asarray(np.tile([0.05, 0.7, 1.0, 4.0, 300.0], (40, 1)))
        x, slope = fungrad.jvp(lambda a: random.gamma(KEY, a), (a,), (jnp.ones_like(a),))
        p, h = special.gammainc(a, x), 1e-5 * np.asarray(a)
        # Where the probability has digits to invert.
        seen = (p > 1e-8) & (p < 1 - 1e-8)
        expected = (special.gammaincinv(a + h, p) - special.gammaincinv(a - h, p)) / (2 * h)
        np.testing.assert_allclose(np.asarray(slope)[seen], expected[seen], rtol=1e-4)
        logs, log_slope = fungrad.jvp(lambda a: random.loggamma(KEY, a), (a,), (jnp.ones_like(a),))
        np.testing.assert_allclose(log_slope[:, 1:], (slope / x)[:, 1:], rtol=1e-6)


@pytest.mark.parametrize("name", ["gamma", "loggamma", "beta", "dirichlet", "chisquare", "f", "t"])
def test_second_derivatives_keep_probabilities(name, monkeypatch):
    """Differences of the sampler whose gamma variates are exact quantiles of the probabilities that were drawn."""
    from scipy import special

    from fungrad.random import gamma_family

    def call(p):
        if name in ("beta", "f"):
            return getattr(random, name)(KEY, p, 1.5 * p, p.shape)
        return getattr(random, name)(KEY, p)

    drawn, variates = [], gamma_family.variates

    def first(k, p, dims, log_space=False):
        drawn.append((np.asarray(p), np.asarray(variates(k, p, dims, log_space=True)), log_space))
        return variates(k, p, dims, log_space=log_space)

    def quantiles(k, p, dims, log_space=False):
        start, y, _ = turn[len(seen)]
        seen.append(None)
        p = np.asarray(p)
        small = y < -30
        u = special.gammainc(np.broadcast_to(start, y.shape), np.exp(np.where(small, 0, y)))
        x = np.log(special.gammaincinv(np.broadcast_to(p, y.shape), u))
        # P(a, x) is x**a / gamma(a + 1) there.
        far = (start * y - special.gammaln(start + 1) + special.gammaln(p + 1)) / p
        x = np.where(small, far, x)
        return jnp.asarray(x if log_space else np.exp(x))

    with fungrad.enable_x64():
        p = np.tile([0.05, 0.6, 1.0, 4.0, 300.0], (6, 1))

        def scaled(t):
            return call(jnp.asarray(p) * (1.0 + t))

        def second(t):
            return fungrad.jvp(lambda t: fungrad.jvp(scaled, (t,), (1.0,))[1], (t,), (1.0,))[1]

        weights = jnp.asarray(np.random.default_rng(0).normal(size=p.shape))
        reverse = fungrad.grad(fungrad.grad(lambda t: (scaled(t) * weights).sum()))
        got, compiled = np.asarray(second(0.0)), np.asarray(fungrad.jit(second)(0.0))
        sums = float(reverse(0.0)), float(fungrad.jit(reverse)(0.0))
        monkeypatch.setattr(gamma_family, "variates", first)
        scaled(0.0)
        turn, at = list(drawn), []
        monkeypatch.setattr(gamma_family, "variates", quantiles)
        h = 1e-3
        for t in (-h, 0.0, h):
            seen = []
            at.append(np.asarray(scaled(t), float))
    wanted = (at[0] - 2 * at[1] + at[2]) / h**2
    np.testing.assert_allclose(got, wanted, rtol=5e-4, atol=1e-6 * max(1.0, np.abs(at[1]).max()))
    np.testing.assert_allclose(compiled, got, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(sums, (got * np.asarray(weights)).sum(), rtol=1e-9)


def test_the_slope_of_logarithms_of_tiny_variates():
    """log(x) = (log(u) + lgamma(a + 1)) / a where the variate itself is 0 in its type."""
    from scipy import special

    a = jnp.full((50,), 1e-3, "float32")
    y, slope = fungrad.jvp(lambda a: random.loggamma(KEY, a), (a,), (jnp.ones_like(a),))
    expected = (special.psi(1 + 1e-3) - np.asarray(y, float)) / 1e-3
    tiny = np.asarray(y) < -20
    assert tiny.sum() > 40
    np.testing.assert_allclose(np.asarray(slope)[tiny], expected[tiny], rtol=1e-4)


@pytest.mark.parity
@pytest.mark.parametrize("name", ["gamma", "loggamma", "beta", "dirichlet", "chisquare", "f", "t"])
def test_gradients_are_those_of_jax(name):
    jax = pytest.importorskip("jax")
    from jax.test_util import check_grads as _  # noqa: F401  (JAX, not only its stubs)

    arguments = (np.float32([0.7, 1.0, 2.5]), *CALLS[name][1:])

    def loss(module, key, p):
        return (getattr(module, name)(key, p, *arguments[1:]) ** 2).sum()

    theirs = jax.grad(lambda p: loss(jax.random, jax.random.key(5), p))(arguments[0])
    for transform in (lambda f: f, fungrad.jit):
        ours = transform(fungrad.grad(lambda p: loss(random, random.key(5), p)))(arguments[0])
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-5)
    mapped = fungrad.vmap(fungrad.grad(lambda p, k: loss(random, k, p)), (None, 0))(
        arguments[0], random.split(random.key(5), 3)
    )
    assert mapped.shape == (3, 3) and np.isfinite(np.asarray(mapped)).all()


def test_other_parameters_are_differentiable():
    def f(mean, covariance):
        return random.multivariate_normal(KEY, mean, covariance, (3,))

    jacobian = fungrad.jacrev(f)(jnp.asarray(MEAN), jnp.asarray(COVARIANCE))
    np.testing.assert_allclose(jacobian, np.eye(2)[None].repeat(3, 0), atol=1e-6)
    grads = fungrad.grad(lambda p: (random.generalized_normal(KEY, p, (5,)) ** 2).sum())(1.5)
    assert np.isfinite(float(grads))


# -- JAX --------------------------------------------------------------------------------------------------------------


@pytest.mark.parity
@calls
def test_numbers_are_those_of_jax(name):
    jax = pytest.importorskip("jax")
    for seed in range(3):
        theirs = np.asarray(getattr(jax.random, name)(jax.random.key(seed), *CALLS[name]))
        ours = np.asarray(getattr(random, name)(random.key(seed), *CALLS[name]))
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_gamma_numbers_of_other_dtypes_are_those_of_jax(dtype):
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        theirs = np.asarray(jax.random.gamma(jax.random.key(1), PARAMETER.astype(dtype), (100, 3), dtype))
    ours = np.asarray(random.gamma(random.key(1), PARAMETER, (100, 3), dtype))
    assert ours.dtype == theirs.dtype
    close = np.isclose(ours.astype(float), theirs.astype(float), rtol=1e-10 if dtype == "float64" else 0.05, atol=1e-4)
    # In half precision a refusal may hang on the rounding.
    assert close.mean() > (0.999 if dtype == "float64" else 0.97)


@pytest.mark.parity
def test_counts_in_arrays_are_those_of_jax():
    jax = pytest.importorskip("jax")
    rates = np.float32([0, 0.3, 5, 9.9, 10, 50, 200, -1, np.nan])
    ours, theirs = random.poisson(random.key(2), rates, (30, 9)), jax.random.poisson(jax.random.key(2), rates, (30, 9))
    np.testing.assert_array_equal(np.asarray(ours)[:, :4], np.asarray(theirs)[:, :4])
    n, p = np.float32([0, 5, 30, 100, -1, np.nan]), np.float32([[0.01], [0.3], [0.9], [1], [0], [-1], [2], [np.nan]])
    np.testing.assert_array_equal(
        random.binomial(random.key(2), n, p), np.asarray(jax.random.binomial(jax.random.key(2), n, p))
    )
    ours = random.multinomial(random.key(2), 50, PROBABILITIES, shape=(40, 3), dtype="int32")
    theirs = jax.random.multinomial(jax.random.key(2), 50, PROBABILITIES, shape=(40, 3), dtype="int32")
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)
