"""Errors of long sums, products and running results do not grow with the number of terms."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

LENGTHS = [1000, 100_003, pytest.param(1_000_000, marks=pytest.mark.slow), pytest.param(10**7, marks=pytest.mark.slow)]
KINDS = {
    "tenths": lambda shape: np.full(shape, 0.1, np.float32),
    "uniform": lambda shape: np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32),
}
SUMS = {
    "all": (lambda x: jnp.sum(x), lambda x: x.sum(), lambda n: (n,)),
    "mean of squares": (lambda x: jnp.mean(x * x), lambda x: (x * x).mean(), lambda n: (n,)),
    "variance": (lambda x: jnp.var(x * jnp.arange(x.size) / x.size), None, lambda n: (n,)),
    "down 3": (lambda x: jnp.sum(x, 0), lambda x: x.sum(0), lambda n: (n // 3, 3)),
    "down 5": (lambda x: jnp.sum(x, 0), lambda x: x.sum(0), lambda n: (n // 5, 5)),
    "down 100": (lambda x: jnp.sum(x, 0), lambda x: x.sum(0), lambda n: (n // 100, 100)),
    "along": (lambda x: jnp.sum(x, 1), lambda x: x.sum(1), lambda n: (5, n // 5)),
    "middle": (lambda x: jnp.sum(x, 1), lambda x: x.sum(1), lambda n: (3, n // 21, 7)),
    "first and last": (lambda x: jnp.sum(x, (0, 2)), lambda x: x.sum((0, 2)), lambda n: (n // 35, 5, 7)),
    "turned": (lambda x: jnp.sum(x.T * 2, 1), lambda x: x.sum(0) * 2, lambda n: (n // 20, 20)),
    "running": (lambda x: jnp.cumsum(x), lambda x: x.cumsum(), lambda n: (n,)),
    "running back": (lambda x: lax.cumsum(x, 0, True), lambda x: x[::-1].cumsum()[::-1], lambda n: (n,)),
    "running down": (lambda x: jnp.cumsum(x, 0), lambda x: x.cumsum(0), lambda n: (n // 3, 3)),
    "running along": (lambda x: jnp.cumsum(x, 1), lambda x: x.cumsum(1), lambda n: (3, n // 3)),
    "running logsumexp": (lambda x: lax.cumlogsumexp(x), lambda x: np.logaddexp.accumulate(x), lambda n: (n,)),
    "product": (lambda x: jnp.prod(1 + x / 8192), lambda x: np.prod(1 + x / 8192), lambda n: (min(n, 100_003),)),
    "running product": (
        lambda x: jnp.cumprod(1 + x / 8192),
        lambda x: np.cumprod(1 + x / 8192),
        lambda n: (min(n, 100_003),),
    ),
}


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SUMS)
def test_sums(name, kind, n):
    function, reference, shape = SUMS[name]
    x = KINDS[kind](shape(n))
    if "product" in name:
        x = np.round(x * 16) / 16  # so that the factors are the same in all precisions
    if reference is None:
        scaled = np.float32(x) * np.arange(x.size, dtype=np.float32) / np.float32(x.size)
        expected = scaled.astype(np.float64).var()
    else:
        expected = reference(x.astype(np.float64))
    found = [np.asarray(function(jnp.asarray(x)))]
    for threads in (1, 2):
        with fungrad.threads(threads):
            found.append(np.asarray(fungrad.jit(function)(jnp.asarray(x))))
    assert found[1].tobytes() == found[2].tobytes()
    for y in found:
        np.testing.assert_allclose(y, expected, rtol=3e-6)


def test_segments_and_updates():
    n = 100_000
    ids = np.arange(n) % 5
    x = np.full(n, 0.1, np.float32)
    expected = np.bincount(ids, x.astype(np.float64))
    y = fungrad.jit(lambda x: jnp.zeros(5).at[ids].add(x))(x)
    np.testing.assert_allclose(y, expected, rtol=3e-6)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("run", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_products_are_not_regrouped(axis, run):
    x = np.float32([2.0**100, 2.0**-100] * 200)
    assert float(run(jnp.prod)(x)) == 1
    both = np.stack([x, x], 1 - axis)
    np.testing.assert_array_equal(run(lambda x: jnp.prod(x, axis))(both), [1, 1])
    np.testing.assert_allclose(run(jnp.cumprod)(x), np.tile(np.float32([2.0**100, 1]), 200))


@pytest.mark.parametrize("run", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_gradient_of_running_logsumexp(run):
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(300_000).astype(np.float32) for _ in range(2))
    found = run(fungrad.grad(lambda x: jnp.sum(lax.cumlogsumexp(x) * w)))(jnp.asarray(x))
    wide = x.astype(np.float64)
    y = np.logaddexp.accumulate(wide)
    expected = np.exp(wide) * np.cumsum((w * np.exp(-y))[::-1])[::-1]
    np.testing.assert_allclose(found, expected, atol=2e-6)
