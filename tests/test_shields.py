"""Derivatives of mapped branches and loops, where examples that do not take them would give infinities.

What an example does not run must leave no trace in a derivative: the reference runs the examples one by one, where only
the branch that is taken is differentiated.
"""

import functools

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn

# Rows at which the branch that is not taken has infinite derivatives, and others.
ROWS = jnp.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [1.0, 0.5]])
WEIGHTS = jnp.array([0.5, 2.0])


def length(v):
    return jnp.sqrt(jnp.sum(v**2))


def scanned(w, v):
    step = lambda c, x: (c + w[0] * jnp.log(x) * c + w[1], c * w)  # noqa: E731
    last, steps = lax.scan(step, length(v), v)
    return last + steps.sum()


def looped(w, v):
    return lax.while_loop(lambda c: c < 5.0, lambda c: c + 1.0 + w[0] * c / length(v), jnp.log(v[0]), max_steps=6)


# Functions of weights that all examples share and of a row that is singular where it is zero.
SINGULAR = {
    "of the row alone": lambda w, v: length(v),
    "product": lambda w, v: (w * jnp.log(v[:1])).sum(),
    "product with a length": lambda w, v: w[0] * length(v) * w[1],
    "matrix product": lambda w, v: jnp.dot(w, jnp.log(v[:1]) * v),
    "sum": lambda w, v: jnp.sqrt(w * 0 + v[0]).sum(),
    "quotient": lambda w, v: (w / v[0]).sum(),
    "divisor": lambda w, v: (v[0] / (w * v[0])).sum(),
    "power": lambda w, v: (v[0] ** (w - 1.5)).sum(),
    "row of a table": lambda w, v: jnp.take(w, jnp.int32(v[0] > 2)) / v[0],
    "dynamic row": lambda w, v: w[jnp.int32(v[0] > 2)] * jnp.log(v[0]),
    "written": lambda w, v: jnp.log(w.at[jnp.int32(v[0] > 2)].set(v[0])).sum(),
    "joined": lambda w, v: jnp.sqrt(jnp.concatenate([w * 0, v])[2]) + jnp.concatenate([w, v]).sum(),
    "chosen": lambda w, v: jnp.where(v > 1, w, jnp.log(v)[0]).sum(),
    "largest": lambda w, v: jnp.maximum(w, jnp.log(v[0])).sum() / length(v),
    "activation": lambda w, v: nn.softplus(w * jnp.log(v[0])).sum() + nn.silu(1 / v[0] + w).sum(),
    "jit": lambda w, v: fungrad.jit(lambda w, v: (w / v[0]).sum() * length(v))(w, v),
    "checkpoint": lambda w, v: fungrad.checkpoint(lambda w, v: (w / v[0]).sum() * length(v))(w, v),
    "scan": scanned,
    "loop": looped,
    "branch": lambda w, v: lax.cond(w[0] > 0, lambda w, v: (w / v[0]).sum(), lambda w, v: w.sum(), w, v),
    "mapped branch": lambda w, v: lax.cond(v[0] >= 0, lambda w, v: (w / v[0]).sum(), lambda w, v: w.sum(), w, v),
    "solution": lambda w, v: lax.fori_loop(0, 3, lambda i, y: y - (y * y - w[0] * v[0]) / (2 * y), w[1] * length(v)),
}


def cond_operands(f, w, v):
    return lax.cond(v[0] > 0, f, lambda w, v: (w * v).sum() + w[0], w, v)


def cond_captures(f, w, v):
    return lax.cond(v[0] > 0, lambda: f(w, v), lambda: (w * v).sum() + w[0])


def switch(f, w, v):
    branches = [lambda w, v: v.sum(), lambda w, v: w[0] + v[0], f]
    return lax.switch(jnp.int32(v[0] > 0) * 2, branches, w, v)


def in_scan(f, w, v):
    return lax.scan(lambda c, k: (c + cond_operands(f, w * k, v), None), 0.0, jnp.array([1.0, 0.5]))[0]


def in_jit(f, w, v):
    return fungrad.jit(functools.partial(cond_operands, f))(w, v)


def in_checkpoint(f, w, v):
    return fungrad.checkpoint(functools.partial(cond_operands, f))(w, v)


def loop(f, w, v):
    """Steps run for examples that are done, here those that never begin."""
    go_on = lambda s: (s[0] < 2) & (v[0] > 0)  # noqa: E731
    body = lambda s: (s[0] + 1, s[1] + f(w, v) * 0.5)  # noqa: E731
    return lax.while_loop(go_on, body, (0, v.sum()), max_steps=2)[1]


CHOICES = [cond_operands, cond_captures, switch, in_scan, in_jit, in_checkpoint, loop]


def one_by_one(f, w, rows):
    return sum(f(w, v) for v in rows)


