"""Distributions of fungrad.random: laws (against scipy.stats), derivatives, types, errors, and the numbers of JAX."""

from __future__ import annotations

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import random
from fungrad.test_util import check_grads

KEY = random.key(1701)
N = 20_000
PARAMETER = np.float32([0.3, 1.0, 2.5])

# Name of the function, its arguments after the key, and the law as scipy.stats knows it.
LAWS = [
    ("uniform", {"minval": -2.0, "maxval": 3.0}, ("uniform", -2, 5)),
    ("normal", {}, ("norm",)),
    ("exponential", {}, ("expon",)),
    ("gumbel", {}, ("gumbel_r",)),
    ("gumbel", {"mode": "high"}, ("gumbel_r",)),
    ("laplace", {}, ("laplace",)),
    ("logistic", {}, ("logistic",)),
    ("cauchy", {}, ("cauchy",)),
    ("maxwell", {}, ("maxwell",)),
    ("truncated_normal", {"lower": -1.0, "upper": 2.0}, ("truncnorm", -1, 2)),
    ("lognormal", {"sigma": 0.7}, ("lognorm", 0.7)),
    ("pareto", {"b": 2.5}, ("pareto", 2.5)),
    ("rayleigh", {"scale": 1.5}, ("rayleigh", 0, 1.5)),
    ("wald", {"mean": 0.8}, ("invgauss", 0.8)),
    ("weibull_min", {"scale": 2.0, "concentration": 1.3}, ("weibull_min", 1.3, 0, 2)),
    ("triangular", {"left": -1.0, "mode": 0.5, "right": 2.0}, ("triang", 0.5, -1, 3)),
]
laws = pytest.mark.parametrize("name, options, law", LAWS, ids=[f"{n}-{o}" for n, o, _ in LAWS])
PARAMETRIC = [
    ("truncated_normal", (-PARAMETER, PARAMETER)),
    ("lognormal", (PARAMETER,)),
    ("pareto", (PARAMETER,)),
    ("rayleigh", (PARAMETER,)),
    ("wald", (PARAMETER,)),
    ("weibull_min", (2.0, PARAMETER)),
    ("triangular", (0.0, PARAMETER, 3)),
]


@laws
def test_law(name, options, law):
    from scipy import stats

    x = np.asarray(getattr(random, name)(KEY, shape=(N,), **options)).astype(float)
    assert np.isfinite(x).all()
    kind, *arguments = law
    assert stats.kstest(x, getattr(stats, kind)(*arguments).cdf).pvalue > 1e-4


@laws
def test_jit_equals_eager(name, options, law):
    def draw(key):
        return getattr(random, name)(key, shape=(50, 2), **options)

    np.testing.assert_allclose(fungrad.jit(draw)(KEY), draw(KEY), rtol=2e-5, atol=2e-6)


