"""Iterations on whole arrays as loops over elements: the same results, and only where elements are independent."""

from __future__ import annotations

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

X = np.random.default_rng(0).uniform(0.5, 2, (7, 33)).astype(np.float32)
SLICES = np.random.default_rng(1).normal(size=(9, 7, 33)).astype(np.float32)


def mandelbrot(x):
    c = x - 1.5 + 0.3j

    def step(_, state):
        z, n = state
        z = z * z + c
        return z, n + (jnp.abs(z) < 2)

    return lax.fori_loop(0, 12, step, (jnp.zeros_like(c), jnp.zeros(c.shape, jnp.int32)))[1]


INDEPENDENT = {
    "newton": lambda x: lax.fori_loop(0, 6, lambda _, y: 0.5 * (y + x / y), x),
    "counter": lambda x: lax.fori_loop(0, 9, lambda i, y: y * 0.5 + i, x),
    "slices": lambda x: lax.scan(lambda c, s: (c * 0.5 + s, None), x, SLICES)[0],
    "reversed": lambda x: lax.scan(lambda c, s: (c * 0.5 + s, None), x, SLICES, reverse=True)[0],
    "stacked": lambda x: lax.scan(lambda c, s: (c * 0.5 + s, c * s), x, SLICES),
    "trajectory": lambda x: lax.scan(lambda c, _: (c * (2 - c), c), x * 0.4, None, 9),
    "backward_trajectory": lambda x: lax.scan(lambda c, s: (c * 0.5 + s, (c, c + s)), x, SLICES, reverse=True),
    "two_carries": lambda x: lax.fori_loop(0, 8, lambda _, s: (s[1] * 0.9, s[0] + s[1]), (x, x + 1)),
    "rows": lambda x: lax.fori_loop(0, 8, lambda _, y: y * x[:, :1] + x[0], x),
    "mandelbrot": mandelbrot,
    "gradient": fungrad.grad(lambda x: jnp.sum(lax.fori_loop(0, 6, lambda _, y: jnp.sin(y) * x, x))),
    "one_step": lambda x: lax.fori_loop(0, 1, lambda _, y: y * 2, x),
    "nested": lambda x: lax.fori_loop(0, 3, lambda _, y: lax.fori_loop(0, 4, lambda _, z: z * 0.5 + x, y) + 1, x),
}
DEPENDENT = {
    "shifted": lambda x: lax.fori_loop(0, 6, lambda _, y: jnp.roll(y, 1, 1) * 0.5 + x, x),
    "transposed": lambda x: lax.fori_loop(0, 6, lambda _, y: y.T * 0.5 + y, x[:, :7]),
    "reduced": lambda x: lax.fori_loop(0, 6, lambda _, y: y / jnp.sum(y), x),
    "one_element": lambda x: lax.fori_loop(0, 6, lambda i, y: y.at[i, 2].multiply(2.0) + y[0, 0], x),
    "few": lambda x: lax.fori_loop(0, 6, lambda _, y: y * 0.5 + 1, x[0, :3]),
}


def steps(f):
    return fungrad.jit(f).lower(X).as_text("steps")


def eager(f, x):
    with fungrad.disable_jit():
        return f(jnp.asarray(x))


@pytest.mark.parametrize("name", [*INDEPENDENT, *DEPENDENT])
def test_values(name):
    f = {**INDEPENDENT, **DEPENDENT}[name]
    got, expected = (fungrad.tree.leaves(v) for v in (fungrad.jit(f)(X), eager(f, X)))
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["newton", "counter", "slices", "reversed", "trajectory", "two_carries", "rows", "mandelbrot"]
)
def test_independent_elements_do_all_their_steps_at_once(name):
    text = steps(INDEPENDENT[name])
    assert "repeat" not in text and " ordered" in text and "var " in text


@pytest.mark.parametrize("name", ["shifted", "transposed", "reduced"])
def test_elements_that_need_each_other_go_step_by_step(name):
    text = steps(DEPENDENT[name])
    assert "repeat" in text or "kept" not in text


def test_donated_arrays():
    f = fungrad.jit(INDEPENDENT["newton"], donate_argnums=0)
    x = jnp.asarray(X)
    np.testing.assert_allclose(np.asarray(f(x)), np.sqrt(X), rtol=1e-5)
