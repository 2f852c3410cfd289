"""Contraction: ``dot_general``, its derivatives and its batching."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.array import as_array, wrap
from fungrad.core.avals import ShapedArray
from fungrad.ops.dot import Precision, batch_matmul, dot, dot_general
from fungrad.ops.elementwise import mul
from fungrad.ops.foundation import reduce_sum
from fungrad.transforms.api import grad, jvp, vjp
from fungrad.transforms.inspection import make_jaxpr
from fungrad.transforms.mapping import vmap

DTYPES = ["bool", "int8", "uint8", "int32", "uint32", "bfloat16", "float16", "float32", "complex64"]


def array(rng, shape, dtype="float32"):
    dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
    if dtype.kind == "c":
        data = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    elif dtype.kind in "iub":
        data = rng.integers(0, 2 if dtype.kind == "b" else 9, size=shape)
    else:
        data = rng.normal(size=shape)
    data = np.asarray(data).astype(dtype)
    return wrap(data, ShapedArray(data.shape, data.dtype))


def close(actual, expected, rtol=1e-5, atol=1e-5):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    if actual.dtype.kind not in "iubc":
        actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def reference(x, y, numbers):
    """The product by einsum over named dimensions."""
    (inner_x, inner_y), (batch_x, batch_y) = numbers
    x, y = np.asarray(x), np.asarray(y)
    names_x, names_y = [None] * x.ndim, [None] * y.ndim
    fresh = iter(range(50))
    groups = []
    for dims_x, dims_y in ((batch_x, batch_y), (inner_x, inner_y)):
        for a, b in zip(dims_x, dims_y, strict=True):
            names_x[a] = names_y[b] = next(fresh)
        groups.append([names_x[a] for a in dims_x])
    free = []
    for names in (names_x, names_y):
        for d, name in enumerate(names):
            if name is None:
                names[d] = next(fresh)
                free.append(names[d])
    return np.einsum(x, names_x, y, names_y, groups[0] + free)


@st.composite
def products(draw):
    """Shapes and dimension numbers of a product, with sizes 0 and 1 among them."""
    n_batch, n_inner = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    n_rows, n_columns = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    size = st.sampled_from([0, 1, 2, 3, 4])
    shared = [draw(size) for _ in range(n_batch + n_inner)]
    order_x = draw(st.permutations(range(n_batch + n_inner + n_rows)))
    order_y = draw(st.permutations(range(n_batch + n_inner + n_columns)))
    shape_x, shape_y = [0] * len(order_x), [0] * len(order_y)
    for order, shape in ((order_x, shape_x), (order_y, shape_y)):
        for position, d in enumerate(order):
            shape[d] = shared[position] if position < len(shared) else draw(size)
    batch = tuple(order_x[:n_batch]), tuple(order_y[:n_batch])
    inner = tuple(order_x[n_batch : len(shared)]), tuple(order_y[n_batch : len(shared)])
    return tuple(shape_x), tuple(shape_y), (inner, batch)


@given(products(), st.sampled_from(["int32", "float32", "complex64"]), st.integers(0, 1000))
@settings(max_examples=200, deadline=None)
def test_value_is_that_of_einsum(product, dtype, seed):
    shape_x, shape_y, numbers = product
    rng = np.random.default_rng(seed)
    x, y = array(rng, shape_x, dtype), array(rng, shape_y, dtype)
    close(dot_general(x, y, numbers), reference(x, y, numbers))


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_of_plain_products(dtype):
    rng = np.random.default_rng(0)
    x, y = array(rng, (3, 5), dtype), array(rng, (5, 4), dtype)
    out = dot(x, y)
    assert out.dtype == x.dtype
    wide = np.complex128 if dtype == "complex64" else np.float64
    expected = (np.asarray(x).astype(wide) @ np.asarray(y).astype(wide)).astype(x.dtype)
    tolerance = {"bfloat16": 1e-2, "float16": 1e-3}.get(dtype, 1e-5)
    close(out, expected, tolerance, tolerance)


def test_half_precision_sums_are_accumulated_in_float32():
    ones = np.ones(4096, np.float16)
    assert float(dot(ones, ones)) == 4096.0
    halves = as_array(np.ones(1000, ml_dtypes.bfloat16))
    assert float(dot(halves, halves)) == 1000.0


def test_integers_wrap():
    x = np.full((1, 2), 100, np.int8)
    assert np.asarray(dot(x, x.T)).item() == np.int32(20000).astype(np.int8)


def test_preferred_element_type_is_the_dtype_of_the_sums():
    x = np.full((1, 2), 100, np.int8)
    out = dot(x, x.T, preferred_element_type="int32")
    assert out.dtype == np.int32 and int(out.item()) == 20000
    ones = as_array(np.ones((1, 300), ml_dtypes.bfloat16))
    out = dot_general(ones, ones, (((1,), (1,)), ((), ())), preferred_element_type=np.float32)
    assert out.dtype == np.float32 and float(out.item()) == 300.0


@pytest.mark.parametrize("rank_x, rank_y", [(1, 1), (1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_dot_of_vectors_and_matrices(rank_x, rank_y, layout):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, 8)[-rank_x:]), rng.normal(size=(8, 10)[:rank_y])
    if layout == "F":
        x, y = np.asfortranarray(x), np.asfortranarray(y)
    x, y = x.astype(np.float32), y.astype(np.float32)
    if layout == "strided":
        x, y = x[..., ::2], y[::2]
    wrapped = [wrap(a, ShapedArray(a.shape, a.dtype)) for a in (x, y)]
    close(dot(*wrapped), np.dot(x, y))


def test_batch_matmul():
    rng = np.random.default_rng(2)
    x, y = array(rng, (2, 5, 3, 4)), array(rng, (2, 5, 4, 6))
    close(batch_matmul(x, y), np.asarray(x) @ np.asarray(y))


def test_bool_product_is_a_disjunction():
    x = np.array([[True, True], [False, True], [False, False]])
    np.testing.assert_array_equal(dot(x, np.array([[True, False], [True, False]])), [[1, 0], [1, 0], [0, 0]])
    assert np.asarray(dot_general(x, x, (((), ()), ((0,), (0,))))).dtype == np.bool_


def test_python_scalars_take_the_dtype_of_the_other_operand():
    assert dot_general(as_array(np.float16(3)), 2, (((), ()), ((), ()))).dtype == np.float16


def test_weak_types():
    one = as_array(1.0)
    numbers = (((), ()), ((), ()))
    assert dot_general(one, one, numbers).weak_type
    assert not dot_general(one, one, numbers, preferred_element_type="float32").weak_type
    assert not dot_general(one, np.float32(1), numbers).weak_type


@pytest.mark.parametrize(
    "numbers, words",
    [
        ((((1,), (1,)), ((), ())), "contracting dimensions must have the same sizes"),
        ((((1,), (0,)), ((0,), (0,))), "rhs of type f32\\[3,4\\].* must be distinct"),
        ((((1, 1), (0, 0)), ((), ())), "lhs of type f32\\[2,3\\].* must be distinct"),
        ((((5,), (0,)), ((), ())), "in \\[0, 2\\)"),
        ((((-1,), (0,)), ((), ())), "in \\[0, 2\\)"),
        ((((1,), (0,)), ((0,), (1,))), "batch dimensions must have the same sizes"),
        ((((0, 1), (0,)), ((), ())), "contracting dimensions must have the same sizes"),
    ],
)
def test_wrong_dimension_numbers(numbers, words):
    with pytest.raises(TypeError, match=words):
        dot_general(np.ones((2, 3)), np.ones((3, 4)), numbers)


def test_other_errors_say_what_is_expected():
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match="fungrad.lax.dot: operands must be vectors or matrices"):
        dot(x, x)
    with pytest.raises(TypeError, match="fungrad.lax.batch_matmul: operands must have the same rank"):
        batch_matmul(x, x[0])
    with pytest.raises(TypeError, match="preferred_element_type must be able to hold"):
        dot(x * 1j, x.T, preferred_element_type="float16")
    with pytest.raises(TypeError, match="preferred_element_type must be able to hold"):
        dot(np.int32([[1]]), np.int32([[1]]), preferred_element_type="int8")
    with pytest.raises(ValueError, match="precision must be"):
        dot(x, x.T, precision="exact")
    with pytest.raises(TypeError, match="got \\[1.0\\] of type list"):
        dot([1.0], np.ones(1))


def test_precision_is_recorded_as_a_pair():
    jaxpr = make_jaxpr(lambda x: dot(x, x, precision="high"))(np.ones(3))
    assert jaxpr.eqns[0].params["precision"] == (Precision.HIGH, Precision.HIGH)
    jaxpr = make_jaxpr(lambda x: dot(x, x, precision=("default", "highest")))(np.ones(3))
    assert jaxpr.eqns[0].params["precision"] == (Precision.DEFAULT, Precision.HIGHEST)


# -- derivatives -------------------------------------------------------------------------------------------------------


def sum_of(x):
    return reduce_sum(x, tuple(range(x.ndim)))


@given(products(), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_derivatives_are_bilinear_and_adjoint(product, seed):
    shape_x, shape_y, numbers = product
    rng = np.random.default_rng(seed)
    x, y, dx, dy = (array(rng, s) for s in (shape_x, shape_y, shape_x, shape_y))
    product_of = lambda a, b: dot_general(a, b, numbers)  # noqa: E731
    out, tangent = jvp(product_of, (x, y), (dx, dy))
    close(tangent, reference(dx, y, numbers) + reference(x, dy, numbers), 1e-4, 1e-4)
    ct = array(rng, out.shape)
    _, pullback = vjp(product_of, x, y)
    ct_x, ct_y = pullback(ct)
    assert ct_x.shape == x.shape and ct_y.shape == y.shape
    forward = np.vdot(ct, tangent)
    backward = np.vdot(ct_x, dx) + np.vdot(ct_y, dy)
    np.testing.assert_allclose(forward, backward, rtol=1e-3, atol=1e-3)


def test_gradient_of_the_same_operand_twice():
    x = array(np.random.default_rng(3), (4,))
    close(grad(lambda x: dot(x, x))(x), 2 * np.asarray(x))
    close(grad(lambda x: sum_of(grad(lambda y: mul(dot(y, y), dot(y, y)))(x)))(x),
          4 * (np.vdot(x, x) + 2 * np.asarray(x) * np.sum(np.asarray(x))), 1e-4, 1e-4)  # fmt: skip


def test_gradient_keeps_the_dtype_of_its_operand():
    x = as_array(np.ones((2, 3), ml_dtypes.bfloat16))
    y = as_array(np.ones((3, 2), np.float32))
    fun = lambda x, y: sum_of(dot(x, y, preferred_element_type=np.float32))  # noqa: E731
    gx, gy = grad(fun, (0, 1))(x, y)
    assert gx.dtype == ml_dtypes.bfloat16 and gy.dtype == np.float32


# -- vmap --------------------------------------------------------------------------------------------------------------


@given(products(), st.integers(0, 3), st.data())
@settings(max_examples=100, deadline=None)
def test_vmap_equals_a_loop(product, size, data):
    shape_x, shape_y, numbers = product
    rng = np.random.default_rng(4)
    dims = [data.draw(st.none() | st.integers(0, len(s))) for s in (shape_x, shape_y)]
    if dims == [None, None]:
        dims[0] = 0
    args, examples = [], []
    for shape, d in zip((shape_x, shape_y), dims, strict=True):
        full = shape if d is None else (*shape[:d], size, *shape[d:])
        x = array(rng, full)
        args.append(x)
        examples.append([np.asarray(x) if d is None else np.take(x, i, d) for i in range(size)])
    out = vmap(lambda a, b: dot_general(a, b, numbers), in_axes=tuple(dims))(*args)
    if size == 0:
        assert out.shape == (0, *reference(np.zeros(shape_x), np.zeros(shape_y), numbers).shape)
        return
    expected = np.stack([reference(a, b, numbers) for a, b in zip(*examples, strict=True)])
    close(out, expected)


# -- parity ------------------------------------------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("x, y", list(itertools.product(DTYPES, DTYPES)))
def test_mixed_dtypes_as_jax(x, y):
    jax = pytest.importorskip("jax")
    numbers = (((1,), (0,)), ((), ()))
    rng = np.random.default_rng(5)
    a, b = np.asarray(array(rng, (2, 3), x)), np.asarray(array(rng, (3, 2), y))
    expected = jax.lax.dot_general(a, b, numbers)
    close(dot_general(a, b, numbers), expected, 2e-2, 2e-2)


@pytest.mark.parity
def test_jaxprs_are_those_of_jax():
    jax = pytest.importorskip("jax")
    x, y, ct = np.ones((2, 5, 3), np.float32), np.ones((3, 2, 4, 5), np.float32), np.ones((5, 3, 3, 4), np.float32)
    numbers = (((0,), (1,)), ((1,), (3,)))
    mine = make_jaxpr(lambda x, y, ct: vjp(lambda *a: dot_general(*a, numbers), x, y)[1](ct))(x, y, ct)
    their_product = lambda *a: jax.lax.dot_general(*a, numbers)  # noqa: E731
    theirs = jax.make_jaxpr(lambda x, y, ct: jax.vjp(their_product, x, y)[1](ct))(x, y, ct)

    def listing(jaxpr):
        return sorted(
            (e.primitive.name, str(e.params.get("dimension_numbers")), str(e.params.get("permutation")))
            for e in jaxpr.eqns
        )

    theirs = [e for e in listing(theirs) if e != ("dot_general", str(numbers), "None")]
    mine = [e for e in listing(mine) if e != ("dot_general", str(numbers), "None")]
    assert mine == theirs
    assert len(mine) == 4


def test_algorithms_are_levels_of_precision():
    a = jnp.ones((2, 3))
    algorithm = lax.DotAlgorithm("bfloat16", "bfloat16", "float32", num_primitive_operations=3)
    for precision in (lax.DotAlgorithmPreset.BF16_BF16_F32, "TF32_TF32_F32", algorithm):
        assert np.array_equal(jnp.matmul(a, a.T, precision=precision), np.full((2, 2), 3.0))
    with pytest.raises(NotImplementedError, match="float64"):
        jnp.matmul(a, a.T, precision=lax.DotAlgorithmPreset.F64_F64_F64)
