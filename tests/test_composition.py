"""Transformations compose in every order: compared with JAX, to depth three, eager and compiled."""

import itertools

import numpy as np
import pytest
from programs import PROGRAMS

import fungrad
import fungrad.numpy as fnp
from fungrad.test_util import check_grads


def scalar(lib, f):
    """``f`` reduced to a real scalar, so that it can be differentiated."""
    np_ = lib.numpy
    tree = lib.tree_util
    return lambda *args: sum(np_.sum(np_.sin(leaf)) for leaf in tree.tree_leaves(f(*args)))


def along(lib, f):
    """Directional derivative of ``f`` along its own first argument."""
    return lambda x, *rest: lib.jvp(lambda x: f(x, *rest), (x,), (x,))[1]


def batched(lib, f):
    """``f`` mapped over two copies of its first argument, one of them scaled, and averaged."""

    def g(x, *rest):
        xs = lib.tree_util.tree_map(lambda a: lib.numpy.stack([a, a * 0.5]), x)
        out = lib.vmap(f, in_axes=(0, *[None] * len(rest)))(xs, *rest)
        return lib.tree_util.tree_map(lambda a: a[0] + a[1], out)

    return g


TRANSFORMS = {
    "grad": lambda lib, f: lib.grad(scalar(lib, f)),
    "jvp": along,
    "vmap": batched,
    "jit": lambda lib, f: lib.jit(f),
    "checkpoint": lambda lib, f: lib.checkpoint(f),
}

ORDERS = [order for depth in (1, 2, 3) for order in itertools.product(TRANSFORMS, repeat=depth)]
# The full cube for a few programs, single transformations for all.
DEEP = ("polynomial", "softmax_loss", "nested_jit", "indexing")


def transformed(lib, program, order):
    f = program(lib)
    for name in reversed(order):
        f = TRANSFORMS[name](lib, f)
    return f


def arrays(lib, args):
    tree = lib.tree_util
    return tree.tree_map(lambda a: lib.numpy.asarray(a) if isinstance(a, np.ndarray) else a, args)


def assert_same(got, wanted, tol=2e-4):
    got, wanted = fungrad.tree.leaves(got), fungrad.tree.leaves(wanted)
    assert len(got) == len(wanted)
    for g, w in zip(got, wanted, strict=True):
        assert g.shape == w.shape and g.dtype == w.dtype
        assert bool(getattr(g, "weak_type", False)) == bool(getattr(w, "weak_type", False))
        np.testing.assert_allclose(
            np.asarray(g), np.asarray(w), rtol=tol, atol=tol * max(1.0, np.abs(np.asarray(w)).max(initial=0))
        )


@pytest.fixture(scope="module")
def jax():
    return pytest.importorskip("jax")


@pytest.mark.parity
@pytest.mark.parametrize(
    "name, order",
    [(n, o) for n in PROGRAMS for o in [(), *ORDERS] if len(o) <= (2 if n in DEEP else 1)],
    ids=lambda x: x if isinstance(x, str) else "-".join(x) or "plain",
)
def test_against_jax(jax, name, order):
    program, args = PROGRAMS[name]
    got = transformed(fungrad, program, order)(*arrays(fungrad, args))
    wanted = transformed(jax, program, order)(*arrays(jax, args))
    assert_same(got, fungrad.tree.map(lambda x: x, jax.tree_util.tree_map(lambda x: x, wanted)))


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("order", [o for o in ORDERS if "jit" in o], ids="-".join)
def test_jit_changes_nothing(name, order):
    """A transformed program with ``jit`` anywhere equals the one without."""
    program, args = PROGRAMS[name]
    args = arrays(fungrad, args)
    got = transformed(fungrad, program, order)(*args)
    wanted = transformed(fungrad, program, tuple(t for t in order if t != "jit"))(*args)
    assert_same(got, wanted)


@pytest.mark.parametrize(
    "name", [n for n in PROGRAMS if n not in ("where", "clip", "sort", "integer_mix", "empty", "stop_gradient")]
)
def test_numerical_derivatives(name):
    program, args = PROGRAMS[name]
    check_grads(lambda *a: program(fungrad)(*a), arrays(fungrad, args), order=2, atol=0.1, rtol=0.1)


def test_third_derivatives():
    f = fungrad.grad(fungrad.grad(fungrad.grad(fnp.sin)))
    np.testing.assert_allclose(f(0.3), -np.cos(0.3), rtol=1e-5)
    np.testing.assert_allclose(fungrad.jit(f)(0.3), -np.cos(0.3), rtol=1e-5)


def test_nested_derivatives_do_not_confuse_perturbations():
    # d/dx (x * d/dy (x + y)) = 1, and not 2.
    assert float(fungrad.grad(lambda x: x * fungrad.grad(lambda y: x + y)(1.0))(1.0)) == 1.0
    assert float(fungrad.jvp(lambda x: x * fungrad.jvp(lambda y: x + y, (1.0,), (1.0,))[1], (1.0,), (1.0,))[1]) == 1.0
