"""Functions that transformations return are pytrees: they cross ``jit``, ``scan`` and ``vmap``."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, tree
from fungrad.transforms.linear_functions import DidntWant, DontWant, GradValue, NotNeeded


def f(x):
    return jnp.sin(x["a"]) * x["b"], x["a"]


def df(a, b, c0, c1):
    return np.cos(a) * b * c0 + c1, np.sin(a) * c0


@pytest.mark.parametrize("make", ["vjp", "linearize"])
@pytest.mark.parametrize("how", ["eager", "jit", "vmap", "scan", "jit of vmap"])
def test_functions_cross_transformations(make, how):
    arguments = {"a": jnp.array([0.1, 0.2, 0.3]), "b": jnp.array([1.0, 2.0, 3.0])}

    def made(x):
        return getattr(fungrad, make)(f, x)[1]

    def use(function):
        return function((2.0, 3.0))[0] if make == "vjp" else function({"a": 2.0, "b": 3.0})

    if how in ("eager", "jit"):
        wrap = fungrad.jit if how == "jit" else lambda g: g
        function = wrap(made)(arguments)
        found = wrap(lambda g: use_all(g, make))(function)
    elif how == "scan":
        _, functions = lax.scan(lambda c, x: (c, made(x)), 0.0, arguments)
        found = lax.scan(lambda c, g: (c, use(g)), 0.0, functions)[1]
    else:
        wrap = fungrad.jit if how.startswith("jit") else lambda g: g
        found = wrap(fungrad.vmap(use))(wrap(fungrad.vmap(made))(arguments))
    a, b = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0])
    if make == "vjp":
        expected = dict(zip("ab", df(a, b, 2.0, 3.0), strict=True))
        assert all(np.allclose(found[k], expected[k]) for k in "ab")
    else:
        assert np.allclose(found[0], np.cos(a) * b * 2 + np.sin(a) * 3) and np.allclose(found[1], 2.0)


def use_all(function, make):
    twos, threes = jnp.full(3, 2.0), jnp.full(3, 3.0)
    return function((twos, threes))[0] if make == "vjp" else function({"a": twos, "b": threes})


def test_equal_programs_have_equal_structures():
    calls = []

    @fungrad.jit
    def pull(function, ct):
        calls.append(1)
        return function(ct)

    for x in (1.0, 2.0):
        _, function = fungrad.vjp(lambda x: jnp.sin(x) * jnp.float32(3.0), x)
        assert np.allclose(pull(function, 1.0)[0], 3 * np.cos(x))
        assert np.allclose(tree.map(lambda leaf: 2 * leaf, function)(1.0)[0] / np.cos(x), 12)
    assert len(calls) == 1


def test_residuals_of_arguments_are_named():
    x, w = jnp.ones((2, 3)), jnp.full((3, 4), 2.0, "float32")
    _, pull = fungrad.vjp(lambda x, w, b: x @ w + b, x, w, jnp.zeros(4))
    assert pull.args_res[0] is x and pull.args_res[1] is w and pull.args_res[2] == NotNeeded()
    pull.args_res[1] = 3 * w
    assert np.all(pull(jnp.ones((2, 4)))[0] == 24)
    assert pull.jaxpr.out_avals[0].shape == (2, 4)


def test_cotangents_may_be_left_out():
    _, pull = fungrad.vjp(lambda x, y: x * y, 2.0, 3.0)
    assert pull.with_refs(GradValue(), DontWant())(1.0) == (3.0, DidntWant())
    with pytest.raises(ValueError, match="with_refs"):
        pull.with_refs(GradValue())


def test_wrong_calls_of_pullbacks():
    _, pull = fungrad.vjp(lambda x: (x, x * 2), jnp.ones(2))
    with pytest.raises(TypeError, match="single argument"):
        pull(1.0, 2.0)
    with pytest.raises(ValueError, match="unexpected tree structure"):
        pull(1.0)
    with pytest.raises(ValueError, match="unexpected JAX type"):
        pull((1.0, 2.0))
    functions = fungrad.vmap(lambda x: fungrad.vjp(jnp.sin, x)[1])(jnp.ones(3))
    with pytest.raises(TypeError, match="vmap or scan"):
        functions(1.0)


def test_pullbacks_are_residuals_of_rules():
    @fungrad.custom_vjp
    def g(x):
        return jnp.sin(x)

    g.defvjp(lambda x: fungrad.vjp(jnp.sin, x), lambda pull, ct: pull(2 * ct))
    for grad in (fungrad.grad(g), fungrad.jit(fungrad.grad(g))):
        assert np.allclose(grad(0.5), 2 * np.cos(0.5))


def test_transposes_and_converted_functions_are_trees():
    a = jnp.arange(3.0)
    transposed = fungrad.linear_transpose(lambda x: x * a, jnp.ones(3))
    assert fungrad.jit(lambda t: t(jnp.ones(3)))(transposed)[0].tolist() == [0, 1, 2]
    converted, consts = fungrad.closure_convert(lambda x: x * a, 1.0)
    assert fungrad.jit(lambda c: c(2.0, *consts))(converted).tolist() == [0, 2, 4]
    assert len(tree.leaves(converted)) == 1


@pytest.mark.parametrize("jitted", [True, False])
def test_forward_and_backward_pass(jitted):
    traced = []

    def loss(x, n, y):
        traced.append(1)
        return jnp.sin(x["w"]) * y * n, {"n": n}

    fwd, bwd = fungrad.fwd_and_bwd(loss, argnums=(0, -1), has_aux=True, jitted=jitted)
    for w in (1.0, 2.0):
        out, residuals, aux = fwd({"w": w}, 2.0, 3.0)
        gx, gy = bwd(residuals, 1.0)
        assert np.allclose(out, np.sin(w) * 6) and aux["n"] == 2
        assert np.allclose(gx["w"], np.cos(w) * 6) and np.allclose(gy, np.sin(w) * 2)
    assert len(traced) == (1 if jitted else 2)
    one, back = fungrad.fwd_and_bwd(jnp.sin, 0)
    assert back(one(0.0)[1], 2.0) == 2
    with pytest.raises(TypeError, match="argnums"):
        fungrad.fwd_and_bwd(jnp.sin, 1, jitted=False)[0](1.0)


def test_second_derivatives_through_functions():
    def g(x):
        _, pull = fungrad.vjp(lambda y: y**3, x)
        return fungrad.jit(lambda p: p(1.0)[0])(pull)

    assert fungrad.grad(g)(2.0) == 12 and fungrad.jit(fungrad.grad(g))(2.0) == 12
