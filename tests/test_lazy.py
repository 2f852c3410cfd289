"""Expensive sides of choices, which compiled loops skip where nothing takes them."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

SIZES = [1, 3, 16, 17, 1000]
PATTERNS = {
    "none": lambda n: np.full(n, -1.0),
    "all": lambda n: np.full(n, 2.0),
    "some": lambda n: np.where(np.arange(n) % 37 < 5, 2.0, 0.5),
    "mixed": lambda n: np.random.default_rng(n).normal(size=n) * 2,
}


def heavy(x):
    inner = jnp.exp(jnp.sin(jnp.tanh(jnp.log1p(jnp.exp(-x * x)) * 3) + jnp.cos(x)) ** 2)
    return inner * jnp.log(1 + jnp.abs(jnp.sin(7 * x)))


def other(x):
    return jnp.exp(-jnp.tanh(x)) * jnp.sin(jnp.log1p(x * x)) * jnp.cos(jnp.exp(-x * x)) * jnp.atan(jnp.cosh(jnp.sin(x)))


FUNCTIONS = {
    "one side": lambda x: lax.cond(x > 1.5, heavy, lambda x: x * 2, x),
    "other side": lambda x: lax.cond(x > 1.5, lambda x: x * 2, heavy, x),
    "both sides": lambda x: lax.cond(x > 1.5, heavy, other, x),
    "nested": lambda x: lax.cond(x > 0, lambda x: lax.cond(x > 1.5, heavy, other, x), lambda x: -x, x),
    "shared": lambda x: jnp.where(x > 1.5, heavy(x), x) + jnp.tanh(jnp.log1p(jnp.exp(-x * x)) * 3),
    "switch": lambda x: lax.switch(jnp.asarray(x, int) + 1, [heavy, other, lambda x: x * 2, lambda x: heavy(-x)], x),
    "reduced": lambda x: lax.cond(x > 1.5, heavy, lambda x: x * 2, x),
}


def mapped(name):
    f = fungrad.vmap(FUNCTIONS[name])
    return (lambda x: jnp.sum(f(x))) if name == "reduced" else f


def branches(f, x):
    return fungrad.jit(f).lower(x).as_text("llvm").count("\nthen")


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(name, dtype):
    f = mapped(name)
    compiled = fungrad.jit(f)
    for n in SIZES:
        for pattern in PATTERNS.values():
            x = jnp.asarray(pattern(n), dtype=dtype)
            with fungrad.disable_jit():
                wanted = f(x)
            tolerance = 1e-4 if name == "reduced" else 2e-5
            np.testing.assert_allclose(compiled(x), wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["one side", "both sides", "nested"])
def test_gradients(name):
    g = fungrad.vmap(fungrad.grad(FUNCTIONS[name]))
    for n in (17, 1000):
        x = jnp.asarray(PATTERNS["mixed"](n), dtype="float32")
        with fungrad.disable_jit():
            wanted = g(x)
        np.testing.assert_allclose(fungrad.jit(g)(x), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["one side", "other side", "both sides", "nested", "switch", "reduced"])
def test_expensive_sides_are_in_branches(name):
    assert branches(mapped(name), jnp.ones(1000)) > 0


def test_cheap_sides_are_not():
    assert branches(lambda x: jnp.where(x > 0, jnp.sin(x) * 2, x), jnp.ones(1000)) == 0


def test_what_others_read_is_computed_in_any_case():
    """A value that does not lead to the choice alone has the result it would have had."""

    def f(x):
        y = heavy(x)
        return jnp.where(x > 1.5, y, 0.0), y

    x = jnp.asarray(PATTERNS["none"](100), dtype="float32")
    chosen, y = fungrad.jit(f)(x)
    np.testing.assert_allclose(y, heavy(x), rtol=1e-5)
    assert not np.any(np.asarray(chosen))


def test_what_a_loop_reads_is_not_moved_into_a_branch():
    """An expensive value that does not change in a mapped while loop is computed before it, and read inside."""

    def one(p, x):
        def body(s):
            a = p
            for _ in range(8):
                a = jnp.sin(jnp.exp(a))
            return 0.5 * s * a + 0.01 * jnp.where(p > 0, a, p)

        return lax.while_loop(lambda x: x > 0.2, body, x)

    args = jnp.linspace(-1, 1, 64), jnp.linspace(0.1, 5, 64)
    got = fungrad.jit(fungrad.vmap(one))(*args)
    with fungrad.disable_jit():
        wanted = fungrad.vmap(one)(*args)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
