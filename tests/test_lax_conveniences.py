"""Small functions and keywords of ``lax`` that programs written for JAX use, against JAX where it has them."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.test_util import check_grads

RNG = np.random.default_rng(0)


def grouped(x, w, sizes):
    out = np.zeros((x.shape[0], w.shape[2]), x.dtype)
    start = 0
    for matrix, n in zip(w, sizes, strict=True):
        out[start : start + n] = x[start : start + n] @ matrix
        start += n
    return out


@pytest.mark.parametrize("sizes", [[2, 3, 1], [0, 6, 0], [1, 1, 1], [0, 0, 0]])
@pytest.mark.parametrize("compile", [lambda f: f, fungrad.jit], ids=["eager", "compiled"])
def test_ragged_products(sizes, compile):
    x, w = RNG.normal(size=(6, 4)).astype("float32"), RNG.normal(size=(3, 4, 5)).astype("float32")
    expected = grouped(x, w, sizes)
    np.testing.assert_allclose(compile(lax.ragged_dot)(x, w, np.int32(sizes)), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(compile(lax.ragged_dot)(x, w, np.uint8(sizes)), expected, rtol=1e-5, atol=1e-6)
    half = compile(functools.partial(lax.ragged_dot, preferred_element_type="float32"))(
        jnp.asarray(x, "bfloat16"), jnp.asarray(w, "bfloat16"), np.int32(sizes)
    )
    assert half.dtype == "float32"
    np.testing.assert_allclose(half, expected, rtol=0.1, atol=0.1)


def test_ragged_products_differentiate_and_batch():
    x, w, sizes = jnp.asarray(RNG.normal(size=(5, 2)), "float32"), jnp.ones((2, 2, 3)) * 0.5, jnp.array([2, 3])
    check_grads(lambda a, b: lax.ragged_dot(a, b, sizes), (x, w), order=2, rtol=2e-2, atol=2e-2)
    found = fungrad.vmap(lax.ragged_dot)(jnp.stack([x, 2 * x]), jnp.stack([w, w]), jnp.array([[2, 3], [5, 0]]))
    np.testing.assert_allclose(found[1], grouped(np.asarray(2 * x), np.asarray(w), [5, 0]), rtol=1e-5)
    assert lax.ragged_dot(x, w[:0], sizes[:0]).shape == (5, 3)


@pytest.mark.parity
def test_ragged_products_are_jaxs():
    jax = pytest.importorskip("jax")
    x, w = RNG.normal(size=(6, 4)).astype("float32"), RNG.normal(size=(3, 4, 5)).astype("float32")
    for sizes in ([2, 1, 3], [1, 0, 2]):
        expected = jax.lax.ragged_dot(x, w, np.int32(sizes))
        np.testing.assert_allclose(lax.ragged_dot(x, w, np.int32(sizes)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parity
def test_small_functions_are_jaxs():
    jax = pytest.importorskip("jax")
    src = RNG.normal(size=(3, 4, 5)).astype("float32")
    idxs = [np.int32([0, -1, 5]), np.int32([3, -6, 0])]
    for axes in ((0, 1), (0, 2), (1, 2)):
        np.testing.assert_array_equal(lax.index_take(src, idxs, axes), jax.lax.index_take(src, idxs, axes))
    for x in (1.0, 2, True, 1j, float, np.float64, np.dtype("int8"), np.zeros(2), "bfloat16", np.int64(3)):
        assert lax.dtype(x) == jax.lax.dtype(x)
    for arr, like in ((np.ones(3), np.ones((2, 3))), (np.ones((2, 1)), np.ones((4, 2, 3))), (1.0, np.ones(2))):
        assert lax.broadcast_like(arr, like).shape == jax.lax.broadcast_like(arr, like).shape
    np.testing.assert_array_equal(lax.shape_as_value((2, 3)), jax.lax.shape_as_value((2, 3)))
    assert lax.empty((2, 3), "int8").dtype == jax.lax.empty((2, 3), "int8").dtype
    small = np.int8(100), np.int8(3)
    assert int(lax.mul(*small, out_dtype="int32")) == int(jax.lax.mul(*small, out_dtype="int32")) == 300


def test_choices_by_platform():
    assert lax.platform_dependent(4.0, cpu=lax.sqrt, tpu=lax.exp) == 2
    assert fungrad.jit(lambda x: lax.platform_dependent(x, cuda=lax.exp, default=lax.sqrt))(4.0) == 2
    assert fungrad.grad(lambda x: lax.platform_dependent(x, default=lambda v: v * v))(3.0) == 6


def test_composites_are_their_decomposition():
    @functools.partial(lax.composite, name="my.softmax")
    def softmax(x, /, *, axis):
        return fungrad.nn.softmax(x, axis)

    x = jnp.arange(3.0)
    np.testing.assert_allclose(fungrad.jit(functools.partial(softmax, axis=0))(x), fungrad.nn.softmax(x))
    check_grads(functools.partial(softmax, axis=0), (x,), order=1)
    assert softmax.__name__ == "softmax"


@pytest.mark.parametrize("name", "exp exp2 expm1 log log1p logistic sin cos tan tanh sqrt rsqrt cbrt".split())
def test_accuracy_is_accepted(name):
    f = getattr(lax, name)
    for accuracy in (None, lax.AccuracyMode.HIGHEST, lax.AccuracyMode.DEFAULT, lax.Tolerance(1e-5, 1e-5, 1)):
        assert f(0.5, accuracy=accuracy) == f(0.5)
    with pytest.raises(TypeError, match=rf"fungrad\.lax\.{name}: accuracy must be"):
        f(0.5, accuracy="high")
    with pytest.raises(ValueError, match="negative"):
        f(0.5, accuracy=lax.Tolerance(-1.0))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lax.broadcast_like(jnp.ones(3), jnp.ones(2)), ValueError, "broadcast_like: arr of type"),
        (lambda: lax.broadcast_like("a", jnp.ones(2)), TypeError, "broadcast_like: arr"),
        (lambda: lax.dtype(None), TypeError, "got None"),
        (lambda: lax.dtype("nonsense"), TypeError, "nonsense"),
        (lambda: lax.empty("a", "int8"), TypeError, "shape"),
        (lambda: lax.index_take(jnp.ones((2, 2)), [jnp.array([0])], (0, 1)), ValueError, "one vector of positions"),
        (lambda: lax.index_take("a", [jnp.array([0])], (0,)), TypeError, "src"),
        (lambda: lax.stage([1]), TypeError, r"lax\.stage: x"),
        (lambda: lax.platform_dependent(1.0, tpu=lax.exp), NotImplementedError, "platform cpu"),
        (lambda: lax.platform_dependent(1.0, cpu=3), TypeError, "cpu"),
        (lambda: lax.composite(3, "a"), TypeError, "decomposition"),
        (lambda: lax.composite(lax.exp, 3), TypeError, "name must be a text"),
        (lambda: lax.ragged_dot(jnp.ones(2), jnp.ones((1, 2, 2)), jnp.array([1])), TypeError, "lhs must have shape"),
        (lambda: lax.ragged_dot(jnp.ones((2, 2)), jnp.ones((1, 2, 2)), jnp.ones(1)), TypeError, "group_sizes must be"),
        (lambda: lax.ragged_dot(jnp.ones((2, 2)), jnp.ones((1, 2, 2)), jnp.array([2]), group_offset=1),
         NotImplementedError, "group_offset"),
        (lambda: lax.mul(1.0, 2.0, out_dtype="a"), TypeError, "out_dtype|dtype"),
    ],
)  # fmt: skip
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()


RAGGED = {
    "stays": ((((1,), (1,)), ((), ())), [0], [0]),
    "contracted": ((((0,), (0,)), ((), ())), [0], []),
    "batched": ((((2,), (2,)), ((0,), (0,))), [1], [1]),
}


@pytest.mark.parametrize("kind", RAGGED)
@pytest.mark.parametrize("compile", [lambda f: f, fungrad.jit], ids=["eager", "compiled"])
def test_general_ragged_products(kind, compile):
    numbers, ragged, group = RAGGED[kind]
    rng = np.random.default_rng(0)
    sizes = np.array([2, 0, 1], np.int32)
    f = compile(lambda a, b: lax.ragged_dot_general(a, b, sizes, lax.RaggedDotDimensionNumbers(numbers, ragged, group)))
    if kind == "stays":
        x, y = rng.standard_normal((4, 5)), rng.standard_normal((3, 5, 6))
        expected = np.concatenate([x[:2] @ y[0], x[2:3] @ y[2], np.zeros((1, 6))])
    elif kind == "contracted":
        x, y = rng.standard_normal((4, 5)), rng.standard_normal((4, 6))
        expected = np.stack([x[:2].T @ y[:2], np.zeros((5, 6)), x[2:3].T @ y[2:3]])
    else:
        x, y = rng.standard_normal((2, 4, 5)), rng.standard_normal((2, 3, 5, 6))
        expected = np.concatenate([x[:, :2] @ y[:, 0], x[:, 2:3] @ y[:, 2], np.zeros((2, 1, 6))], 1)
    x, y = x.astype("float32"), y.astype("float32")
    np.testing.assert_allclose(f(x, y), expected, rtol=1e-5, atol=1e-5)
    check_grads(f, (x, y), order=2, rtol=2e-2, atol=2e-2)
    both = fungrad.vmap(f)(np.stack([x, 2 * x]), np.stack([y, y]))
    np.testing.assert_allclose(both[1], 2 * expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("compile", [lambda f: f, fungrad.jit], ids=["eager", "compiled"])
def test_scaled_products(compile):
    rng = np.random.default_rng(0)
    x, y = rng.integers(-4, 5, (2, 3, 8)), rng.integers(-4, 5, (2, 8, 5))
    scales = 2.0 ** rng.integers(-2, 3, (2, 3, 2)), 2.0 ** rng.integers(-2, 3, (2, 4, 1))
    f = compile(lambda a, b, s, t: lax.scaled_dot(a, b, lhs_scale=s, rhs_scale=t, preferred_element_type="float32"))
    found = f(
        jnp.array(x, "float8_e4m3fn"), jnp.array(y, "float32"),
        jnp.array(scales[0], "float8_e8m0fnu"), jnp.array(scales[1], "float32"),
    )  # fmt: skip
    expected = (x * np.repeat(scales[0], 4, 2)) @ (y * np.repeat(scales[1], 2, 1))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(TypeError, match="scaled_dot: the sizes of lhs_scale must divide"):
        lax.scaled_dot(jnp.ones((2, 4)), jnp.ones((4, 2)), lhs_scale=jnp.ones((2, 3)))


@pytest.mark.parametrize("compile", [lambda f: f, fungrad.jit], ids=["eager", "compiled"])
def test_random_bits_of_a_state(compile):
    draw = compile(lambda k: lax.rng_bit_generator(k, (3,)))
    state, bits = draw(jnp.array([1, 2, 3, 4], "uint32"))
    np.testing.assert_array_equal(bits, [512747620, 1298009047, 1267190206])  # XLA's
    np.testing.assert_array_equal(state, [1, 2, 4, 4])
    with pytest.raises(TypeError, match="rng_bit_generator: key must be uint32"):
        lax.rng_bit_generator(jnp.zeros(3, "uint32"), (2,))


@pytest.mark.parity
def test_random_bits_are_xlas():
    import jax

    with jax.enable_x64(True), fungrad.enable_x64(True):
        for algorithm in (0, 1, 2):
            for shape in ((), (3,), (8,), (3, 4), (3, 5), (3, 5, 7), (4, 6), (0,), (7, 1, 2)):
                for dtype in ("uint8", "uint32", "uint64"):
                    for key in (np.array([2**32 - 1, 5, 2**32 - 2, 2**32 - 1], "u4"), np.array([5, 2**64 - 2], "u8")):
                        theirs = jax.lax.rng_bit_generator(key, shape, dtype, jax.lax.RandomAlgorithm(algorithm))
                        ours = lax.rng_bit_generator(key, shape, dtype, algorithm)
                        for a, b in zip(ours, theirs, strict=True):
                            np.testing.assert_array_equal(a, b)
