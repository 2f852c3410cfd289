"""Rules for ``vmap`` written by users."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.custom_batching import custom_vmap, sequential_vmap


@pytest.fixture
def f():
    """Ten times as large where it is mapped, and keeps what its rule was asked."""

    @custom_vmap
    def f(x, y):
        return jnp.sin(x) * y

    f.asked = []

    @f.def_vmap
    def rule(size, batched, x, y):
        f.asked.append((size, batched))
        return 10.0 * jnp.sin(x) * y, any(batched)

    return f


X = np.array([0.5, 1.0, 2.0], np.float32)
MAPPED = 10 * np.sin(X) * 2


def test_rule_is_used_in_all_nestings(f):
    def step(c, x):
        return c, fungrad.vmap(f, (0, None))(x, 2.0)

    both = fungrad.vmap(fungrad.vmap(f, (0, None)), (0, None))
    mapped = fungrad.vmap(f, (0, None))
    for g in (mapped, fungrad.jit(mapped), fungrad.vmap(fungrad.jit(f), (0, None))):
        np.testing.assert_allclose(g(X, 2.0), MAPPED, rtol=1e-6)
    np.testing.assert_allclose(lax.scan(step, 0, X[None])[1][0], MAPPED, rtol=1e-6)
    np.testing.assert_allclose(both(X[None], 2.0)[0], MAPPED, rtol=1e-6)
    assert f.asked[0] == (3, [True, False])
    np.testing.assert_allclose(f(x=X, y=2.0), MAPPED / 10, rtol=1e-6)


def test_derivatives(f):
    ones = np.ones_like(X)
    y, t = fungrad.jvp(fungrad.vmap(lambda x: f(x, 2.0)), (X,), (ones,))
    np.testing.assert_allclose(t, 20 * np.cos(X), rtol=1e-6)
    y, t = fungrad.vmap(lambda x: fungrad.jvp(lambda z: f(z, 2.0), (x,), (1.0,)))(X)
    np.testing.assert_allclose(y, MAPPED, rtol=1e-6)
    np.testing.assert_allclose(t, 20 * np.cos(X), rtol=1e-6)
    g = fungrad.grad(lambda x: fungrad.vmap(f, (0, None))(x, 2.0).sum())
    np.testing.assert_allclose(g(X), 20 * np.cos(X), rtol=1e-6)
    np.testing.assert_allclose(fungrad.jit(g)(X), 20 * np.cos(X), rtol=1e-6)
    # The result by the rule, the derivative of the function.
    y, t = fungrad.vmap(fungrad.value_and_grad(lambda x: f(x, 2.0)))(X)
    np.testing.assert_allclose(y, MAPPED, rtol=1e-6)
    np.testing.assert_allclose(t, 2 * np.cos(X), rtol=1e-6)


def test_rules_of_two_kinds():
    @fungrad.custom_vjp
    @custom_vmap
    def f(x):
        return x

    f.def_vmap(lambda size, batched, x: (x + 1, True))
    f.defvjp(lambda x: (f(x), None), lambda _, ct: (7 * ct,))
    assert fungrad.vmap(f)(X).tolist() == (X + 1).tolist()
    assert fungrad.grad(f)(2.0) == 7.0
    assert fungrad.vmap(fungrad.grad(f))(X).tolist() == [7.0] * 3


def test_sequential():
    seen = []

    @sequential_vmap
    def f(tree, y):
        fungrad.debug.callback(lambda v: seen.append(int(v)), tree["a"], ordered=True)
        return {"sum": tree["a"] + tree["b"] + y}

    out = fungrad.vmap(f, ({"a": 0, "b": None}, None))({"a": jnp.arange(3), "b": 10}, 100)
    assert out["sum"].tolist() == [110, 111, 112]
    assert seen == [0, 1, 2]


def test_wrong_rules():
    with pytest.raises(AttributeError, match="No batching rule defined for custom_vmap function <lambda>"):
        custom_vmap(lambda x: x)(1.0)

    def mapped(rule):
        f = custom_vmap(lambda x: x)
        f.def_vmap(rule)
        return fungrad.vmap(f)(X)

    with pytest.raises(ValueError, match="do not match"):
        mapped(lambda size, b, x: (x, [True]))
    with pytest.raises(ValueError, match="does not match that of the original function"):
        mapped(lambda size, b, x: ([x], [True]))
    with pytest.raises(ValueError, match=r"must return f32\[3\]"):
        mapped(lambda size, b, x: (x[:2], True))
    with pytest.raises(ValueError, match=r"must return f32\[\]"):
        mapped(lambda size, b, x: (x, False))
    with pytest.raises(TypeError, match="must return a pair"):
        mapped(lambda size, b, x: x)


def test_closed_over_values():
    def outer(c):
        f = custom_vmap(lambda x: c * x)
        f.def_vmap(lambda size, b, x: (c * x, True))
        return fungrad.vmap(f)(X).sum()

    assert fungrad.jit(outer)(2.0) == 2 * X.sum()
    with pytest.raises(NotImplementedError, match="closes over a value that is mapped"):
        fungrad.vmap(lambda c: _closing(c)(1.0))(X)


def _closing(c):
    f = custom_vmap(lambda x: c * x)
    f.def_vmap(lambda size, b, x: (x, True))
    return f