def close(got, wanted):
    for g, r in zip(fungrad.tree.leaves(got), fungrad.tree.leaves(wanted), strict=True):
        assert np.isfinite(r).all()
        np.testing.assert_allclose(g, r, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("choose", CHOICES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", SINGULAR)
def test_examples_leave_no_trace_of_what_they_do_not_take(name, choose):
    f = functools.partial(choose, SINGULAR[name])
    total = lambda w, rows: fungrad.vmap(f, (None, 0))(w, rows).sum()  # noqa: E731
    gradient = fungrad.grad(total, (0, 1))
    for rows in (ROWS, ROWS[::2]):  # some examples take the branch, or none does
        reference = fungrad.grad(functools.partial(one_by_one, f), (0, 1))(WEIGHTS, rows)
        close(gradient(WEIGHTS, rows), reference)
        close(fungrad.jit(gradient)(WEIGHTS, rows), reference)
    each = fungrad.vmap(fungrad.grad(f, (0, 1)), (None, 0))(WEIGHTS, ROWS)
    close((each[0].sum(0), each[1]), fungrad.grad(functools.partial(one_by_one, f), (0, 1))(WEIGHTS, ROWS))
    close(total(WEIGHTS, ROWS), one_by_one(f, WEIGHTS, ROWS))


@pytest.mark.parametrize("choose", [cond_operands, cond_captures, switch, in_scan, loop], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["of the row alone", "product", "quotient", "power", "dynamic row"])
def test_second_derivatives(choose, name):
    f = functools.partial(choose, SINGULAR[name])
    total = lambda w, rows: fungrad.vmap(f, (None, 0))(w, rows).sum()  # noqa: E731
    loss = functools.partial(one_by_one, f)
    for outer in (fungrad.jacrev, fungrad.jacfwd):
        for argnums in (0, 1):
            reference = outer(fungrad.grad(loss, argnums), argnums)(WEIGHTS, ROWS)
            close(outer(fungrad.grad(total, argnums), argnums)(WEIGHTS, ROWS), reference)
    close(fungrad.jacrev(fungrad.jacfwd(total))(WEIGHTS, ROWS), fungrad.hessian(loss)(WEIGHTS, ROWS))


def test_shared_operands_that_no_example_uses():
    f = lambda w, v: lax.cond(v > 0, lambda: jnp.sqrt(w) * v, lambda: w * v)  # noqa: E731
    gradient = fungrad.grad(lambda w, rows: fungrad.vmap(f, (None, 0))(w, rows).sum())
    assert float(gradient(0.0, jnp.array([-1.0, -2.0]))) == -3.0
    assert float(fungrad.jit(gradient)(0.0, jnp.array([-1.0, -2.0]))) == -3.0
    twice = fungrad.grad(
        lambda w, rows: fungrad.vmap(fungrad.vmap(f, (None, 0)), (0, 0))(w, rows).sum()
    )  # an outer batch of weights
    assert twice(jnp.array([0.0, 4.0]), jnp.array([[-1.0, -2.0], [1.0, -1.0]])).tolist() == [-3.0, -0.75]


def test_loops_of_unknown_length():
    def root(v):
        return lax.while_loop(lambda s: s[1] > 0.1, lambda s: (s[0] + jnp.sqrt(s[1]), s[1] * 0.5 - 0.05), (0.0, v))[0]

    v = jnp.array([0.0, 1.0, 0.5])
    close(fungrad.grad(lambda v: fungrad.vmap(root)(v).sum())(v), jnp.stack([fungrad.grad(root)(x) for x in v]))


def test_shared_matrices_are_not_copied_for_each_example():
    w = jnp.ones((8, 8))
    f = lambda w, v: lax.cond(v[0] > 0, lambda: jnp.tanh(w @ v), lambda: v)  # noqa: E731
    total = lambda w, rows: fungrad.vmap(f, (None, 0))(w, rows).sum()  # noqa: E731
    text = str(fungrad.make_jaxpr(fungrad.grad(total))(w, jnp.ones((64, 8))))
    assert "64,8,8" not in text
    looped = lambda w, v: lax.while_loop(lambda v: v.sum() < 9, lambda v: v + nn.relu(w @ v), v, max_steps=4)  # noqa: E731
    total = lambda w, rows: fungrad.vmap(looped, (None, 0))(w, rows).sum()  # noqa: E731
    assert "64,8,8" not in str(fungrad.make_jaxpr(fungrad.grad(total))(w, jnp.ones((64, 8))))


def test_programs_without_derivatives_have_no_shields():
    f = lambda v: lax.cond(v > 0, lambda v: jnp.sqrt(v) * 2, lambda v: v * 3, v)  # noqa: E731
    text = fungrad.jit(fungrad.vmap(f)).lower(jnp.ones(64)).as_text("steps")
    assert text.count("select") == 1
    shared = lambda w, v: lax.cond(v > 0, lambda: jnp.sqrt(v) * w[0] + w[1], lambda: w[0] / v)  # noqa: E731
    text = fungrad.jit(fungrad.vmap(shared, (None, 0))).lower(WEIGHTS, jnp.ones(64)).as_text("steps")
    assert text.count("select") == 1
