"""Loops that run in order, split into blocks: the same results as element by element."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp

METHODS = ["set", "add", "multiply", "min", "max"]


def update(method, mode):
    def f(x, values, indices):
        return getattr(x.at[indices], method)(jnp.sin(values) * 0.5 + values, mode=mode)

    return f


@pytest.mark.parametrize("n", [63, 64, 500, 512, 769, 100_003])
@pytest.mark.parametrize("method", METHODS)
def test_scatter_in_blocks(method, n):
    rng = np.random.default_rng(n)
    x = rng.normal(size=50).astype("f") + 2
    # few repeats, so that products stay finite and sums do not depend on the order too much
    values, indices = rng.normal(size=n).astype("f") * 0.1, rng.integers(-60, 60, n).astype("i4")
    f = update(method, "drop")
    got, wanted = fungrad.jit(f)(x, values, indices), f(*map(jnp.asarray, (x, values, indices)))
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-6 * n)


def test_only_what_pays_goes_through_memory():
    f = fungrad.jit(lambda x, v, i: (x.at[i].add(jnp.exp(v)), x.at[i].set(v, mode="promise_in_bounds")))
    x, v, i = np.zeros(10, "f"), np.zeros(1000, "f"), np.zeros(1000, "i4")
    text = f.lower(x, v, i).as_text("steps")
    assert ".block" in text
    total, last = f(x, v, i)
    assert total[0] == 1000 and not np.any(total[1:]) and not np.any(last)


def test_what_reads_the_stored_array_stays_in_order():
    """A running maximum that is read by the next step."""

    def f(x, indices):
        def step(x, i):
            return x.at[i].set(jnp.exp(x[i - 1]) * 0.3), None

        return fungrad.lax.scan(step, x, indices)[0]

    x, indices = np.linspace(0, 1, 300).astype("f"), np.arange(1, 300, dtype="i4")
    expected = list(x)
    for i in indices:
        expected[i] = np.float32(np.exp(expected[i - 1]) * np.float32(0.3))
    np.testing.assert_allclose(fungrad.jit(f)(x, indices), expected, rtol=1e-5)