@laws
def test_vmap_over_keys_is_a_loop(name, options, law):
    def draw(key):
        return getattr(random, name)(key, shape=(3, 2), **options)

    keys = random.split(KEY, 4)
    expected = np.stack([np.asarray(draw(k)) for k in keys])
    np.testing.assert_allclose(fungrad.vmap(draw)(keys), expected, rtol=1e-6)
    np.testing.assert_allclose(fungrad.vmap(draw)(random.key_data(keys)), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@laws
def test_dtypes(name, options, law, dtype):
    x = getattr(random, name)(KEY, shape=(2000,), dtype=dtype, **options)
    assert x.dtype == jnp.dtype(dtype) and not x.weak_type
    # The smallest floats of half precision give infinities of the laws without bounds only.
    assert np.isfinite(np.asarray(x).astype(float)).mean() > 0.98


def test_default_width():
    with fungrad.enable_x64():
        assert random.normal(KEY).dtype == random.pareto(KEY, 2).dtype == np.float64
        assert random.rademacher(KEY).dtype == random.geometric(KEY, 0.5).dtype == np.int64
    assert random.normal(KEY, (), float).dtype == np.float32
    assert random.wald(KEY, jnp.float64(1.0)).dtype == np.float32


def test_normal_numbers_are_independent():
    x = np.asarray(random.normal(KEY, (4, N)))
    np.testing.assert_allclose(np.corrcoef(x), np.eye(4), atol=5 / np.sqrt(N))
    assert abs(np.corrcoef(x[0, 1:], x[0, :-1])[0, 1]) < 5 / np.sqrt(N)
    y = np.asarray(random.normal(random.fold_in(KEY, 1), (N,)))
    assert abs(np.corrcoef(x[0], y)[0, 1]) < 5 / np.sqrt(N)


def test_complex_normal_numbers():
    z = np.asarray(random.normal(KEY, (N,), "complex64"))
    assert z.dtype == np.complex64
    np.testing.assert_allclose(np.cov(z.real, z.imag), np.eye(2) / 2, atol=0.02)
    assert random.normal(KEY, (2,), "complex128").dtype == np.complex128


def test_truncated_normal_numbers_keep_their_bounds():
    x = np.asarray(random.truncated_normal(KEY, -0.01, 0.01, (N,)))
    assert -0.01 < x.min() and x.max() < 0.01
    y = np.asarray(random.truncated_normal(KEY, -PARAMETER, np.float32([[0.1], [5.0]]), (100, 2, 3)))
    assert np.all(y > -PARAMETER) and np.all(y[:, 0] < 0.1)
    assert random.truncated_normal(KEY, -PARAMETER, np.float32([[0.1], [5.0]])).shape == (2, 3)


def test_gumbel_tail():
    """In mode "high" numbers beyond the range of the ordinary ones appear as often as they should."""
    low = np.asarray(random.gumbel(KEY, (1_000_000,)))
    high = np.asarray(random.gumbel(KEY, (1_000_000,), mode="high"))
    for x in (low, high):
        assert abs(np.mean(x > 8) - (1 - np.exp(-np.exp(-8)))) < 1e-4
    assert high.max() > 10


def test_double_sided_maxwell():
    from scipy import stats

    x = np.asarray(random.double_sided_maxwell(KEY, 2.0, 3.0, (N,)))
    assert stats.kstest(np.abs(x - 2) / 3, stats.maxwell.cdf).pvalue > 1e-4
    assert abs(np.mean(x > 2) - 0.5) < 5 * 0.5 / np.sqrt(N)
    # The shape is that of leading dimensions.
    assert random.double_sided_maxwell(KEY, PARAMETER, np.ones((2, 1)), (4,)).shape == (4, 2, 3)


def test_bernoulli_and_rademacher():
    p = np.float32([0.0, 0.2, 1.0])
    for mode in ("low", "high"):
        x = np.asarray(random.bernoulli(KEY, p, (N, 3), mode))
        assert x.dtype == bool
        np.testing.assert_allclose(x.mean(0), p, atol=0.015)
        assert not x[:, 0].any() and x[:, 2].all()
    rare = np.asarray(random.bernoulli(KEY, 1e-9, (1_000_000,), "high"))
    assert rare.sum() < 3
    signs = np.asarray(random.rademacher(KEY, (N,), "float32"))
    assert set(signs.tolist()) == {-1.0, 1.0} and abs(signs.mean()) < 5 / np.sqrt(N)
    assert random.rademacher(KEY, (2,), "complex64").dtype == np.complex64


def test_geometric():
    from scipy import stats

    x = np.asarray(random.geometric(KEY, 0.4, (N,)))
    counts = np.bincount(np.minimum(x, 10), minlength=11)[1:]
    p = stats.geom(0.4).pmf(np.arange(1, 11))
    p[-1] = 1 - p[:-1].sum()
    assert stats.chisquare(counts, N * p).pvalue > 1e-4
    assert random.geometric(KEY, PARAMETER / 3).shape == (3,)


@pytest.mark.parametrize("name, parameters", PARAMETRIC, ids=[n for n, _ in PARAMETRIC])
def test_parameters_broadcast(name, parameters):
    draw = getattr(random, name)
    assert draw(KEY, *parameters).shape == (3,)
    assert draw(KEY, *parameters, shape=(4, 3)).shape == (4, 3)
    assert draw(KEY, *parameters, shape=(0, 3)).shape == (0, 3)
    with pytest.raises(ValueError, match=rf"fungrad.random.{name}: shape \(2,\) .*\(3,\)"):
        draw(KEY, *parameters, shape=(2,))
    with pytest.raises(ValueError, match="floating dtype"):
        draw(KEY, *parameters, dtype=int)
    with pytest.raises(TypeError, match="must be real"):
        draw(KEY, *parameters[:-1], 1j)
    keys = random.split(KEY, 2)
    mapped = fungrad.vmap(lambda k, p: draw(k, *parameters[:-1], p))(keys, jnp.stack([parameters[-1]] * 2))
    np.testing.assert_allclose(mapped[1], draw(keys[1], *parameters), rtol=1e-6)


@pytest.mark.parametrize("name, parameters", PARAMETRIC, ids=[n for n, _ in PARAMETRIC])
def test_derivatives_by_parameters(name, parameters):
    parameters = tuple(jnp.asarray(p, "float64") for p in parameters)
    if name == "triangular":
        parameters = (parameters[0], parameters[1], jnp.asarray(3.0, "float64"))
    check_grads(lambda *p: getattr(random, name)(KEY, *p, shape=(2, 3), dtype="float64"), parameters, 1)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: random.normal(KEY, (2,), int), ValueError, "floating or complex dtype, got int32"),
        (lambda: random.exponential(KEY, (2,), "complex64"), ValueError, "floating dtype, got complex64"),
        (lambda: random.gumbel(KEY, mode="medium"), ValueError, "'medium'"),
        (lambda: random.bernoulli(KEY, 0.5, mode="x"), ValueError, "'low' or 'high', got 'x'"),
        (lambda: random.bernoulli(KEY, 1), TypeError, "p must be floating, got i32"),
        (lambda: random.bernoulli(KEY, PARAMETER, ()), ValueError, r"p: \(3,\)"),
        (lambda: random.rademacher(KEY, (), "uint8"), ValueError, "signed dtype, got uint8"),
        (lambda: random.rademacher(KEY, (), bool), ValueError, "got bool"),
        (lambda: random.geometric(KEY, 0.5, (), float), ValueError, "integer dtype"),
        (lambda: random.maxwell(KEY, "ab"), TypeError, "sequence of ints"),
        (lambda: random.wald(3, 1.0), TypeError, r"fungrad.random.wald: key .*random.key\(3\)"),
        (lambda: random.weibull_min(KEY, jnp.ones(2), jnp.ones(3)), ValueError, "do not broadcast"),
        (lambda: random.double_sided_maxwell(KEY, jnp.ones(2), jnp.ones(3)), ValueError, "do not broadcast"),
        (lambda: random.lognormal(KEY, [1.0]), TypeError, "sigma must be an array"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- parity -----------------------------------------------------------------------------------------------------------

TOLERANCE = {"float16": 4e-3, "bfloat16": 4e-2, "float32": 4e-6, "float64": 1e-12, "complex64": 4e-6}


def assert_close(ours, theirs):
    a, b = np.asarray(ours), np.asarray(theirs)
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    rtol = TOLERANCE[a.dtype.name]
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    np.testing.assert_allclose(a.astype(wide), b.astype(wide), rtol=rtol, atol=rtol)


@pytest.fixture
def jax():
    return pytest.importorskip("jax")


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ["normal", "exponential", "gumbel", "laplace", "logistic", "cauchy", "maxwell"])
def test_numbers_are_those_of_jax(jax, name, dtype):
    with jax.enable_x64(True):
        for shape in ((), (50, 3), (0,)):
            theirs = getattr(jax.random, name)(jax.random.key(42), shape, dtype)
            assert_close(getattr(random, name)(random.key(42), shape, dtype), theirs)


