"""Carries of loops that are updated in part: in place, and never visible outside."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax


def update_twice(x, v):
    x = x.at[1:3].add(v * 2.0)
    return x.at[0].set(v[0]), x[2]


def read_after(x, v):
    y = x.at[1:3].add(v * 2.0)
    return y, x[1] + y[1]


def shifted(x, v):
    return x.at[1:].set(x[:-1] + v[0]), x[0]


STEPS = [update_twice, read_after, shifted]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("transform", ["", "grad", "vmap"])
def test_values(step, transform):
    def f(x, v):
        return lax.scan(step, x, v)

    if transform == "grad":
        g, f = f, fungrad.grad(lambda x, v: jnp.sum(jnp.sin(g(x, v)[0])), argnums=(0, 1))
    elif transform == "vmap":
        f = fungrad.vmap(f, in_axes=(None, 2))
    v = jnp.arange(24.0).reshape(4, 2, 3) / 10
    x, v = jnp.arange(5.0), v if transform == "vmap" else v[:, :, 0]
    got = fungrad.jit(f)(x, v)
    with fungrad.disable_jit():
        wanted = f(x, v)
    for a, b in zip(fungrad.tree.leaves(got), fungrad.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(x, np.arange(5.0))


def loop_of(step, n):
    """What a scan does in its loop, for a carry of ``n`` elements."""
    x, v = jnp.zeros(n), jnp.zeros((4, 2))
    text = fungrad.jit(lambda x, v: lax.scan(step, x, v)).lower(x, v).as_text("steps")
    return text.split("in 0..4", 1)[1]


@pytest.mark.parametrize("step", [update_twice, read_after])
@pytest.mark.parametrize("n", [50, 5000])
def test_nothing_is_copied_in_the_loop(n, step):
    loop = loop_of(step, n)
    assert f"0..{n}" not in loop and "= copy out" not in loop and "= copy in" not in loop


def test_what_is_still_needed_is_copied():
    assert "0..5000" in loop_of(shifted, 5000)


@pytest.mark.parametrize("n", [2, 3, 8, 9])
@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize(
    "moved",
    [
        lambda c: jnp.concatenate([c[1:], c[:1]]),
        lambda c: jnp.pad(c[1:], (0, 1)),
        lambda c: jnp.roll(c, 1),
        lambda c: jnp.concatenate([c[:1], c[-1:]]),
    ],
    ids=["concatenate", "pad", "roll", "part"],
)
def test_small_carries_from_parts_of_themselves(moved, n, steps):
    """Joined and padded arrays are read under conditions, at addresses that would be outside where they do not hold."""

    def f(x):
        return lax.fori_loop(0, steps, lambda i, c: lax.dynamic_update_slice(c, moved(c), (0,)), x)

    x = jnp.arange(float(n))
    with fungrad.disable_jit():
        wanted = f(x)
    np.testing.assert_array_equal(fungrad.jit(f)(x), wanted)


def test_gradient_of_rows_from_rows_before():
    def f(h, w):
        h = lax.fori_loop(1, 4, lambda i, h: h.at[i].set(jnp.tanh(jnp.roll(h[i - 1], 1) * w)), h)
        return jnp.sum(h * h)

    args = jnp.linspace(-1, 1, 12).reshape(4, 3), jnp.arange(3.0)
    with fungrad.disable_jit():
        wanted = fungrad.grad(f, (0, 1))(*args)
    for a, b in zip(fungrad.jit(fungrad.grad(f, (0, 1)))(*args), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
