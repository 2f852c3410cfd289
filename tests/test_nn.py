"""fungrad.nn: activation functions (also at their kinks), normalizations, attention, initializers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import nn, random
from fungrad.nn import initializers
from fungrad.test_util import check_grads

RNG = np.random.default_rng(0)
INF, NAN = math.inf, math.nan


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(x, 0)


# Each function: its formula in double precision, and where its derivative jumps.
ACTIVATIONS = {
    "relu": (lambda x: np.maximum(x, 0), (0,)),
    "relu6": (lambda x: np.clip(x, 0, 6), (0, 6)),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), (0,)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), ()),
    "celu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), ()),
    "selu": (
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
        (0,),
    ),
    "gelu": (lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), ()),
    "sigmoid": (sigmoid, ()),
    "silu": (lambda x: x * sigmoid(x), ()),
    "swish": (lambda x: x * sigmoid(x), ()),
    "softplus": (softplus, ()),
    "mish": (lambda x: x * np.tanh(softplus(x)), ()),
    "log_sigmoid": (lambda x: -softplus(-x), ()),
    "soft_sign": (lambda x: x / (1 + np.abs(x)), ()),
    "squareplus": (lambda x: (x + np.sqrt(x**2 + 4)) / 2, ()),
    "sparse_plus": (lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)), ()),
    "sparse_sigmoid": (lambda x: np.clip((x + 1) / 2, 0, 1), (-1, 1)),
    "hard_sigmoid": (lambda x: np.clip(x + 3, 0, 6) / 6, (-3, 3)),
    "hard_silu": (lambda x: x * np.clip(x + 3, 0, 6) / 6, (-3, 3)),
    "hard_swish": (lambda x: x * np.clip(x + 3, 0, 6) / 6, (-3, 3)),
    "hard_tanh": (lambda x: np.clip(x, -1, 1), (-1, 1)),
    "tanh": (np.tanh, ()),
    "identity": (lambda x: x, ()),
}
activations = pytest.mark.parametrize("name", ACTIVATIONS)
POINTS = np.array([-30, -7, -3.5, -2, -1.5, -0.6, -1e-3, 1e-3, 0.4, 0.9, 1.3, 2.7, 4, 5.5, 6.5, 20])


@activations
@pytest.mark.parametrize("dtype, rtol", [("float32", 3e-6), ("float64", 1e-12), ("float16", 5e-3)])
def test_values(name, dtype, rtol):
    formula, _ = ACTIVATIONS[name]
    x = jnp.asarray(POINTS, dtype)
    out = getattr(nn, name)(x)
    assert out.dtype == jnp.dtype(dtype) and out.shape == x.shape
    atol = rtol if dtype == "float16" else rtol / 10
    np.testing.assert_allclose(np.asarray(out, float), formula(np.asarray(x, float)), rtol=rtol, atol=atol)
    for shape in ((), (0, 3), (2, 8)):
        part = jnp.resize(x, shape) if math.prod(shape) else jnp.zeros(shape, dtype)
        assert getattr(nn, name)(part).shape == shape


@activations
def test_derivatives(name):
    formula, jumps = ACTIVATIONS[name]
    away = [p for p in POINTS if all(abs(p - j) > 0.05 for j in (*jumps, -1, 0, 1)) and abs(p) < 10]
    check_grads(getattr(nn, name), (jnp.asarray(away, "float64"),), order=2)


@activations
def test_jit_and_vmap(name):
    f = getattr(nn, name)
    x = jnp.asarray(POINTS, "float32")
    np.testing.assert_allclose(fungrad.jit(f)(x), f(x), rtol=3e-6, atol=1e-7)
    np.testing.assert_array_equal(fungrad.vmap(f)(x), f(x))
    gradient = fungrad.vmap(fungrad.grad(f))(x)
    np.testing.assert_allclose(fungrad.jit(fungrad.vmap(fungrad.grad(f)))(x), gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name, at, derivative",
    [
        ("relu", 0, 0),
        ("relu", -0.0, 0),
        ("relu6", 0, 0),
        ("relu6", 6, 0),
        ("leaky_relu", 0, 1),
        ("elu", 0, 1),
        ("celu", 0, 1),
        ("selu", 0, 1.0507009873554805 * 1.6732632423543772),
        ("hard_sigmoid", -3, 0),
        ("hard_sigmoid", 3, 0),
        ("hard_silu", 3, 1),
        ("hard_tanh", 1, 1),
        ("hard_tanh", -1, 1),
        ("sparse_plus", 1, 1),
        ("sparse_plus", -1, 0),
        ("sparse_sigmoid", 1, 0.25),
        ("sparse_sigmoid", -1, 0.25),
        ("soft_sign", 0, 1),
        ("softplus", 0, 0.5),
    ],
)
def test_derivatives_at_kinks(name, at, derivative):
    x = jnp.float32(at)
    f = getattr(nn, name)
    np.testing.assert_allclose(fungrad.grad(f)(x), derivative, rtol=1e-6)
    np.testing.assert_allclose(fungrad.jvp(f, (x,), (jnp.float32(1),))[1], derivative, rtol=1e-6)


@pytest.mark.parametrize(
    "name, low, high, slope_low, slope_high",
    [
        ("relu", 0, INF, 0, 1),
        ("sigmoid", 0, 1, 0, 0),
        ("softplus", 0, INF, 0, 1),
        ("log_sigmoid", -INF, 0, 1, 0),
        ("elu", -1, INF, 0, 1),
        ("tanh", -1, 1, 0, 0),
        ("hard_tanh", -1, 1, 0, 0),
        ("relu6", 0, 6, 0, 0),
    ],
)
def test_far_away(name, low, high, slope_low, slope_high):
    f = getattr(nn, name)
    for big in (1e4, INF):
        assert float(f(jnp.float32(-big))) == (low if low != -INF else -big)
        assert float(f(jnp.float32(big))) == (high if high != INF else big)
        assert float(fungrad.grad(f)(jnp.float32(-big))) == slope_low
        assert float(fungrad.grad(f)(jnp.float32(big))) == slope_high
    assert math.isnan(float(f(jnp.float32(NAN))))


def test_softplus_is_accurate_and_smooth():
    x = np.linspace(-80, 80, 801).astype(np.float32)
    np.testing.assert_allclose(nn.softplus(x), softplus(x.astype(float)), rtol=3e-7)
    for f, g in ((nn.softplus, nn.sigmoid), (fungrad.grad(nn.softplus), fungrad.grad(nn.sigmoid))):
        np.testing.assert_allclose(
            fungrad.vmap(fungrad.grad(f))(jnp.asarray(x)), fungrad.vmap(g)(jnp.asarray(x)), rtol=1e-4, atol=3e-7
        )


def test_gelu_of_the_normal_distribution():
    from scipy import special

    x = np.linspace(-8, 4, 50)
    exact = nn.gelu(jnp.asarray(x, "float64"), approximate=False)
    np.testing.assert_allclose(exact, x * special.ndtr(x), rtol=1e-12)
    np.testing.assert_allclose(nn.gelu(jnp.asarray(x)), x * special.ndtr(x), atol=2e-3)
    check_grads(lambda x: nn.gelu(x, False), (jnp.asarray(x[::5], "float64"),), order=2)


def test_log1mexp():
    x = jnp.asarray([1e-8, 1e-3, 0.5, math.log(2), 1.0, 30.0, 200.0], "float64")
    np.testing.assert_allclose(nn.log1mexp(x)[:5], np.log(-np.expm1(-np.asarray(x[:5]))), rtol=1e-12)
    np.testing.assert_allclose(nn.log1mexp(x)[5:], np.log1p(-np.exp(-np.asarray(x[5:]))), rtol=1e-12)
    np.testing.assert_allclose(fungrad.vmap(fungrad.grad(nn.log1mexp))(x), 1 / np.expm1(np.asarray(x)), rtol=1e-9)
    assert float(fungrad.grad(nn.log1mexp)(0.0)) == INF and float(nn.log1mexp(0.0)) == -INF


def test_parameters_of_activations():
    x = jnp.asarray([-2.0, 3.0])
    np.testing.assert_allclose(nn.leaky_relu(x, 0.3), [-0.6, 3])
    np.testing.assert_allclose(nn.elu(x, 2.0), [2 * np.expm1(-2), 3], rtol=1e-6)
    np.testing.assert_allclose(nn.celu(x, 2.0), [2 * np.expm1(-1), 3], rtol=1e-6)
    np.testing.assert_allclose(nn.squareplus(x, 0), [0, 3])
    check_grads(lambda a: nn.celu(x, a), (jnp.asarray(1.7, "float64"),), order=1)


def test_integers_and_scalars():
    x = np.array([-2, 0, 3])
    for name in ("sigmoid", "silu", "softplus", "elu", "celu", "gelu", "mish", "hard_sigmoid", "relu6"):
        out = getattr(nn, name)(x)
        assert out.dtype == np.float32
        np.testing.assert_allclose(out, ACTIVATIONS[name][0](x.astype(float)), rtol=1e-5)
    assert nn.relu(x).dtype == nn.hard_tanh(x).dtype == np.int32
    assert nn.relu(2.0).weak_type and nn.sigmoid(1.0).weak_type
    for name in ("relu", "softplus", "gelu", "elu"):
        with pytest.raises(TypeError, match=rf"nn.{name}: x must be an array or a scalar, got \[1, 2\]"):
            getattr(nn, name)([1, 2])


def test_glu():
    x = RNG.normal(size=(3, 4, 2))
    np.testing.assert_allclose(nn.glu(jnp.asarray(x), 1), x[:, :2] * sigmoid(x[:, 2:]), rtol=1e-5)
    check_grads(nn.glu, (jnp.asarray(x, "float64"),), order=1)
    with pytest.raises(ValueError, match="axis 0 must be even"):
        nn.glu(jnp.asarray(x), 0)
    with pytest.raises(ValueError, match="axis 3"):
        nn.glu(jnp.asarray(x), 3)


def test_one_hot():
    x = np.array([[0, 2], [-1, 7]])
    eye = np.array([[[1, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]])
    for axis in (0, 1, 2, -1, -3):
        np.testing.assert_array_equal(nn.one_hot(x, 3, axis=axis), np.moveaxis(eye, -1, axis))
    for dtype in ("float32", "int8", bool, "bfloat16", "float64"):
        assert nn.one_hot(x, 3, dtype=dtype).dtype == jnp.dtype(dtype)
    np.testing.assert_array_equal(nn.one_hot(np.uint8([1, 255]), 300).argmax(-1), [1, 255])
    assert nn.one_hot(np.zeros((0, 2), int), 4).shape == (0, 2, 4) and nn.one_hot(1, 0).shape == (0,)
    np.testing.assert_array_equal(fungrad.vmap(lambda i: nn.one_hot(i, 3))(jnp.arange(3)), np.eye(3))
    with pytest.raises(TypeError, match="num_classes must be an int"):
        fungrad.jit(nn.one_hot)(x, 3)
    with pytest.raises(ValueError, match="axis 3"):
        nn.one_hot(x, 3, axis=3)


# -- normalizations ---------------------------------------------------------------------------------------------------

X = RNG.normal(size=(3, 4, 5)) * 3
WHERE = RNG.random((3, 4, 5)) > 0.3
WHERE[:, 0], WHERE[0] = True, True  # at least one element along every axis
axes = pytest.mark.parametrize("axis", [-1, 0, (0, 2), None, 1, (-1, -2)])


def reference_logsumexp(x, axis, b=1.0, where=True):
    return np.log(np.sum(b * np.exp(x), axis=axis, where=where))


@axes
@pytest.mark.parametrize("where", [None, WHERE], ids=["all", "where"])
def test_softmax_and_friends(axis, where):
    mask = True if where is None else where
    x = jnp.asarray(X, "float64")
    total = reference_logsumexp(X, axis, where=mask)
    kept = np.log(np.sum(np.exp(X), axis=axis, where=mask, keepdims=True))
    np.testing.assert_allclose(nn.logsumexp(x, axis, where=where), total, rtol=1e-12)
    np.testing.assert_allclose(nn.logsumexp(x, axis, where=where, keepdims=True), kept, rtol=1e-12)
    probabilities = np.where(mask, np.exp(X - kept), 0)
    np.testing.assert_allclose(nn.softmax(x, axis, where), probabilities, rtol=1e-12)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(nn.log_softmax(x, axis, where), np.where(mask, X - kept, -INF), rtol=1e-10)
    count = np.sum(np.broadcast_to(mask, X.shape), axis=axis)
    np.testing.assert_allclose(nn.logmeanexp(x, axis, where), total - np.log(count), rtol=1e-10, atol=1e-12)
    for f in (nn.softmax, nn.logsumexp, nn.logmeanexp):
        check_grads(lambda x, f=f: f(x, axis, where=where), (x,), order=2)
    check_grads(lambda x: jnp.where(mask, nn.log_softmax(x, axis, where), 0), (x,), order=2)
    for f in (nn.softmax, nn.log_softmax, nn.logsumexp):
        compiled = fungrad.jit(lambda x, f=f: f(x, axis, where=where))
        np.testing.assert_allclose(compiled(x), f(x, axis, where=where), rtol=1e-12)


def test_softmax_does_not_overflow():
    x = jnp.asarray([1e30, 0.0, -1e30])
    np.testing.assert_array_equal(nn.softmax(x), [1, 0, 0])
    np.testing.assert_array_equal(nn.log_softmax(x), np.float32([0, -1e30, -2e30]))
    assert float(nn.logsumexp(x)) == float(jnp.float32(1e30))
    np.testing.assert_array_equal(nn.softmax(jnp.asarray([-INF, 0.0, 0.0])), [0, 0.5, 0.5])
    np.testing.assert_array_equal(
        fungrad.grad(lambda x: nn.softmax(x)[1])(jnp.asarray([-INF, 0.0, 0.0])), [0, 0.25, -0.25]
    )
    assert nn.softmax(jnp.zeros((2, 0))).shape == (2, 0)
    assert nn.softmax(jnp.asarray([1, 2, 3])).dtype == np.float32


def test_logsumexp_of_extremes():
    assert float(nn.logsumexp(jnp.asarray([INF, 1.0]))) == INF
    assert float(nn.logsumexp(jnp.asarray([-INF, -INF]))) == -INF
    assert float(nn.logsumexp(jnp.zeros(0))) == -INF
    assert math.isnan(float(nn.logsumexp(jnp.asarray([NAN, 1.0]))))
    np.testing.assert_array_equal(fungrad.grad(nn.logsumexp)(jnp.asarray([-INF, 0.0])), [0, 1])
    assert nn.logsumexp(3).shape == () and nn.logsumexp(jnp.arange(3)).dtype == np.float32
    assert nn.logsumexp(jnp.ones((2, 3)), axis=()).shape == (2, 3)


def test_logsumexp_with_weights():
    b = RNG.normal(size=(4, 1))
    value, sign = nn.logsumexp(jnp.asarray(X, "float64"), 1, jnp.asarray(b, "float64"), return_sign=True)
    total = np.sum(b * np.exp(X), 1)
    np.testing.assert_allclose(np.asarray(sign) * np.exp(np.asarray(value)), total, rtol=1e-10)
    plain = np.asarray(nn.logsumexp(jnp.asarray(X, "float64"), 1, jnp.asarray(b, "float64")))
    np.testing.assert_array_equal(np.isnan(plain), total < 0)
    # Weight 0 leaves out even an infinity.
    assert float(nn.logsumexp(jnp.asarray([INF, 2.0]), b=jnp.asarray([0.0, 1.0]))) == 2.0
    assert nn.logsumexp(jnp.asarray([1, 2]), b=2).dtype == np.float32
    operands = (jnp.asarray(X, "float64"), jnp.asarray(b, "float64"))
    check_grads(lambda x, b: nn.logsumexp(x, 0, jnp.square(b)), operands, 2)


def test_logsumexp_of_complex_numbers():
    z = (X + 1j * RNG.normal(size=X.shape)).astype(np.complex128)
    total = np.asarray(nn.logsumexp(jnp.asarray(z, "complex128"), 0))
    np.testing.assert_allclose(np.exp(total), np.exp(z).sum(0), rtol=1e-10)
    value, sign = nn.logsumexp(jnp.asarray(z, "complex128"), 0, return_sign=True)
    np.testing.assert_allclose(np.asarray(sign) * np.exp(np.asarray(value)), np.exp(z).sum(0), rtol=1e-10)


@axes
@pytest.mark.parametrize("algorithm", ["fast", "stable"])
def test_standardize(axis, algorithm):
    x = jnp.asarray(X, "float64")
    out = np.asarray(nn.standardize(x, axis, epsilon=0.0, algorithm=algorithm))
    np.testing.assert_allclose(out.mean(axis), 0, atol=1e-9)
    np.testing.assert_allclose(out.var(axis), 1, rtol=1e-9)
    masked = nn.standardize(x, axis, where=WHERE, epsilon=0.1, algorithm=algorithm)
    mean = X.mean(axis, where=WHERE, keepdims=True)
    variance = X.var(axis, where=WHERE, keepdims=True)
    np.testing.assert_allclose(masked, (X - mean) / np.sqrt(variance + 0.1), rtol=1e-7, atol=1e-9)
    check_grads(lambda x: nn.standardize(x, axis, algorithm=algorithm), (x,), order=2, rtol=1e-4)


def test_standardize_with_known_moments():
    out = nn.standardize(jnp.asarray(X), mean=X[0, 0], variance=X[1, 1] ** 2, epsilon=1e-3)
    np.testing.assert_allclose(out, (X - X[0, 0]) / np.sqrt(X[1, 1] ** 2 + 1e-3), rtol=1e-5)
    assert np.isfinite(nn.standardize(jnp.full((4,), 1e4))).all()
    with pytest.raises(ValueError, match="'fast' or 'stable', got 'slow'"):
        nn.standardize(jnp.ones(3), algorithm="slow")


# -- attention --------------------------------------------------------------------------------------------------------

B, T, S, N, K, H = 2, 5, 6, 4, 2, 3
QUERY, KEYS, VALUES = (RNG.normal(size=s).astype(np.float32) for s in ((B, T, N, H), (B, S, K, H), (B, S, K, H)))
BIAS = RNG.normal(size=(1, N, T, S)).astype(np.float32)
MASK = RNG.random((B, 1, T, S)) > 0.3
ATTENTION = [
    {},
    {"bias": BIAS},
    {"mask": MASK},
    {"is_causal": True},
    {"scale": 0.3},
    {"query_seq_lengths": np.int32([2, 5])},
    {"key_value_seq_lengths": np.int32([2, 5])},
    {"local_window_size": 1},
    {"local_window_size": (2, 0)},
    {"bias": BIAS, "mask": MASK, "is_causal": True, "query_seq_lengths": np.int32([2, 5]), "return_residual": True},
]


def reference_attention(q, k, v, b, options):
    """Attention of one example, head by head and query by query."""
    out = np.zeros((T, N, H))
    left, right = np.broadcast_to(options.get("local_window_size", S), (2,))
    for n in range(N):
        keys, values = k[:, n // (N // K)], v[:, n // (N // K)]
        for t in range(options.get("query_seq_lengths", [T] * B)[b]):
            logits = keys @ q[t, n] * options.get("scale", H**-0.5)
            if "bias" in options:
                logits = logits + options["bias"][0, n, t]
            chosen = np.ones(S, bool)
            if "mask" in options:
                chosen &= options["mask"][b, 0, t]
            s = np.arange(S)
            chosen &= s < options.get("key_value_seq_lengths", [S] * B)[b]
            chosen &= (s >= t - left) & (s <= t + right)
            if options.get("is_causal"):
                chosen &= s <= t
            weights = np.where(chosen, np.exp(logits), 0) if chosen.any() else np.ones(S)
            out[t, n] = weights @ values / weights.sum()
    return out


@pytest.mark.parametrize("options", ATTENTION, ids=lambda o: "+".join(o) or "plain")
def test_attention(options):
    out = nn.dot_product_attention(QUERY, KEYS, VALUES, **options)
    if options.get("return_residual"):
        out, residual = out
        assert residual.shape == (B, T, N)
    expected = [reference_attention(QUERY[b], KEYS[b], VALUES[b], b, options) for b in range(B)]
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, np.stack(expected), rtol=1e-4, atol=1e-5)


def test_attention_without_batch_and_in_half_precision():
    whole = nn.dot_product_attention(QUERY, KEYS, VALUES, is_causal=True)
    one = nn.dot_product_attention(QUERY[1], KEYS[1], VALUES[1], is_causal=True)
    np.testing.assert_allclose(one, whole[1], rtol=1e-5, atol=1e-6)
    mapped = fungrad.vmap(lambda *a: nn.dot_product_attention(*a, is_causal=True))(QUERY, KEYS, VALUES)
    np.testing.assert_allclose(mapped, whole, rtol=1e-5, atol=1e-6)
    half = nn.dot_product_attention(*[jnp.asarray(x, "float16") for x in (QUERY, KEYS, VALUES)], is_causal=True)
    assert half.dtype == np.float16
    np.testing.assert_allclose(np.asarray(half, float), whole, atol=1e-2)
    compiled = fungrad.jit(nn.dot_product_attention, static_argnames="is_causal")
    np.testing.assert_allclose(compiled(QUERY, KEYS, VALUES, is_causal=True), whole, rtol=1e-5, atol=1e-6)


def test_attention_derivatives():
    operands = [jnp.asarray(x, "float64") for x in (QUERY, KEYS, VALUES, BIAS)]
    check_grads(lambda *a: nn.dot_product_attention(*a, is_causal=True), operands, order=1)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: nn.dot_product_attention(QUERY, KEYS, VALUES[:, :3]), r"\[B, T, N, H\].*got \(2, 5, 4, 3\)"),
        (lambda: nn.dot_product_attention(QUERY[:, :, :3], KEYS, VALUES), "multiple of those of the key"),
        (lambda: nn.dot_product_attention(QUERY[..., :2], KEYS, VALUES), "equal batches and features"),
        (lambda: nn.dot_product_attention(QUERY.astype("float16"), KEYS, VALUES), "float16, float32, float32"),
        (lambda: nn.dot_product_attention(QUERY, KEYS, VALUES, mask=BIAS), "mask must be boolean.*as bias"),
        (lambda: nn.dot_product_attention(QUERY, KEYS, VALUES, bias=BIAS[..., :2]), "bias must have at most 4 dim"),
        (lambda: nn.dot_product_attention(QUERY, KEYS, VALUES, implementation="cudnn"), "'cudnn'"),
    ],
)
def test_attention_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# -- initializers -----------------------------------------------------------------------------------------------------

KEY = random.key(11)
SCALED = {
    "glorot_uniform": lambda i, o: 2 / (i + o),
    "glorot_normal": lambda i, o: 2 / (i + o),
    "xavier_uniform": lambda i, o: 2 / (i + o),
    "xavier_normal": lambda i, o: 2 / (i + o),
    "lecun_uniform": lambda i, o: 1 / i,
    "lecun_normal": lambda i, o: 1 / i,
    "he_uniform": lambda i, o: 2 / i,
    "he_normal": lambda i, o: 2 / i,
    "kaiming_uniform": lambda i, o: 2 / i,
    "kaiming_normal": lambda i, o: 2 / i,
}


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "complex64"])
def test_variance_of_weights(name, dtype):
    init = getattr(initializers, name)()
    for shape, fans in (((60, 90), (60, 90)), ((3, 2, 30, 40), (180, 240))):
        w = np.asarray(init(KEY, shape, dtype))
        assert w.shape == shape and w.dtype == dtype
        variance = SCALED[name](*fans)
        assert abs(np.mean(np.abs(w.astype(complex)) ** 2) / variance - 1) < 0.08
        assert abs(np.mean(w.astype(complex))) < 5 * np.sqrt(variance / w.size)


def test_axes_of_weights():
    init = initializers.variance_scaling(1.0, "fan_in", "normal", in_axis=0, out_axis=(1, 2), batch_axis=3)
    w = np.asarray(init(KEY, (40, 5, 6, 7)))
    assert abs(w.var() * 40 - 1) < 0.1
    for mode, count in (("fan_in", 4), ("fan_out", 9), ("fan_avg", 6.5), ("fan_geo_avg", 6)):
        for distribution in ("normal", "uniform", "truncated_normal"):
            scaled = initializers.variance_scaling(2.0, mode, distribution)(KEY, (4, 9))
            unscaled = initializers.variance_scaling(count, mode, distribution)(KEY, (4, 9))
            np.testing.assert_allclose(scaled, np.asarray(unscaled) * np.sqrt(2 / count), rtol=1e-5)


def test_simple_initializers():
    np.testing.assert_array_equal(initializers.zeros(KEY, (2, 3)), np.zeros((2, 3), np.float32))
    assert initializers.ones(KEY, (2,), "int32").dtype == np.int32
    np.testing.assert_array_equal(initializers.constant(np.arange(3))(KEY, (2, 3)), [[0, 1, 2]] * 2)
    assert initializers.constant(2, "float64")(KEY, ()).dtype == np.float64
    u = np.asarray(initializers.uniform(3.0)(KEY, (1000,)))
    assert 0 <= u.min() and 2.9 < u.max() < 3
    n = np.asarray(initializers.normal(0.5)(KEY, (10_000,)))
    assert abs(n.std() - 0.5) < 0.02
    t = np.asarray(initializers.truncated_normal(0.5, lower=-1.0)(KEY, (10_000,)))
    assert -0.5 < t.min() and t.max() < 1.0
    assert initializers.normal(dtype="float16")(KEY, (2,)).dtype == np.float16
    assert initializers.normal(dtype="float16")(KEY, (2,), "float32").dtype == np.float32
    assert initializers.he_normal()(KEY, (0, 3)).shape == (0, 3)
    np.testing.assert_array_equal(fungrad.jit(initializers.he_normal(), static_argnums=1)(KEY, (2, 3)).shape, (2, 3))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: initializers.variance_scaling(1.0, "fan", "normal"), "mode must be .*got 'fan'"),
        (lambda: initializers.variance_scaling(1.0, "fan_in", "cauchy"), "distribution must be .*'cauchy'"),
        (lambda: initializers.he_normal()(KEY, (3,)), r"shape \(3,\) lack dimensions of in_axis -2"),
        (lambda: initializers.he_normal(batch_axis=2)(KEY, (3, 4)), "lack dimensions of.* batch_axis 2"),
        (lambda: initializers.he_normal()(KEY, (3, 4), int), "floating or complex, got int32"),
        (lambda: initializers.uniform()(KEY, (3,), int), "initializers.uniform: dtype"),
    ],
)
def test_initializer_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# -- parity -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def jax():
    return pytest.importorskip("jax")


def close(ours, theirs, tol=3e-6):
    for a, b in zip(*[x if isinstance(x, tuple) else (x,) for x in (ours, theirs)], strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


SPECIAL = np.float32([-INF, -100, -20, -6, -3, -1, -1e-3, -0.0, 0, 1e-6, 0.5, 1, 3, 5.999, 6, 7, 20, 100, INF, NAN])


@pytest.mark.parity
@activations
def test_activations_are_those_of_jax(jax, name):
    f, g = getattr(nn, name), getattr(jax.nn, name)
    with np.errstate(all="ignore"):
        close(f(jnp.asarray(SPECIAL)), g(SPECIAL))
        # The derivative at NaN is not ours to know.
        ours = fungrad.vmap(fungrad.grad(f))(jnp.asarray(SPECIAL[:-1]))
        close(ours, jax.vmap(jax.grad(g))(SPECIAL[:-1]))
        tangent = fungrad.jvp(f, (jnp.asarray(SPECIAL[:-1]),), (jnp.ones(len(SPECIAL) - 1),))[1]
        close(tangent, jax.jvp(g, (SPECIAL[:-1],), (np.ones(len(SPECIAL) - 1, np.float32),))[1])
        second = fungrad.vmap(fungrad.grad(fungrad.grad(f)))(jnp.asarray(SPECIAL[3:-4]))
        close(second, jax.vmap(jax.grad(jax.grad(g)))(SPECIAL[3:-4]), 2e-5)


@pytest.mark.parity
@axes
def test_normalizations_are_those_of_jax(jax, axis):
    x = X.astype(np.float32)
    for name in ("softmax", "log_softmax", "logsumexp", "logmeanexp"):
        for where in (None, WHERE, WHERE & False):
            close(
                getattr(nn, name)(jnp.asarray(x), axis=axis, where=where),
                getattr(jax.nn, name)(x, axis=axis, where=where),
            )
    b = RNG.normal(size=(4, 1)).astype(np.float32)
    signed = {"b": b, "return_sign": True}
    for options in ({"b": b}, signed, {**signed, "where": WHERE}, {"b": 0 * b}):
        close(nn.logsumexp(x, axis, **options), jax.nn.logsumexp(x, axis, **options))
    if axis is not None:
        for algorithm in ("fast", "stable"):
            options = {"axis": axis, "algorithm": algorithm, "epsilon": 0.1}
            close(nn.standardize(x, **options), jax.nn.standardize(x, **options), 1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("options", [*ATTENTION, {"return_residual": True}], ids=lambda o: "+".join(o) or "plain")
def test_attention_is_that_of_jax(jax, options):
    ours = nn.dot_product_attention(QUERY, KEYS, VALUES, **options)
    theirs = jax.nn.dot_product_attention(*map(jax.numpy.asarray, (QUERY, KEYS, VALUES)), **options)
    close(ours, theirs, 1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("name", SCALED)
def test_weights_are_those_of_jax(jax, name):
    key, theirs = random.key(3), jax.random.key(3)
    for shape, options in (
        ((4, 3), {}),
        ((3, 3, 4, 5), {}),
        ((2, 4, 3), {"batch_axis": 0}),
        ((4, 3, 2), {"in_axis": 0, "out_axis": (1, 2)}),
    ):
        for dtype in (None, "complex64"):
            init = getattr(jax.nn.initializers, name)(**options)
            close(getattr(initializers, name)(**options)(key, shape, dtype), init(theirs, shape, dtype))


@pytest.mark.parity
def test_other_initializers_are_those_of_jax(jax):
    key, theirs = random.key(3), jax.random.key(3)
    for name in ("uniform", "normal", "truncated_normal"):
        close(getattr(initializers, name)(0.3)(key, (50,)), getattr(jax.nn.initializers, name)(0.3)(theirs, (50,)))
    for mode in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg"):
        for law in ("truncated_normal", "normal", "uniform"):
            ours = initializers.variance_scaling(0.7, mode, law)(key, (4, 7))
            close(ours, jax.nn.initializers.variance_scaling(0.7, mode, law)(theirs, (4, 7)))


@pytest.mark.parity
def test_names_are_those_of_jax(jax):
    assert {n for n in dir(jax.nn) if not n.startswith("_")} <= set(dir(nn))
    assert {n for n in dir(jax.nn.initializers) if not n.startswith("_")} <= set(dir(initializers))
