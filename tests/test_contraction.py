"""Sums of products that become matrix products under jit."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.jit.front.program import compile_jaxpr
from fungrad.jit.ir import loops
from fungrad.jit.ir.traverse import walk

RNG = np.random.default_rng(0)


def normal(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def products(f, *args):
    """How many products the program has; its results are those of NumPy's long way."""
    program = compile_jaxpr(fungrad.make_jaxpr(f)(*args))
    for got, want in zip(program.run(args), fungrad.tree.leaves(f(*map(jnp.asarray, args))), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(want).max(initial=0))))
    return sum(type(s) is loops.Call and s.routine == "gemm" for s in walk(program.program.steps))


def test_mean_of_weighted_outer_products():
    def f(x, y, n):
        return jnp.mean(x[:, :, None] * y[:, None, :] / n[:, None, None], axis=0)

    assert products(f, normal(40, 30), normal(40, 20), np.abs(normal(40)) + 1) == 1


def test_gradients_of_examples():
    def loss(w, x):
        return jnp.sum(jnp.tanh(x @ w) ** 2)

    def f(w, xs):
        return jnp.sum(fungrad.vmap(fungrad.grad(loss), in_axes=(None, 0))(w, xs[:, None]), axis=0)

    assert products(f, normal(24, 32), normal(50, 24)) == 2


@pytest.mark.parametrize(
    "x,y,axes",
    [
        ((30, 1, 40), (1, 20, 40), (2,)),
        ((1, 30, 40), (20, 1, 40), (2,)),
        ((40, 30, 1), (40, 1, 20), (0,)),
        ((5, 30, 8, 1), (5, 1, 8, 20), (0, 2)),
        ((1, 30, 40, 1, 6), (1, 1, 40, 20, 1), (2,)),
        ((6, 1, 40, 30), (1, 20, 40, 1), (2,)),
    ],
)
def test_dimensions_in_any_order(x, y, axes):
    assert products(lambda x, y: jnp.sum(x * y, axis=axes), normal(*x), normal(*y)) == 1


def test_parts_and_reversals_of_operands():
    def f(x, y):
        return jnp.sum(x[::-1, 3:33, None] * (-2.0 * y[1:, None, ::2]), axis=0)

    assert products(f, normal(40, 40), normal(41, 40)) == 1


def test_double_precision():
    with fungrad.enable_x64(True):
        assert products(lambda x, y: jnp.sum(x[:, :, None] * y[:, None], 0), normal(40, 30), normal(40, 20)) == 1


@pytest.mark.parametrize(
    "f,shapes",
    [
        (lambda x, y: jnp.sum(x[:, :, None] * y[:, None, :] * y[:, :20, None], axis=0), [(40, 20), (40, 20)]),
        (lambda x, y: jnp.sum(x[:, :, None] * y[None, :, :], axis=0), [(40, 20), (20, 20)]),
        (lambda x, y: jnp.sum(x[:, :, None] + y[:, None, :], axis=0), [(40, 20), (40, 20)]),
        (lambda x, y: jnp.max(x[:, :, None] * y[:, None, :], axis=0), [(40, 20), (40, 20)]),
        (lambda x, y: jnp.sum((x[:, :, None] * y[:, None, :]) ** 2, axis=0), [(40, 20), (40, 20)]),
        (lambda x, y: jnp.sum(x[:, :, None] * y[:, None, :], axis=0), [(3, 20), (3, 20)]),
        (lambda x, y: jnp.sum(x[:, None, :] * y[:, None, :], axis=0), [(40, 20), (40, 20)]),
        (lambda x, y: jnp.sum(x * y), [(40, 20), (40, 20)]),
        (lambda x, y: jnp.sum(x[:, :, None, None] * y[:, None, :, None] * x[:, None, None, :], 0), [(9, 8), (9, 8)]),
    ],
)
def test_other_sums_stay_loops(f, shapes):
    assert products(f, *[normal(*s) for s in shapes]) == 0


def test_special_values():
    x, y = normal(40, 30), normal(40, 20)
    x[3, 4], y[5, 6], y[7, 8] = np.nan, np.inf, -np.inf
    got = fungrad.jit(lambda x, y: jnp.sum(x[:, :, None] * y[:, None, :], axis=0))(x, y)
    want = (x[:, :, None] * y[:, None, :]).sum(0)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
