"""Carried arrays that change places with their new values instead of being copied."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax


def smooth(x):
    return 0.5 * (jnp.roll(x, 1) + jnp.roll(x, -1)) + x[0]


def both(x, y):
    return smooth(y), smooth(x) + y


LOOPS = {
    "fori": lambda n: lambda x, y: lax.fori_loop(0, n, lambda i, c: both(*c), (x, y)),
    "while": lambda n: lambda x, y: lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, *both(*c[1:])), (0, x, y)),
    "scan": lambda n: lambda x, y: lax.scan(lambda c, _: (both(*c), c[0][3]), (x, y), None, length=n),
    "nested": lambda n: lambda x, y: lax.fori_loop(
        0, 3, lambda i, c: lax.fori_loop(0, n, lambda j, c: both(*c), (c[1] * 0.5, c[0])), (x, y)
    ),
    "shared": lambda n: lambda x, y: lax.fori_loop(0, n, lambda i, c: (smooth(c[0]), c[0]), (x, y)),
}


def plain(f, *args):
    with fungrad.disable_jit():
        return f(*args)


@pytest.mark.parametrize("steps", [2, 3, 8])
@pytest.mark.parametrize("name", LOOPS)
def test_even_and_odd_numbers_of_steps(name, steps):
    f = LOOPS[name](steps)
    x, y = jnp.sin(jnp.arange(600.0)), jnp.cos(jnp.arange(600.0))
    compiled = fungrad.jit(f)
    for _ in range(2):
        for got, wanted in zip(fungrad.tree.leaves(compiled(x, y)), fungrad.tree.leaves(plain(f, x, y)), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(x, jnp.sin(jnp.arange(600.0)))


def test_nothing_is_copied_but_at_the_end():
    text = fungrad.jit(LOOPS["fori"](5)).lower(jnp.ones(600), jnp.ones(600)).as_text("llvm")
    run = text.split("define internal i32 @run")[1].split("\n}")[0]
    loop, after = run.split("\nrepeat")[1].split("\ndone")
    assert "memmove" not in loop and "memcpy" not in loop and after.count("memcpy") == 2


def test_gradient_and_batches():
    f = LOOPS["scan"](5)
    x, y = jnp.sin(jnp.arange(600.0)), jnp.cos(jnp.arange(600.0))
    g = fungrad.grad(lambda x, y: jnp.sum(f(x, y)[0][0] ** 2), argnums=(0, 1))
    for got, wanted in zip(fungrad.jit(g)(x, y), plain(g, x, y), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
    h = fungrad.vmap(LOOPS["while"](3))
    xs, ys = x.reshape(2, 300), y.reshape(2, 300)
    for got, wanted in zip(fungrad.jit(h)(xs, ys), plain(h, xs, ys), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_python_sees_the_array_where_it_is():
    seen = []

    def f(x):
        def step(i, x):
            fungrad.debug.callback(lambda x: seen.append(np.array(x)), x)
            return smooth(x)

        return lax.fori_loop(0, 5, step, x)

    x = jnp.sin(jnp.arange(600.0))
    fungrad.jit(f)(x)
    wanted = x
    for got in seen:
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
        wanted = smooth(wanted)
    assert len(seen) == 5
