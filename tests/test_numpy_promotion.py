"""Promotion and broadcasting of fungrad.numpy: laws that hold for all dtypes and shapes."""

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.errors import TypePromotionError

DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
]
SCALARS = [True, 3, 2.5, 1j]
dtypes = st.sampled_from(DTYPES)
operands = st.one_of(
    dtypes.map(lambda d: jnp.ones((), d)),
    st.sampled_from(SCALARS),
    st.sampled_from(SCALARS).map(jnp.asarray),
)


@st.composite
def broadcastable(draw, count=2):
    """Shapes that broadcast together, and the shape that they broadcast to."""
    full = draw(st.lists(st.integers(0, 3), max_size=4))
    shapes = []
    for _ in range(count):
        kept = full[draw(st.integers(0, len(full))) :]
        shapes.append(tuple(1 if draw(st.booleans()) else n for n in kept))
    return shapes


@hypothesis.given(operands, operands)
def test_sum_has_the_result_type_in_both_orders(x, y):
    try:
        dtype, weak = jnp.result_type(x, y, return_weak_type_flag=True)
    except TypePromotionError:
        with pytest.raises(TypePromotionError):
            jnp.add(x, y)
        return
    for out in (jnp.add(x, y), jnp.add(y, x)):
        assert out.dtype == dtype
        assert out.weak_type == (weak and dtype != np.bool_)


@hypothesis.given(operands, operands, operands)
def test_result_type_does_not_depend_on_order(x, y, z):
    found = {jnp.result_type(*order, return_weak_type_flag=True) for order in itertools.permutations((x, y, z))}
    assert len(found) == 1


@hypothesis.given(dtypes, st.sampled_from(SCALARS))
def test_python_scalars_keep_the_width_of_arrays(dtype, scalar):
    x = jnp.ones(2, dtype)
    out = x * scalar
    kinds = {bool: 0, int: 1, float: 2, complex: 3}
    rank = 0 if dtype == "bool" else 1 if "int" in dtype else 3 if "complex" in dtype else 2
    if kinds[type(scalar)] <= rank:
        assert out.dtype == x.dtype and not out.weak_type


@hypothesis.given(broadcastable())
def test_elementwise_functions_broadcast_as_numpy(shapes):
    x, y = (np.arange(1, 1 + int(np.prod(s)), dtype=np.float32).reshape(s) for s in shapes)
    wanted = x * 2 - y
    for function in (lambda x, y: x * 2 - y, fungrad.jit(lambda x, y: x * 2 - y)):
        out = function(jnp.asarray(x), jnp.asarray(y))
        assert out.shape == wanted.shape
        np.testing.assert_array_equal(np.asarray(out), wanted)
    assert jnp.broadcast_shapes(*shapes) == np.broadcast_shapes(*shapes)
    assert [a.shape for a in jnp.broadcast_arrays(x, y)] == [wanted.shape] * 2


@hypothesis.given(broadcastable(3))
def test_where_broadcasts_all_three_operands(shapes):
    mask = np.arange(int(np.prod(shapes[0]))).reshape(shapes[0]) % 2 == 0
    x, y = (np.random.default_rng(i).normal(size=s).astype(np.float32) for i, s in enumerate(shapes[1:]))
    np.testing.assert_array_equal(np.asarray(jnp.where(mask, x, y)), np.where(mask, x, y))


@hypothesis.given(broadcastable())
def test_gradients_have_the_shapes_of_operands(shapes):
    x, y = (jnp.ones(s) for s in shapes)
    dx, dy = fungrad.grad(lambda x, y: jnp.sum(x * y + jnp.hypot(x, y)), argnums=(0, 1))(x, y)
    assert dx.shape == x.shape and dy.shape == y.shape


@hypothesis.given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.data())
def test_reductions_over_any_axes(shape, data):
    axes = tuple(data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True)))
    keepdims = data.draw(st.booleans())
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    signed = tuple(a - len(shape) if data.draw(st.booleans()) else a for a in axes)
    for name in ("sum", "prod", "all", "any", "count_nonzero"):
        out = getattr(jnp, name)(jnp.asarray(x), axis=signed, keepdims=keepdims)
        wanted = getattr(np, name)(x, axis=axes, keepdims=keepdims)
        assert out.shape == np.shape(wanted)
        np.testing.assert_allclose(np.asarray(out), wanted, rtol=1e-5, atol=1e-5)