@pytest.mark.parity
@pytest.mark.parametrize("name, parameters", PARAMETRIC, ids=[n for n, _ in PARAMETRIC])
def test_numbers_with_parameters_are_those_of_jax(jax, name, parameters):
    for shape in ((3,), (20, 3)):
        ours = getattr(random, name)(random.key(7), *parameters, shape=shape)
        theirs = getattr(jax.random, name)(jax.random.key(7), *parameters, shape=shape)
        if name == "wald":
            # The smaller root of a quadratic equation, with cancellation.
            np.testing.assert_allclose(ours, theirs, rtol=1e-4)
        else:
            assert_close(ours, theirs)


@pytest.mark.parity
def test_other_numbers_are_those_of_jax(jax):
    key, theirs = random.key(7), jax.random.key(7)
    shape = (40, 3)
    assert_close(random.normal(key, shape, "complex64"), jax.random.normal(theirs, shape, "complex64"))
    assert_close(random.gumbel(key, shape, mode="high"), jax.random.gumbel(theirs, shape, mode="high"))
    assert_close(
        random.double_sided_maxwell(key, PARAMETER, 2.0, (2,)),
        jax.random.double_sided_maxwell(theirs, PARAMETER, 2.0, (2,)),
    )
    for mode in ("low", "high"):
        np.testing.assert_array_equal(
            random.bernoulli(key, PARAMETER / 3, shape, mode), jax.random.bernoulli(theirs, PARAMETER / 3, shape, mode)
        )
    for dtype in (None, "int8", "float32", "complex64"):
        ours = random.rademacher(key, shape, dtype)
        assert ours.dtype == jax.random.rademacher(theirs, shape, dtype).dtype
        np.testing.assert_array_equal(ours, jax.random.rademacher(theirs, shape, dtype))
    for dtype in (None, "int16"):
        ours = random.geometric(key, PARAMETER / 3, shape, dtype)
        np.testing.assert_array_equal(ours, jax.random.geometric(theirs, PARAMETER / 3, shape, dtype))
    with jax.enable_x64(True), fungrad.enable_x64():
        np.testing.assert_array_equal(
            random.geometric(key, 0.2, shape), np.asarray(jax.random.geometric(theirs, 0.2, shape))
        )
        assert_close(random.normal(key, shape), jax.random.normal(theirs, shape))
