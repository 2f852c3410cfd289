"""Structural operations, reductions, running combinations and sorting, beyond what the op table
says.
"""

from __future__ import annotations

import warnings

import ml_dtypes
import numpy as np
import pytest
from optable_base import array

from fungrad import lax
from fungrad.core import dtypes
from fungrad.ops.cumulative import linear_recurrence_p
from fungrad.transforms.api import grad, jvp, vjp
from fungrad.transforms.inspection import make_jaxpr
from fungrad.transforms.mapping import vmap

X = np.linspace(-2, 3, 12, dtype=np.float32).reshape(3, 4)
ROW = X[0]
FLAGS = X > 0
COUNTS = np.arange(12, dtype=np.int32).reshape(3, 4)
ONE = np.int32(1)
NAN = np.nan
ODD = np.float32([1, -0.0, 0.0, NAN, -NAN, -np.inf, 2, 0.0, -0.0, np.inf])
COMPLEX = np.complex64([1 + 2j, 1 - 1j, 5j, complex(NAN, 0), complex(0, NAN), 2, 1 + 2j])


def total(x):
    return lax.reduce_sum(x, tuple(range(x.ndim)))


def same(actual, expected):
    """Equality of values, signs of zeros, NaNs, dtype and shape."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(actual, expected)
    if actual.dtype.kind == "f":
        zeros = actual == 0
        np.testing.assert_array_equal(np.signbit(actual[zeros]), np.signbit(expected[zeros]))


# Calls `f(L, *operands)` of a `lax` module that JAX accepts.
CALLS = [
    (lambda L, x: L.squeeze(x, ()), X),
    (lambda L, x: L.squeeze(x, (-3, 2)), X.reshape(1, 12, 1)),
    (lambda L, x: L.expand_dims(x, (0, -1)), X),
    (lambda L, x: L.expand_dims(x, (-4, 2)), X),
    (lambda L, x: L.expand_dims(x, ()), X),
    (lambda L, x: L.concatenate([x, x], 1), X),
    (lambda L, x: L.concatenate([x], 1), X),
    (lambda L, x: L.pad(x, 0.0, [(1, -1, 2), (0, 0, 0)]), X),
    (lambda L, x: L.pad(x, -1, [(1, 0, 1), (0, -4, 0)]), COUNTS),
    (lambda L, x: L.pad(x, False, [(1, 0, 1), (0, 3, 0)]), FLAGS),
    (lambda L, x: L.pad(x, 0.0, [(1, 1, 3)]), np.zeros(0, np.float32)),
    (lambda L, x: L.pad(x, 0.0, [(-2, -1, 0), (0, 0, 0)]), X),
    (lambda L, x: L.slice(x, (0, 1), (2, 3)), X),
    (lambda L, x: L.slice(x, (0, 1), (3, 4), (2, 3)), X),
    (lambda L, x: L.slice(x, (0, 0), (3, 4)), X),
    (lambda L, x: L.slice_in_dim(x, -3, -1, axis=-1), X),
    (lambda L, x: L.slice_in_dim(x, None, None, 2), X),
    (lambda L, x: L.index_in_dim(x, -1, 1, keepdims=False), X),
    (lambda L, x: L.index_in_dim(x, 0), X),
    (lambda L, x: L.rev(x, (0,)), X),
    (lambda L, x: L.rev(x, ()), X),
    (lambda L, x: L.split(x, (1, 2), 0), X),
    (lambda L, x: L.stack([x, x], -1), X),
    (lambda L, x: L.unstack(x, -1), X),
    (lambda L, x: L.tile(x, (2, 3)), X),
    (lambda L, x: L.tile(x, (1, 1)), X),
    (lambda L, x: L.collapse(x, 0, 2), X),
    (lambda L, x: L.collapse(x, 1), X),
    (lambda L, x: L.collapse(x, 0, 0), X),
    (lambda L, x: L.collapse(x, -2, -1), X),
    (lambda L, x: L.broadcast(x, (2, 3)), X),
    (lambda L, x: L.broadcast(x, ()), X),
    (lambda L, x: L.broadcast_to_rank(x, 4), X),
    (lambda L, x: L.broadcast_to_rank(x, 1), X),
    (lambda L, x, i: L.dynamic_slice(x, (i, 0), (2, 2)), X, ONE),
    (lambda L, x, i: L.dynamic_slice(x, (9, i), (2, 2)), X, ONE),
    (lambda L, x, i: L.dynamic_slice(x, i, (2, 2)), X, np.int32([-1, 1])),
    (lambda L, x, i: L.dynamic_slice(x, (i, i), (2, 2), allow_negative_indices=False), X, ONE),
    (lambda L, x, i: L.dynamic_slice(x, (i, -1), (1, 2), allow_negative_indices=(False, True)), X, ONE),
    (lambda L, x, i: L.dynamic_slice(x, (i, i), (2, 2)), X, np.uint32(7)),
    (lambda L, x, u, i: L.dynamic_update_slice(x, u, (i, -1)), X, X[:2, :2], ONE),
    (lambda L, x, i: L.dynamic_slice_in_dim(x, i, 2, 1), X, ONE),
    (lambda L, x: L.dynamic_slice_in_dim(x, -1, 2, -1), X),
    (lambda L, x, u, i: L.dynamic_update_slice_in_dim(x, u, i, 0), X, X[:1], ONE),
    (lambda L, x: L.reduce_sum(x, (0,)), X),
    (lambda L, x: L.reduce_prod(x, (0, 1)), X),
    (lambda L, x: L.reduce_max(x, ()), X),
    (lambda L, x: L.reduce_min(x, (1,)), X),
    (lambda L, x: L.reduce_and(x, (0,)), FLAGS),
    (lambda L, x: L.reduce_or(x, (0,)), FLAGS),
    (lambda L, x: L.reduce_xor(x, (1,)), COUNTS),
    (lambda L, x: L.argmax(x, 1, "int32"), X),
    (lambda L, x: L.argmin(x, 0, np.uint8), X),
    (lambda L, x: L.reduce(x, 0.0, L.add, (0,)), X),
    (lambda L, x: L.reduce(x, -np.inf, L.max, (0, 1)), X),
    (lambda L, x: L.reduce(x, True, L.bitwise_and, (1,)), FLAGS),
    (lambda L, x: L.cumsum(x, 1), X),
    (lambda L, x: L.cumprod(x, reverse=True), X),
    (lambda L, x: L.cummax(x), COUNTS),
    (lambda L, x: L.cummin(x, axis=1), X),
    (lambda L, x: L.cumlogsumexp(x, axis=1), X),
    (lambda L, x: L.sort(x), X),
    (lambda L, x: L.sort((x, x), dimension=0, num_keys=2, is_stable=False), X),
    (lambda L, x: L.sort_key_val(x, x), X),
    (lambda L, x: L.top_k(x, 2), X),
    (lambda L, x: L.top_k(x, 2, axis=0), X),
]  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("call", CALLS)
def test_jaxprs_and_values_are_those_of_jax(call):
    jax = pytest.importorskip("jax")
    f, *operands = call
    ours = make_jaxpr(lambda *xs: f(lax, *xs))(*operands)
    theirs = jax.make_jaxpr(lambda *xs: f(jax.lax, *xs))(*operands)
    text = " ".join(str(theirs).split()).replace(" out_sharding=None", "")
    assert " ".join(str(ours).split()) == text.replace(" sharding=None", "")
    expected = jax.tree.leaves(f(jax.lax, *map(jax.numpy.asarray, operands)))
    for a, e in zip(jax.tree.leaves(f(lax, *operands)), expected, strict=True):
        a, e = np.asarray(a), np.asarray(e)
        assert (a.dtype, a.shape) == (e.dtype, e.shape)
        np.testing.assert_allclose(a, e, rtol=1e-6)


# Values at which JAX and NumPy could differ.
SPECIAL = [
    *[(lambda L, x, name=name: getattr(L, name)(x, (0,)), x)
      for name in ("reduce_max", "reduce_min", "reduce_prod")
      for x in (ODD, np.zeros((0, 3), np.float32), np.zeros((0, 2), np.int32), np.zeros((0, 2), np.complex64))],
    *[(lambda L, x, name=name: getattr(L, name)(x, (0,)), x)
      for name in ("reduce_max", "reduce_min", "reduce_and", "reduce_or", "reduce_xor")
      for x in (np.zeros((0, 3), bool), np.zeros((0, 2), np.uint8), np.uint8([200, 100]), FLAGS)],
    *[(lambda L, x, name=name: getattr(L, name)(x, 0, "int32"), x)
      for name in ("argmax", "argmin") for x in (ODD, FLAGS, ODD.astype(ml_dtypes.bfloat16))],
    *[(lambda L, x, name=name: getattr(L, name)(x), x)
      for name in ("cumsum", "cummax", "cummin", "cumlogsumexp")
      for x in (ODD, ODD[:3], ODD[5:6], np.zeros((0, 2), np.float32))],
    *[(lambda L, x: L.cumsum(x), np.array([100, 100], t)) for t in ("int8", "uint8")],
    *[(lambda L, x: L.sort(x), x)
      for x in (ODD, COMPLEX, FLAGS, ODD.astype(ml_dtypes.bfloat16), ODD.astype(np.float16),
                np.zeros((0, 3), np.int32))],
    *[(lambda L, x, i: L.sort_key_val(x, i), x, np.arange(len(x), dtype=np.int32)) for x in (ODD, COMPLEX)],
    *[(lambda L, x: L.top_k(x, 4), x)
      for x in (ODD, np.int32([3, 1, 3, 2]), np.uint8([3, 1, 3, 255, 255]), np.array([False, True, False, True]))],
    (lambda L, x: L.top_k(x, 0), ODD),
    (lambda L: L.iota("uint8", 300),),
    (lambda L: L.iota("complex64", 3),),
    (lambda L: L.iota("bfloat16", 3),),
]  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("call", SPECIAL)
def test_special_values_are_those_of_jax(call):
    jax = pytest.importorskip("jax")
    f, *operands = call
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = jax.tree.leaves(f(jax.lax, *map(jax.numpy.asarray, operands)))
    for a, e in zip(jax.tree.leaves(f(lax, *operands)), expected, strict=True):
        a, e = np.asarray(a), np.asarray(e)
        if a.dtype == ml_dtypes.bfloat16 and e.dtype == a.dtype:
            a, e = a.astype(np.float32), e.astype(np.float32)
        if str(f.__defaults__) in ("('cumlogsumexp',)", "('cummin',)", "('cummax',)"):
            # Signs of zeros and the last digit are not part of the deal.
            np.testing.assert_allclose(a, e, rtol=1e-6)
        else:
            same(a, e)


@pytest.mark.parity
def test_weak_types_are_those_of_jax():
    jax = pytest.importorskip("jax")
    for f in (
        lambda L: L.broadcast(1.0, (2,)),
        lambda L: L.concatenate([L.broadcast(1.0, (2,)), L.broadcast(2.0, (2,))], 0),
        lambda L: L.pad(L.broadcast(1.0, (2,)), 2.0, [(1, 0, 0)]),
        lambda L: L.pad(L.broadcast(1.0, (2,)), np.float32(2), [(1, 0, 0)]),
        lambda L: L.reduce_max(L.broadcast(1, (2,)), (0,)),
        lambda L: L.argmax(L.broadcast(1, (2,)), 0, "int32"),
        lambda L: L.sort(L.broadcast(1, (2,))),
        lambda L: L.cumsum(L.broadcast(1, (2,))),
        lambda L: L.iota(float, 3),
        lambda L: L.dynamic_slice(L.broadcast(1.0, (4,)), (1,), (2,)),
    ):
        ours, theirs = f(lax), f(jax.lax)
        assert (ours.dtype, ours.weak_type) == (theirs.dtype, theirs.weak_type)


# -- derivatives -----------------------------------------------------------------------------------


def test_extrema_share_their_derivative_among_ties():
    x = np.float32([1, 3, 3, 2])
    same(grad(lambda x: lax.reduce_max(x, (0,)))(x), np.float32([0, 0.5, 0.5, 0]))
    same(grad(lambda x: lax.reduce_min(x, (0,)))(x), np.float32([1, 0, 0, 0]))
    same(grad(lambda x: total(lax.cummax(x)))(x), np.float32([1, 2, 1, 0]))
    ones = np.ones(4, np.float32)
    running = grad(lambda x: lax.index_in_dim(lax.cummin(x), -1, keepdims=False))(ones)
    same(running, grad(lambda x: lax.reduce_min(x, (0,)))(ones))


@pytest.mark.parametrize("x", [[2, 0, 3], [0, 0, 3], [0, 0, 0], [2], []])
@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives_of_products_are_exact_for_zeros(x, reverse):
    x = np.float32(x)
    others = [np.prod(np.delete(x, k)) for k in range(len(x))]
    same(grad(lambda x: lax.reduce_prod(x, (0,)))(x), np.float32(others))
    if not len(x):
        return
    units = np.eye(len(x), dtype=np.float32)
    columns = [jvp(lambda x: lax.cumprod(x, 0, reverse), (x,), (unit,))[1] for unit in units]
    jacobian = np.stack([np.asarray(c) for c in columns], 1)
    expected = np.zeros((len(x), len(x)), np.float32)
    for k in range(len(x)):
        part = list(range(k, len(x)) if reverse else range(k + 1))
        for j in part:
            expected[k, j] = np.prod([x[i] for i in part if i != j])
    same(jacobian + 0, expected + 0)


def test_second_derivative_of_a_product_with_zeros():
    x = np.float32([2, 0, 3, 0])
    hessian = jvp(grad(lambda x: lax.reduce_prod(x, (0,))), (x,), (np.float32([0, 1, 0, 0]),))[1]
    same(hessian + 0, np.float32([0, 0, 0, 6]))


def test_running_logsumexp_of_infinities_has_finite_derivatives():
    x = np.float32([-np.inf, -np.inf, 1, 2, np.inf])
    _, t = jvp(lambda x: lax.cumlogsumexp(x), (x,), (np.float32([0, 0, 1, 1, 1]),))
    np.testing.assert_allclose(np.asarray(t), [0, 0, 1, 1, 1], rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 400), (70, 300), (1000, 1), (0, 3), (3, 0)])
@pytest.mark.parametrize("reverse", [False, True])
def test_both_ways_to_run_a_recurrence_agree_with_a_loop(shape, reverse):
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, shape), rng.uniform(-1, 1, shape)
    expected = b.copy()
    order = range(shape[0] - 2, -1, -1) if reverse else range(1, shape[0])
    for k in order:
        expected[k] += a[k] * expected[k + (1 if reverse else -1)]
    out = linear_recurrence_p.bind(array(a), array(b), axis=0, reverse=reverse)
    np.testing.assert_allclose(np.asarray(out), expected, rtol=1e-9, atol=1e-12)


def test_derivative_of_padding_by_its_value():
    def f(v):
        return total(lax.pad(X, v, [(1, 2, 1), (-1, 1, 0)]) * 2.0)

    # 24 - 9 positions of the result show the value.
    assert float(grad(f)(np.float32(np.inf))) == 2 * (8 * 4 - 3 * 3)


def test_results_without_derivative_have_none():
    def f(x):
        return lax.top_k(x, 2)[0]

    same(grad(lambda x: total(f(x)))(ROW), np.float32([0, 0, 1, 1]))
    _, tangent = jvp(lambda x: lax.top_k(x, 2)[1], (ROW,), (ROW,))
    assert tangent.dtype == dtypes.float0


def test_sorting_nothing_can_be_differentiated():
    for shape in ((0,), (2, 0), (0, 2)):
        x = np.zeros(shape, np.float32)
        assert grad(lambda x: total(lax.sort(x)))(x).shape == shape
    assert grad(lambda x: total(lax.top_k(x, 0)[0]))(ROW).shape == (4,)


# -- sorting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint32", "int8", "uint16", "float16"])
@pytest.mark.parametrize("k", [1, 10, 200])
def test_partial_sort_agrees_with_a_full_one(dtype, k):
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((3, 2000)) * 20).astype(dtype)
    values, positions = lax.top_k(array(x), k)
    order = np.argsort(-x.astype(np.float64), kind="stable")[:, :k]
    same(positions, order.astype(np.int32))
    same(values, np.take_along_axis(x, order, 1))


def test_a_stable_sort_keeps_the_order_of_zeros():
    rng = np.random.default_rng(2)
    x = np.where(rng.random(5000) < 0.5, 0.0, -0.0).astype(np.float32)
    x[::7] = rng.standard_normal(len(x[::7]))
    same(lax.sort(x), np.sort(x, kind="stable"))


# -- general reduce --------------------------------------------------------------------------------


def norm(a, b):
    return lax.sqrt(a * a + b * b)


def test_reduce_with_a_function():
    same(lax.reduce(X, 0.0, lambda a, b: a + 2.0 * b, (0,)), X[0] * 2 + X[1] * 2 + X[2] * 2)
    out = lax.reduce(X, np.float32(3), norm, (0, 1))
    np.testing.assert_allclose(np.asarray(out), np.sqrt(9 + (X**2).sum()), rtol=1e-6)
    same(lax.reduce(np.zeros((0, 2), np.float32), 5.0, norm, (0,)), np.float32([5, 5]))
    same(lax.reduce(X, 0.0, norm, ()), np.abs(X))
    assert lax.reduce(np.zeros((3, 0), np.float32), 5.0, norm, (0,)).shape == (0,)


def test_reduce_of_several_operands():
    def largest(a, b):
        better = lax.gt(b["value"], a["value"])
        return {k: lax.select(better, b[k], a[k]) for k in a}

    positions = np.broadcast_to(np.arange(4, dtype=np.int32), (3, 4))
    start = {"value": -np.inf, "at": np.int32(-1)}
    out = lax.reduce({"value": -X, "at": positions}, start, largest, (1,))
    same(out["value"], (-X).max(1))
    same(out["at"], (-X).argmax(1).astype(np.int32))


def test_known_combinations_become_reductions():
    for f, init, name, extra in (
        (lax.add, 0.0, "reduce_sum", []),
        (lambda a, b: lax.max(b, a), -np.inf, "reduce_max", []),
        (lax.mul, 2.0, "reduce_prod", ["mul"]),
    ):
        jaxpr = make_jaxpr(lambda x, f=f, init=init: lax.reduce(x, init, f, (1,)))(X)
        assert [eqn.primitive.name for eqn in jaxpr.eqns] == [name, *extra]
    np.testing.assert_allclose(lax.reduce(X, 2.0, lax.mul, (1,)), np.float32(2) * X.prod(1), rtol=3e-7)
    same(lax.reduce(np.int32([1, 2]), 1, lax.sub, (0,)), np.int32(-2))


@pytest.mark.parametrize("length", [1, 2, 3, 6, 7])
def test_derivatives_and_batches_of_reduce(length):
    x = np.random.default_rng(3).uniform(1, 2, (length, 2))

    def f(x, init):
        return lax.reduce(x, init, norm, (0,))

    def expected(x, init):
        return lax.sqrt(lax.reduce_sum(x * x, (0,)) + init * init)

    args = (array(x), array(np.float64(1.5)))
    ct = array(np.array([0.7, -1.2]))
    for a, e in zip(vjp(f, *args)[1](ct), vjp(expected, *args)[1](ct), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(e), rtol=1e-12)
    tangents = (array(x * 0.3), array(np.float64(0.2)))
    actual, wanted = jvp(f, args, tangents)[1], jvp(expected, args, tangents)[1]
    np.testing.assert_allclose(np.asarray(actual), np.asarray(wanted), rtol=1e-12)

    many, inits = np.stack([x, 2 * x, -x]), np.array([1.0, 2.0, 3.0])
    for axes, operands in (
        ((0, None), (many, inits[0])),
        ((0, 0), (many, inits)),
        ((2, 0), (many.transpose(1, 2, 0), inits)),
        ((None, 0), (x, inits)),
    ):
        operands = [array(v) for v in operands]
        np.testing.assert_allclose(
            np.asarray(vmap(f, in_axes=axes)(*operands)),
            np.asarray(vmap(expected, in_axes=axes)(*operands)),
            rtol=1e-12,
        )
    twice = vmap(vmap(f, in_axes=(None, 0)), in_axes=(0, None))(array(many), array(inits))
    assert twice.shape == (3, 3, 2)


# -- errors ----------------------------------------------------------------------------------------

ERRORS = [
    (lambda: lax.squeeze(X, (0,)), ValueError, r"squeeze: .* size 1, .* \(0,\) of operand f32\[3,4\]"),
    (lambda: lax.squeeze(X, (2,)), ValueError, r"squeeze: dimension 2 is out of bounds"),
    (lambda: lax.expand_dims(X, (0, 0)), ValueError, "expand_dims: dimensions must be distinct"),
    (lambda: lax.expand_dims(X, (3,)), ValueError, "expand_dims: dimension 3 is out of bounds"),
    (lambda: lax.concatenate([], 0), ValueError, "concatenate: expected at least one"),
    (lambda: lax.concatenate([X, ROW], 0), TypeError, "same number of dimensions"),
    (lambda: lax.concatenate([X, X.T], 0), TypeError, "differ only in dimension 0"),
    (lambda: lax.concatenate([X, COUNTS], 0), TypeError, r"same dtype, got f32\[3,4\], i32\[3,4\]"),
    (lambda: lax.concatenate([X, X], -1), TypeError, "dimension must be in"),
    (lambda: lax.concatenate([1.0, 2.0], 0), TypeError, "dimension must be in"),
    (lambda: lax.concatenate([[1.0], [2.0]], 0), TypeError, r"operands\[0\] must be an array"),
    (lambda: lax.pad(X, 0, [(0, 0, 0)] * 3), ValueError, "padding_config"),
    (lambda: lax.pad(X, np.int32(0), [(0, 0, 0)] * 2), TypeError, "dtype of the operand"),
    (lambda: lax.pad(X, ROW, [(0, 0, 0)] * 2), ValueError, "must be a scalar"),
    (lambda: lax.pad(X, 0.0, [(0, 0, -1)] * 2), ValueError, "interior >= 0"),
    (lambda: lax.pad(X, 0.0, [(-2, -2, 0), (0, 0, 0)]), ValueError, "cuts more than there is"),
    (lambda: lax.slice(X, (-1, 0), (2, 2)), TypeError, "start_indices"),
    (lambda: lax.slice(X, (2, 0), (1, 2)), TypeError, "0 <= start <= limit <= size"),
    (lambda: lax.slice(X, (0, 0), (4, 2)), TypeError, "0 <= start <= limit <= size"),
    (lambda: lax.slice(X, (0,), (1,)), TypeError, "one entry per dimension"),
    (lambda: lax.slice(X, (0, 0), (1, 1), (0, 1)), TypeError, "strides must be positive"),
    (lambda: lax.slice_in_dim(X, -5, None), TypeError, "start_indices"),
    (lambda: lax.slice_in_dim(X, 0, 1, axis=2), ValueError, "slice_in_dim: axis 2"),
    (lambda: lax.index_in_dim(X, 3), IndexError, "index 3 is out of bounds for axis 0 with size 3"),
    (lambda: lax.index_in_dim(X, -4), IndexError, "index -4"),
    (lambda: lax.rev(X, (0, 0)), TypeError, "rev: dimensions must be distinct"),
    (lambda: lax.rev(X, (-1,)), TypeError, r"in \[0, 2\)"),
    (lambda: lax.iota(bool, 3), TypeError, "iota"),
    (lambda: lax.iota(int, -1), TypeError, "must not be negative"),
    (lambda: lax.broadcasted_iota(int, (2, 3), 2), ValueError, "dimension must be in"),
    (lambda: lax.split(X, (1, 1)), ValueError, "add up to 3"),
    (lambda: lax.split(X, (-1, 4)), ValueError, "non-negative"),
    (lambda: lax.split(1.0, ()), ValueError, "axis 0 is out of bounds"),
    (lambda: lax.stack([]), ValueError, "at least one"),
    (lambda: lax.stack([X, X.T]), ValueError, "same shape"),
    (lambda: lax.stack([X, COUNTS]), TypeError, "same dtype"),
    (lambda: lax.stack([X, X], 3), ValueError, "axis 3"),
    (lambda: lax.unstack(1.0), ValueError, "axis 0"),
    (lambda: lax.tile(X, (2,)), TypeError, "one non-negative entry per dimension"),
    (lambda: lax.tile(X, (-1, 2)), TypeError, "non-negative"),
    (lambda: lax.collapse(X, 2, 1), ValueError, "end before they start"),
    (lambda: lax.broadcast(X, (-1,)), TypeError, "sizes must not be negative"),
    (lambda: lax.broadcast_shapes((2, 1), (3, 2)), ValueError, "do not broadcast"),
    (lambda: lax.dynamic_slice(X, (0, 0), (4, 2)), TypeError, r"sizes must be between .* \(4, 2\)"),
    (lambda: lax.dynamic_slice(X, (0,), (1, 1)), ValueError, "one start index per dimension"),
    (lambda: lax.dynamic_slice(X, (0, 0), (1,)), TypeError, "one size per dimension"),
    (lambda: lax.dynamic_slice(X, (0.0, 0), (1, 1)), TypeError, "integers of one dtype"),
    (lambda: lax.dynamic_slice(X, (np.int8(1), ONE), (1, 1)), TypeError, r"i8\[\], i32\[\]"),
    (lambda: lax.dynamic_slice(X, (COUNTS[0], 0), (1, 1)), TypeError, "must be scalars"),
    (lambda: lax.dynamic_slice(X, COUNTS, (1, 1)), ValueError, "1-d array"),
    (lambda: lax.dynamic_slice(X, (0, -1), (1, 1), allow_negative_indices=False), ValueError, "-1 is negative"),
    (lambda: lax.dynamic_slice(X, (0, 1), (1, 1), allow_negative_indices=(True,)),
     ValueError, "allow_negative_indices"),
    (lambda: lax.dynamic_update_slice(X, X.T, (0, 0)), TypeError, "sizes must be between"),
    (lambda: lax.dynamic_update_slice(X, ROW, (0, 0)), TypeError, "as many dimensions"),
    (lambda: lax.dynamic_update_slice(X, COUNTS, (0, 0)), TypeError, "dtype of the operand"),
    (lambda: lax.dynamic_update_index_in_dim(X, 7.0, 1, 0), TypeError, "rank of the operand"),
    (lambda: lax.reduce_max(X, (2,)), ValueError, "reduce_max: axes must be distinct"),
    (lambda: lax.reduce_prod(FLAGS, (0,)), TypeError, "reduce_prod: the operand must"),
    (lambda: lax.reduce_and(X, (0,)), TypeError, "reduce_and: the operand must"),
    (lambda: lax.argmax(X, -1, int), ValueError, "argmax: axis must be in"),
    (lambda: lax.argmax(X, 0, float), TypeError, "index_dtype must be an integer"),
    (lambda: lax.argmin(np.zeros((0, 3)), 0, int), ValueError, "no elements to choose from"),
    (lambda: lax.argmax(COMPLEX, 0, int), TypeError, "argmax: the operand must"),
    (lambda: lax.cumsum(X, -1), ValueError, "cumsum: axis must be in"),
    (lambda: lax.cummax(FLAGS), TypeError, "cummax: the operand must"),
    (lambda: lax.cumlogsumexp(COUNTS), TypeError, "cumlogsumexp: the operand must"),
    (lambda: lax.cumsum(1.0), ValueError, "cumsum: axis must be in"),
    (lambda: lax.sort(1.0), ValueError, "sort: dimension -1"),
    (lambda: lax.sort((X, ROW)), TypeError, "equal shapes"),
    (lambda: lax.sort((X, X), num_keys=3), ValueError, "num_keys must be in"),
    (lambda: lax.sort(()), TypeError, "empty sequence"),
    (lambda: lax.top_k(ROW, 5), ValueError, r"k must be in \[0, 4\]"),
    (lambda: lax.top_k(ROW, -1), ValueError, "k must be in"),
    (lambda: lax.top_k(COMPLEX, 1), TypeError, "top_k: the operand must"),
    (lambda: lax.top_k(ROW, 1, axis=1), ValueError, "top_k: axis 1"),
    (lambda: lax.reduce((X, X), 0.0, norm, (0,)), ValueError, "same structure"),
    (lambda: lax.reduce((X, ROW), (0.0, 0.0), norm, (0,)), TypeError, "one shape"),
    (lambda: lax.reduce(X, np.int32(0), norm, (0,)), TypeError, "scalar of the dtype"),
    (lambda: lax.reduce(X, 0.0, lambda a, b: (a, b), (0,)), ValueError, "must return the structure"),
    (lambda: lax.reduce(X, 0.0, lambda a, b: lax.gt(a, b), (0,)), TypeError, r"got .* of bool\[\]"),
    (lambda: lax.reduce(X, 0.0, lambda a, b: total(a + ROW), (0,)), TypeError, "must not close over"),
]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS)
def test_errors_name_the_function_and_say_what_is_wrong(error):
    f, kind, pattern = error
    with pytest.raises(kind, match=pattern) as caught:
        f()
    assert "fungrad.lax." in str(caught.value)


# -- indices ---------------------------------------------------------------------------------------


def test_small_index_dtypes_reach_all_of_a_large_dimension():
    x = np.arange(300, dtype=np.float32)
    for dtype in (np.int8, np.uint8, np.int16):
        same(lax.dynamic_slice(x, (dtype(100),), (2,)), x[100:102])
    same(lax.dynamic_slice(x, (np.int8(-1),), (2,)), x[298:])
    traced = vmap(lambda i: lax.dynamic_slice(x, (i,), (2,)))(np.int8([-1, -100, 5]))
    same(traced, np.stack([x[298:], x[200:202], x[5:7]]))


def test_broadcast_shapes_agree_with_numpy():
    for shapes in ([], [()], [(2, 1), (3,)], [(0,), (1,)], [(4, 1, 3), (1, 2, 1), ()]):
        assert lax.broadcast_shapes(*shapes) == np.broadcast_shapes(*shapes)


def test_update_of_one_position():
    same(lax.dynamic_update_index_in_dim(X, X[1], -1, 0), np.stack([X[0], X[1], X[1]]))
    expected = X.copy()
    expected[:, 1] = X[:, 3]
    same(lax.dynamic_update_index_in_dim(X, X[:, 3], ONE, -1), expected)
    same(lax.dynamic_update_index_in_dim(X, X[:, 3:], 1, 1), expected)
    same(lax.dynamic_index_in_dim(X, 7, 0, keepdims=False), X[2])
    same(lax.dynamic_index_in_dim(X, -1, 1), X[:, 3:])
