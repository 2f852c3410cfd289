"""``linear_call``: linear functions with transposes of their own, under every transformation."""

import functools

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import export, lax
from fungrad.custom_derivatives import linear_call
from fungrad.experimental import checkify
from fungrad.test_util import check_grads

both = pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])


def divide(x, d):
    return linear_call(lambda d, x: x / d, lambda d, ct: ct / d, d, x)


def marked(x, factor=7.0):
    """The identity, with a transpose that shows that it was used."""
    return linear_call(lambda _, x: x, lambda _, ct: factor * ct, (), x)


def transposed(f, x):
    return lambda ct: fungrad.linear_transpose(f, x)(ct)[0]


@both
def test_transposes_of_transposes(wrap):
    assert float(wrap(marked)(2.0)) == 2.0
    t = transposed(marked, 1.0)
    assert float(wrap(t)(1.0)) == 7.0
    assert float(wrap(transposed(t, 1.0))(1.0)) == 1.0
    assert float(wrap(transposed(transposed(t, 1.0), 1.0))(1.0)) == 7.0
    assert float(wrap(fungrad.grad(marked))(3.0)) == 7.0
    assert float(wrap(fungrad.grad(lambda x: marked(x) ** 2))(3.0)) == 42.0
    assert [float(v) for v in wrap(lambda x: fungrad.jvp(marked, (x,), (2.0,)))(1.0)] == [1.0, 2.0]


@both
def test_derivatives_by_residuals(wrap):
    check_grads(wrap(divide), (jnp.array([1.0, -2.0]), jnp.array([3.0, 0.5])), order=2, rtol=2e-2, atol=2e-2)
    assert float(wrap(fungrad.grad(divide, 1))(3.0, 2.0)) == -0.75


@both
def test_trees_constants_and_closed_over_values(wrap):
    matrix = jnp.arange(6.0).reshape(2, 3)

    def f(scale, x, offset):
        def forward(r, lin):
            return {"y": matrix @ lin["a"] * r["s"], "z": (lin["b"] * offset,)}

        def backward(r, ct):
            return {"a": matrix.T @ ct["y"] * r["s"], "b": ct["z"][0] * offset}

        return linear_call(forward, backward, {"s": scale}, x)

    x = {"a": jnp.array([1.0, 2.0, 3.0]), "b": jnp.float32(4.0)}

    def loss(scale, x, offset):
        out = f(scale, x, offset)
        return jnp.sum(out["y"] ** 2) + out["z"][0] * 3.0

    def plain(scale, x, offset):
        return jnp.sum((matrix @ x["a"] * scale) ** 2) + x["b"] * offset * 3.0

    got = wrap(fungrad.grad(loss, (0, 1, 2)))(2.0, x, 5.0)
    wanted = fungrad.grad(plain, (0, 1, 2))(2.0, x, 5.0)
    fungrad.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), got, wanted)


@both
def test_maps(wrap):
    x, d = jnp.array([1.0, 2.0, 3.0]), jnp.array([2.0, 4.0, 8.0])
    for axes, args, wanted in (((0, 0), (x, d), x / d), ((0, None), (x, 2.0), x / 2), ((None, 0), (6.0, d), 6 / d)):
        np.testing.assert_allclose(wrap(fungrad.vmap(divide, axes))(*args), wanted)
        grads = wrap(fungrad.vmap(fungrad.grad(divide, (0, 1)), axes))(*args)
        expected = fungrad.vmap(fungrad.grad(lambda x, d: x / d, (0, 1)), axes)(*args)
        for a, b in zip(grads, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
    outer = wrap(fungrad.grad(lambda x: fungrad.vmap(divide, (None, 0))(x, d).sum()))(3.0)
    np.testing.assert_allclose(outer, (1 / d).sum())
    np.testing.assert_array_equal(wrap(fungrad.vmap(fungrad.vmap(fungrad.grad(marked))))(jnp.ones((2, 3))), 7.0)
    assert fungrad.vmap(marked)(jnp.zeros(0)).shape == (0,)


@both
def test_loops_and_checkpoints(wrap):
    def f(x):
        return lax.scan(lambda c, _: (marked(c, 2.0), c), x, length=3)[0]

    assert float(wrap(fungrad.grad(f))(1.0)) == 8.0
    assert float(wrap(fungrad.grad(fungrad.checkpoint(f)))(1.0)) == 8.0
    assert float(wrap(fungrad.grad(lambda x: lax.cond(x > 0, marked, lambda x: x, x)))(1.0)) == 7.0


@both
def test_complex_and_other_dtypes(wrap):
    x = jnp.array([1 + 2j, 3 - 1j])
    t = transposed(lambda x: linear_call(lambda m, x: m * x, lambda m, ct: m * ct, 2j, x), x)
    np.testing.assert_array_equal(wrap(t)(x), 2j * x)
    for dtype in (jnp.bfloat16, jnp.float16):
        assert wrap(fungrad.grad(lambda x: marked(x).sum()))(jnp.ones(2, dtype)).dtype == dtype


def test_checks_inside():
    def forward(d, x):
        checkify.check(d != 0, "divisor {d}", d=d)
        return x / d

    def f(x, d):
        return linear_call(forward, lambda d, ct: 7.0 * ct, d, x)

    error, y = fungrad.jit(checkify.checkify(f))(1.0, 0.0)
    assert error.get() == "divisor 0.0 (`check` failed)"
    error, g = fungrad.jit(checkify.checkify(fungrad.grad(f)))(1.0, 2.0)
    assert error.get() is None and float(g) == 7.0


def test_exported_functions_keep_the_transpose():
    again = export.deserialize(export.export(fungrad.jit(marked))(1.0).serialize(vjp_order=1))
    assert float(again.call(2.0)) == 2.0 and float(fungrad.grad(again.call)(2.0)) == 7.0


def test_errors():
    with pytest.raises(TypeError, match=r"fun_transpose .* must return a tree like linear_args"):
        linear_call(lambda _, x: x, lambda _, ct: (ct, ct), (), 1.0)
    with pytest.raises(TypeError, match=r"(?s)fun_transpose .* has type f32\[\], the result f32\[2\]"):
        linear_call(lambda _, x: x, lambda _, ct: jnp.stack([ct, ct]), (), 1.0)
    with pytest.raises(TypeError, match=r"linear_args\['n'\] must be floating point or complex, got i32\[\]"):
        linear_call(lambda _, x: x, lambda _, ct: ct, (), {"n": 1})
    with pytest.raises(TypeError, match="fun must be a function, got 3"):
        linear_call(3, lambda _, ct: ct, (), 1.0)
    with pytest.raises(TypeError, match=r"residual_args\[0\] must be an array"):
        linear_call(lambda _, x: x, lambda _, ct: ct, ("s",), 1.0)


@pytest.mark.parity
def test_agrees_with_jax():
    jax = pytest.importorskip("jax")
    theirs = pytest.importorskip("jax.custom_derivatives").linear_call

    def values(lib, call):
        def f(x, d):
            return call(lambda d, x: x / d, lambda d, ct: 3.0 * ct / d, d, x)

        def t(ct):
            return lib.linear_transpose(lambda x: x + f(x, 2.0), 1.0)(ct)[0]

        return [f(6.0, 2.0), t(18.0), lib.linear_transpose(t, 1.0)(1.0)[0], lib.jit(lib.grad(f))(6.0, 2.0)]

    np.testing.assert_allclose(
        [float(v) for v in values(fungrad, linear_call)], [float(v) for v in values(jax, theirs)]
    )
