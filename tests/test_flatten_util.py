"""fungrad.flatten_util.ravel_pytree."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.flatten_util import ravel_pytree

TREE = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": [np.float32(7.0), (), np.zeros((0, 4), np.float32)]}


def test_round_trip():
    vector, unravel = ravel_pytree(TREE)
    np.testing.assert_array_equal(vector, [7, 0, 1, 2, 3, 4, 5])
    back = unravel(vector * 2)
    assert list(back) == ["b", "w"] or list(back) == ["w", "b"]
    np.testing.assert_array_equal(back["w"], 2 * TREE["w"])
    assert back["b"][0].shape == () and back["b"][1] == () and back["b"][2].shape == (0, 4)


def test_dtypes_promote_and_come_back():
    vector, unravel = ravel_pytree({"a": np.arange(3), "b": 1.5, "c": True, "d": jnp.ones(1, "bfloat16")})
    assert vector.dtype == np.float32
    back = unravel(vector)
    assert {k: v.dtype.name for k, v in back.items()} == {"a": "int32", "b": "float32", "c": "bool", "d": "bfloat16"}
    with pytest.raises(TypeError, match="dtype float32, to which the leaves promoted, got int32"):
        unravel(vector.astype(int))
    # Leaves of one dtype take that of the vector.
    vector, unravel = ravel_pytree([np.arange(3), np.int32(2)])
    assert vector.dtype == np.int32
    assert unravel(vector.astype("float16"))[1].dtype == np.float16
    vector, unravel = ravel_pytree((jnp.ones(2, "complex64"), jnp.ones(1)))
    assert unravel(vector * 1j)[1].dtype == np.float32


def test_empty_trees():
    for tree in ({}, [], (), None):
        vector, unravel = ravel_pytree(tree)
        assert vector.shape == (0,) and vector.dtype == np.float32
        assert unravel(vector) == tree
    with pytest.raises(ValueError, match="0 elements"):
        ravel_pytree({})[1](jnp.zeros(1))


@pytest.mark.parametrize("shape", [(6,), (8,), (7, 1), ()])
def test_wrong_lengths(shape):
    _, unravel = ravel_pytree(TREE)
    with pytest.raises(ValueError, match=r"vector of 7 elements, got shape \("):
        unravel(jnp.zeros(shape))


def test_bad_leaves_are_named():
    with pytest.raises(TypeError, match=r"pytree\['a'\]\[1\] must be an array or a scalar, got 'text' of type str"):
        ravel_pytree({"a": [1.0, "text"]})


def test_transformations():
    _, unravel = ravel_pytree(TREE)

    def loss(vector):
        tree = unravel(vector)
        return jnp.sum(tree["w"] ** 2) + 3 * tree["b"][0]

    flat = jnp.arange(7.0)
    expected = np.array([3, *2 * np.arange(1, 7)], np.float32)
    np.testing.assert_array_equal(fungrad.grad(loss)(flat), expected)
    np.testing.assert_array_equal(fungrad.jit(fungrad.grad(loss))(flat), expected)
    np.testing.assert_array_equal(fungrad.jit(lambda t: ravel_pytree(t)[0])(TREE), ravel_pytree(TREE)[0])
    mapped = fungrad.vmap(lambda w: ravel_pytree({"w": w, "z": 1.0})[0])(jnp.ones((4, 2)))
    assert mapped.shape == (4, 3)
    np.testing.assert_array_equal(fungrad.hessian(loss)(flat), np.diag([0.0] + [2.0] * 6))


@pytest.mark.parity
@pytest.mark.parametrize(
    "tree", [TREE, {}, 2, (1, 2.5, True), [np.int8([1, 2]), np.float16(3)], {"b": 1, "a": [2.0, None]}]
)
def test_vectors_are_those_of_jax(tree):
    flatten_util = pytest.importorskip("jax.flatten_util")
    vector, unravel = ravel_pytree(tree)
    expected, undo = flatten_util.ravel_pytree(tree)
    assert (vector.shape, vector.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(vector, expected)
    ours, theirs = fungrad.tree.leaves(unravel(vector)), fungrad.tree.leaves(undo(expected))
    for a, b in zip(ours, theirs, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_array_equal(a, b)


def test_functions_back_to_trees_are_static_arguments():
    traces = []

    @functools.partial(fungrad.jit, static_argnums=1)
    def f(vector, unravel):
        traces.append(None)
        return unravel(vector + 1)

    for x in (1.0, 2.0):
        vector, unravel = ravel_pytree({"a": jnp.float32(x), "b": jnp.ones(2)})
        assert float(f(vector, unravel)["a"]) == x + 1
    assert len(traces) == 1
    assert unravel != ravel_pytree({"a": jnp.float32(1), "b": jnp.ones(3)})[1]
