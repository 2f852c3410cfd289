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


def swapped(i, x):
    return x.at[i].set(x[-1 - i]).at[-1 - i].set(x[i])


RUNTIME = {
    "next": lambda i, x: x.at[i + 1].set(x[i] * 0.5 + 1),
    "pointer": lambda i, x: x.at[i].set(x[jnp.abs(x[i]).astype(int) % 7]),
    "slice": lambda i, x: lax.dynamic_update_slice(x, lax.dynamic_slice(x, (i,), (3,)) * 2, (i + 1,)),
    "gather": lambda i, x: x.at[jnp.arange(3) * 2 + i].add(x[i + jnp.arange(3)]),
    "swap": swapped,
    "choice": lambda i, x: lax.cond(x[i] > x[i + 1], lambda x: x.at[i].set(x[i + 1]), lambda x: x, x),
    "choice of swaps": lambda i, x: lax.cond(x[i] > 0, lambda x: swapped(i, x), lambda x: x.at[i].add(1), x),
    "switch": lambda i, x: lax.switch(i % 3, [lambda x: x.at[i].set(x[0]), lambda x: x, lambda x: swapped(i, x)], x),
    "inner loop": lambda i, x: lax.fori_loop(1, 5, lambda j, x: x.at[i + j].set(x[i + j - 1] * 0.5 + x[j]), x),
    "inner choice": lambda i, x: lax.fori_loop(
        0, 2, lambda j, x: lax.cond(x[i] > 0, lambda x: x.at[i + j].set(x[j]), lambda x: x.at[0].set(x[i]), x), x
    ),
}


@pytest.mark.parametrize("name", RUNTIME)
@pytest.mark.parametrize("loop", ["fori", "while", "scan"])
def test_places_known_at_run_time(name, loop):
    step, n = RUNTIME[name], 5003

    def f(x):
        if loop == "fori":
            return lax.fori_loop(0, 7, step, x)
        if loop == "while":
            return lax.while_loop(lambda s: s[0] < 7, lambda s: (s[0] + 1, step(*s)), (jnp.int32(0), x))[1]
        return lax.scan(lambda x, i: (step(i, x), x[i]), x, jnp.arange(7))

    x = jnp.asarray(np.random.default_rng(0).normal(size=n) * 3)
    with fungrad.disable_jit():
        wanted = fungrad.tree.leaves(f(x))
    for a, b in zip(fungrad.tree.leaves(fungrad.jit(f)(x)), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    text = fungrad.jit(f).lower(x).as_text("steps")
    inside = text.split("while", 1)[1] if loop == "while" else text.split("in 0..7", 1)[1]
    assert f"0..{n}" not in inside and "= copy out" not in inside, inside


def test_both_branches_need_what_they_overwrite():
    """The old array is read after the choice, so its new version has memory of its own."""

    def step(i, c):
        x, s = c
        new = lax.cond(x[i] > 0, lambda x: x.at[i].set(-5.0), lambda x: x.at[0].add(1.0), x)
        return new, s + jnp.dot(x, x) - new[0]

    x = jnp.asarray(np.random.default_rng(0).normal(size=40))
    with fungrad.disable_jit():
        wanted = lax.fori_loop(0, 6, step, (x, 0.0))
    got = fungrad.jit(lambda x: lax.fori_loop(0, 6, step, (x, 0.0)))(x)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("loop", ["fori", "while"])
def test_old_values_after_a_copy_that_changes_nothing(loop):
    """An inner loop carries an array along unchanged; what is read afterwards is the old array, not that copy."""

    def step(i, c):
        x, y = c
        same, s = lax.fori_loop(0, 3, lambda j, c: (c[0], c[1] + c[0][(i + j) % 40]), (x, 0.0))
        return same.at[i].add(s), y.at[i, :].add(x[i])

    def f(x, y):
        if loop == "fori":
            return lax.fori_loop(0, 3, step, (x, y))
        return lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, step(*s)), (jnp.int32(0), (x, y)))[1]

    x = np.arange(40.0, dtype="float32") + 1
    x_wanted, y_wanted = x.copy(), np.zeros((40, 5), "float32")
    for i in range(3):
        y_wanted[i] += x_wanted[i]
        x_wanted[i] += x_wanted[i : i + 3].sum()
    got = fungrad.jit(f)(jnp.asarray(x), jnp.zeros((40, 5)))
    np.testing.assert_allclose(got[0], x_wanted)
    np.testing.assert_allclose(got[1], y_wanted)


def test_stacked_results_of_one_step_keep_their_memory():
    def f(x):
        def step(c, _):
            y = c + 1
            return y.at[0].set(5.0), y

        return lax.scan(step, x, None, length=1)

    x = jnp.arange(20.0)
    carry, ys = fungrad.jit(f)(x)
    np.testing.assert_array_equal(ys[0], x + 1)
    np.testing.assert_array_equal(carry, (x + 1).at[0].set(5.0))
