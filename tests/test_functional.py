"""``vectorize``, ``piecewise``, ``apply_along_axis`` and ``apply_over_axes``: against NumPy and JAX."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.test_util import check_grads


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def close(got, expected):
    fungrad.tree.map(
        lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-5), got, expected
    )


# -- vectorize -------------------------------------------------------------------------------------------------------

SIGNATURES = {
    "(n),(n)->()": (np.dot, jnp.dot),
    "(m,n),(n)->(m)": (np.dot, jnp.dot),
    "(n)->(n),()": (lambda x: (x - x.mean(), x.sum()), lambda x: (x - x.mean(), x.sum())),
    "()->(n)": (lambda x: np.stack([x, 2 * x]), lambda x: jnp.stack([x, 2 * x])),
    "(3)->()": (np.sum, jnp.sum),
    " ( n ) -> ( ) ": (np.sum, jnp.sum),
}


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("outer", [[(), ()], [(4,), ()], [(4, 1), (1, 5)], [(1,), (2, 1)], [(0,), (1,)], [(1, 1), ()]])
def test_signatures(signature, outer):
    ours, theirs = SIGNATURES[signature][1], SIGNATURES[signature][0]
    sizes = {"m": 2, "n": 3, "3": 3}
    groups = signature.replace(" ", "").split("->")[0][1:-1].split("),(")
    core = [tuple(sizes[d] for d in g.split(",") if d) for g in groups]
    args = [normal(*o, *c, seed=i) for i, (o, c) in enumerate(zip(outer, core, strict=False))]
    got = jnp.vectorize(ours, signature=signature)(*args)
    if signature == "(3)->()":
        theirs, signature = np.sum, "(n)->()"
    if any(0 in a.shape for a in args):
        shape = np.broadcast_shapes(*outer[: len(args)])
        assert all(y.shape[: len(shape)] == shape for y in fungrad.tree.leaves(got))
        return
    close(got, np.vectorize(theirs, signature=signature.replace(" ", ""))(*args))


def test_scalars_broadcast():
    f = jnp.vectorize(lambda x, y: {"a": x * y, "b": (y,)})
    a, b = normal(3, 1), normal(2, 1, 4)
    out = f(a, b)
    close(out["a"], a * b)
    close(out["b"][0], np.broadcast_to(b, (2, 3, 4)))
    assert f(1.0, 2.0)["a"].shape == ()


def test_branches_on_scalars():
    f = jnp.vectorize(lambda x: fungrad.lax.cond(x > 0, lambda x: x * x, lambda x: -x, x))
    x = normal(2, 3)
    close(f(x), np.where(x > 0, x * x, -x))
    close(fungrad.jit(f)(x), np.where(x > 0, x * x, -x))
    check_grads(f, (jnp.asarray(x),), order=2, rtol=2e-2, atol=2e-2)


def test_excluded():
    x, y = normal(3), normal(2)
    close(jnp.vectorize(lambda x, y: x * jnp.sum(y), excluded={1})(x, y), x * y.sum())
    close(jnp.vectorize(lambda x, y: x * jnp.sum(y), excluded={"y"})(x, y=y), x * y.sum())
    close(jnp.vectorize(lambda x, mode: x if mode == "same" else -x, excluded=(1,))(x, "other"), -x)
    close(jnp.vectorize(lambda x, y: x if y is None else y)(x, None), x)
    close(jnp.vectorize(lambda x, s, y: x @ y * s, excluded={1}, signature="(n),(n)->()")(x, 2.0, x), 2 * x @ x)


def test_transformations():
    f = jnp.vectorize(jnp.dot, signature="(m,n),(n)->(m)")
    a, b = jnp.asarray(normal(4, 2, 3)), jnp.asarray(normal(3, seed=1))
    check_grads(f, (a, b), order=1, rtol=2e-2, atol=2e-2)
    close(fungrad.vmap(f, (1, None))(jnp.stack([a, a], 1), b)[0], f(a, b))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: jnp.vectorize(jnp.dot, signature="(n),(n)->()")(normal(3), normal(4)), ValueError, "dimension 'n'"),
        (lambda: jnp.vectorize(jnp.dot, signature="(n),(n)->()")(normal(3)), TypeError, "expected 2 arguments"),
        (lambda: jnp.vectorize(jnp.dot, signature="(n),(n)->()")(1.0, normal(3)), ValueError, "too few dimensions"),
        (
            lambda: jnp.vectorize(lambda x: (x, x), signature="(n)->(n)")(normal(3)),
            TypeError,
            "expected 1 results, got 2",
        ),
        (lambda: jnp.vectorize(lambda x: x, signature="(n)->()")(normal(3)), ValueError, r"result 0 has shape \(3,\)"),
        (lambda: jnp.vectorize(lambda x: x[:1], signature="(n)->(n)")(normal(3)), ValueError, "dimension 'n'"),
        (lambda: jnp.vectorize(lambda x: x, signature="n->n"), ValueError, "signature must look like"),
        (lambda: jnp.vectorize(lambda x: x, excluded=(-1,)), ValueError, "negative"),
        (lambda: jnp.vectorize(lambda x: x, excluded=(1.5,)), TypeError, "positions and names, got 1.5"),
        (lambda: jnp.vectorize(lambda x, y: x)(1.0, y=2.0), TypeError, "neither mapped nor excluded"),
        (lambda: jnp.vectorize(lambda x, y: x)(normal(3), normal(4)), ValueError, "vectorize of <lambda>"),
    ],
)
def test_vectorize_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- piecewise -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,)])
def test_piecewise(shape):
    x = normal(*shape)
    both = [x < 0.3, x > -0.3]  # overlapping: the last one counts
    cases = [lambda v: v * 10, lambda v: v + 5]
    for functions in (cases, [*cases, 7.0], [1, 2, 3], [cases[0], 2.0]):
        close(jnp.piecewise(x, both, functions), np.piecewise(x, both, functions))
    close(jnp.piecewise(x, x > 0, [1, 2]), np.piecewise(x, [x > 0], [1, 2]))
    close(fungrad.jit(lambda x: jnp.piecewise(x, [x < 0.3], cases))(x), np.piecewise(x, [x < 0.3], cases))


def test_piecewise_types_and_arguments():
    x = np.arange(4)
    out = jnp.piecewise(x, [x > 1], [1.5, lambda v: v * 0.5])
    assert out.dtype == np.int32 and out.tolist() == [0, 0, 1, 1]
    got = jnp.piecewise(x, [x > 1], [lambda v, a, b=0: v * a + b], 3, b=1)
    assert got.tolist() == [0, 0, 7, 10]
    f = lambda x: jnp.piecewise(x, [x < 0], [jnp.sin, lambda v: v**2])  # noqa: E731
    check_grads(f, (jnp.asarray(normal(4)),), order=2, rtol=2e-2, atol=2e-2)
    with pytest.raises(ValueError, match="for 1 conditions there must be 1 or 2 functions, got 3"):
        jnp.piecewise(x, [x > 1], [1, 2, 3])


# -- along axes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize(
    "f", [lambda v: v.sum(), lambda v: v[::-1] * 2, lambda v: v[:2, None] * v[None, :2]], ids=["0-d", "1-d", "2-d"]
)
def test_apply_along_axis(axis, f):
    x = normal(2, 3, 4)
    close(jnp.apply_along_axis(f, axis, x), np.apply_along_axis(f, axis, x))


def test_apply_along_axis_arguments():
    x = normal(2, 3)
    close(jnp.apply_along_axis(lambda v, a, b=0: v * a + b, 1, x, 2.0, b=1.0), 2 * x + 1)
    with pytest.raises(ValueError, match="apply_along_axis"):
        jnp.apply_along_axis(jnp.sum, 5, x)


@pytest.mark.parametrize("axes", [0, [0, 2], (-1,), []])
def test_apply_over_axes(axes):
    x = normal(2, 3, 4)
    close(jnp.apply_over_axes(jnp.sum, x, axes), np.apply_over_axes(np.sum, x, axes))
    close(jnp.apply_over_axes(jnp.cumsum, x, axes), np.apply_over_axes(np.cumsum, x, axes))
    with pytest.raises(ValueError, match="must return an array of 3 or 2 dimensions"):
        jnp.apply_over_axes(lambda a, axis: 1.0, x, 0)


@pytest.mark.parity
def test_agrees_with_jax():
    jax = pytest.importorskip("jax")
    x = normal(3, 4)

    def run(lib):
        np_ = lib.numpy
        a = np_.asarray(x)
        inner = np_.vectorize(lambda u, v: np_.sin(u) @ v, signature="(n),(n)->()")
        return (
            inner(a, a[:1]),
            lib.grad(lambda a: inner(a, a[0]).sum())(a),
            np_.piecewise(a, [a < 0, a > 0.5], [lambda v: v**2, 1.0, lambda v: -v]),
            np_.apply_along_axis(lambda v: v[:2], 0, a),
            np_.vectorize(lambda u: np_.stack([u, -u]))(a),
        )

    for g, e in zip(map(np.asarray, run(fungrad)), map(np.asarray, run(jax)), strict=True):
        assert g.dtype == e.dtype and g.shape == e.shape
        np.testing.assert_allclose(g, e, rtol=1e-5, atol=1e-5)