@hypothesis.given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.data())
def test_shape_functions_undo_each_other(shape, data):
    x = jnp.arange(float(np.prod(shape))).reshape(shape)
    order = data.draw(st.permutations(range(len(shape))))
    back = jnp.transpose(jnp.transpose(x, order), np.argsort(order))
    source, target = data.draw(st.sampled_from(range(len(shape)))), data.draw(st.sampled_from(range(len(shape))))
    shift = data.draw(st.integers(-7, 7))
    for same in (
        back,
        jnp.moveaxis(jnp.moveaxis(x, source, target), target, source),
        jnp.flip(jnp.flip(x, source), source),
        jnp.roll(jnp.roll(x, shift, source), -shift, source),
        jnp.concatenate(jnp.array_split(x, data.draw(st.integers(1, 4)), axis=source), axis=source),
        jnp.squeeze(jnp.expand_dims(x, target), target),
        jnp.stack(jnp.unstack(x, axis=source), axis=source) if shape[source] else x,
        jnp.ravel(x, order="F").reshape(shape, order="F"),
    ):
        assert same.shape == tuple(shape)
        np.testing.assert_array_equal(np.asarray(same), np.asarray(x))


def test_strict_promotion_refuses_mixed_dtypes_but_not_python_scalars():
    x, y = jnp.ones(2, "float32"), jnp.ones(2, "int32")
    with fungrad.numpy_dtype_promotion("strict"):
        with pytest.raises(TypePromotionError, match="strict"):
            x + y
        assert (x * 2.0).dtype == np.float32


def test_rank_promotion_can_be_forbidden():
    x, y = jnp.ones((2, 3)), jnp.ones(3)
    with fungrad.numpy_rank_promotion("raise"):
        with pytest.raises(ValueError, match=r"fungrad\.numpy\.add.*\(2, 3\).*\(3,\)"):
            x + y
        assert (x + 1.0).shape == (2, 3)
    with fungrad.numpy_rank_promotion("warn"), pytest.warns(UserWarning, match="different ranks"):
        x + y


def test_width_follows_the_switch_unless_a_dtype_is_requested():
    assert jnp.asarray(np.ones(2)).dtype == np.float32
    assert jnp.asarray(np.ones(2), dtype=np.float64).dtype == np.float64
    assert (jnp.float64(1) + 1).dtype == np.float64
    assert jnp.arange(3).dtype == np.int32
    with fungrad.enable_x64():
        assert jnp.asarray(np.ones(2)).dtype == np.float64
        assert jnp.arange(3).dtype == np.int64
        assert jnp.zeros(1, float).dtype == jnp.float_.dtype == np.float64
    assert jnp.float_.dtype == np.float32


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(OverflowError):
        jnp.asarray(2**40)
    with pytest.raises(OverflowError):
        jnp.asarray(np.array([2**40]))
    with pytest.raises(OverflowError):
        jnp.array([300], dtype="uint8")
    with pytest.raises(OverflowError):
        jnp.uint8(-1)
    assert int(jnp.array(2**40, dtype="int64")) == 2**40


def test_scalar_types_stand_for_dtypes():
    assert np.dtype(jnp.float32) == np.float32
    x = jnp.ones(2, jnp.bfloat16)
    assert x.dtype == jnp.bfloat16 and jnp.bfloat16 == x.dtype and x.dtype != jnp.float32
    assert {jnp.float32: 1}[np.float32] == 1
    assert jnp.issubdtype(jnp.bfloat16, jnp.floating)
    assert isinstance(jnp.float32(3), Array) and not jnp.float32(3).weak_type
    assert isinstance(np.float32(3), jnp.float32)
    assert np.zeros(2, dtype=jnp.int8).dtype == np.int8
    assert jnp.int_(3).dtype == np.int32


@pytest.mark.parity
def test_weak_types_of_booleans_and_updates():
    jax = pytest.importorskip("jax")

    def weak(lib):
        xnp, number = lib.numpy, lib.numpy.asarray(1j)
        array = xnp.zeros(3, bool) + 1
        results = [getattr(xnp, name)(number, 2j) for name in ("less", "less_equal", "greater", "greater_equal")]
        results += [xnp.less(xnp.array([1j]), 2j), xnp.isfinite(1j), xnp.isfinite(xnp.array([1j])), xnp.isinf(1.0)]
        results += [xnp.isposinf(1.0), xnp.isneginf(1.0), xnp.heaviside(1.0, 1.0), xnp.heaviside(xnp.zeros(1), 1.0)]
        results += [lib.lax.dynamic_update_slice(array, array, (0,)), lib.lax.dynamic_slice(array, (0,), (2,))]
        return [(r.dtype.name, r.weak_type) for r in results]

    assert weak(fungrad) == weak(jax)
