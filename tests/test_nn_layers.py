"""Layers against their formulas written with NumPy, under every transformation; parameters, states and tables."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, random, tree
from fungrad.test_util import check_grads

KEY = random.key(0)
RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numbers(params):
    """Other numbers for all parameters, so that none is 0 or 1."""
    return tree.map(lambda p: jnp.asarray(normal(*p.shape) * 0.5), params)


DENSE = numbers(nn.dense.init(KEY, 3, 4))
LSTM = numbers(nn.lstm.init(KEY, 3, 4))
GRU = numbers(nn.gru.init(KEY, 3, 4))
ATTENTION = numbers(nn.multi_head_attention.init(KEY, 8, 4, num_kv_heads=2, kv_features=6, out_features=5))
CONV = numbers(nn.conv.init(KEY, 3, 4, (3, 2)))
DEPTHWISE = numbers(nn.conv.init(KEY, 3, 6, 3, feature_group_count=3, bias=False))
TRANSPOSED = numbers(nn.conv_transpose.init(KEY, 3, 4, 2))
NORM = {"scale": jnp.asarray(normal(4)), "bias": jnp.asarray(normal(4))}
X = normal(2, 5, 3)


def standardized(x, axes, epsilon):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


def lstm_in_numpy(p, x):
    c = h = np.zeros((x.shape[0], 4))
    outs = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ p["kernel"] + h @ p["recurrent_kernel"] + p["bias"], 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outs.append(h)
    return np.stack(outs, 1), c, h


def gru_in_numpy(p, x):
    h = np.zeros((x.shape[0], 4))
    outs = []
    for t in range(x.shape[1]):
        a = np.split(x[:, t] @ p["kernel"] + p["bias"], 3, -1)
        b = np.split(h @ p["recurrent_kernel"] + p["recurrent_bias"], 3, -1)
        r, z = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
        h = (1 - z) * np.tanh(a[2] + r * b[2]) + z * h
        outs.append(h)
    return np.stack(outs, 1)


def attention_in_numpy(p, x, memory):
    q, k, v = (np.einsum("btf,fhd->bhtd", y, p[n]["kernel"]) + p[n]["bias"][:, None] for n, y in
               (("query", x), ("key", memory), ("value", memory)))  # fmt: skip
    k, v = (np.repeat(y, 2, 1) for y in (k, v))
    scores = np.einsum("bhtd,bhsd->bhts", q, k) / np.sqrt(2)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    return np.einsum("bhts,bhsd,hdf->btf", weights, v, p["out"]["kernel"]) + p["out"]["bias"]


def conv_in_numpy(p, x):
    x = np.pad(x, ((0, 0), (1, 1), (0, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), (1, 2))
    return np.einsum("nhwcij,ijco->nhwo", windows, p["kernel"]) + p["bias"]


def depthwise_in_numpy(p, x):
    windows = np.lib.stride_tricks.sliding_window_view(x, 3, 1)[:, ::2]
    return np.einsum("ntck,kcm->ntcm", windows, p["kernel"].reshape(3, 3, 2)).reshape(2, 2, 6)


def transposed_in_numpy(p, x):
    # Every element has two results of its own; the kernel is not turned, so the later one comes first.
    return np.einsum("ntc,kco->ntko", x, p["kernel"][::-1]).reshape(2, 10, 4) + p["bias"]


MEMORY = normal(2, 7, 6)
QUERY = normal(2, 5, 8)

# The layer as a function of parameters and input, its arguments, and the formula.
LAYERS = {
    "dense": (nn.dense.apply, DENSE, X, lambda p, x: x @ p["kernel"] + p["bias"]),
    "conv": (nn.conv.apply, CONV, normal(2, 5, 4, 3), conv_in_numpy),
    "depthwise": (
        lambda p, x: nn.conv.apply(p, x, strides=2, padding="VALID", feature_group_count=3), DEPTHWISE, X,
        depthwise_in_numpy,
    ),
    "conv_transpose": (
        lambda p, x: nn.conv_transpose.apply(p, x, strides=2), TRANSPOSED, X, transposed_in_numpy,
    ),
    "layer_norm": (
        nn.layer_norm.apply, NORM, normal(3, 4),
        lambda p, x: standardized(x, -1, 1e-6) * p["scale"] + p["bias"],
    ),
    "group_norm": (
        lambda p, x: nn.group_norm.apply(p, x, groups=2), NORM, normal(2, 3, 5, 4),
        lambda p, x: standardized(x.reshape(2, 15, 2, 2), (1, 3), 1e-6).reshape(x.shape) * p["scale"] + p["bias"],
    ),
    "batch_norm": (
        lambda p, x: nn.batch_norm.apply(p, nn.batch_norm.init(None, 4)[1], x, training=True)[0], NORM, normal(2, 3, 4),
        lambda p, x: standardized(x, (0, 1), 1e-5) * p["scale"] + p["bias"],
    ),
    "lstm": (lambda p, x: nn.lstm.apply(p, x)[0], LSTM, X, lambda p, x: lstm_in_numpy(p, x)[0]),
    "gru": (lambda p, x: nn.gru.apply(p, x)[0], GRU, X, gru_in_numpy),
    "multi_head_attention": (
        lambda p, x: nn.multi_head_attention.apply(p, x, MEMORY), ATTENTION, QUERY,
        lambda p, x: attention_in_numpy(p, x, MEMORY),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_their_formulas(name):
    apply, params, x, formula = LAYERS[name]
    expected = formula(tree.map(lambda p: np.asarray(p, np.float64), params), np.float64(x))
    np.testing.assert_allclose(apply(params, x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fungrad.jit(apply)(params, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_layers(name):
    apply, params, x, _ = LAYERS[name]
    with fungrad.enable_x64():
        wide = tree.map(lambda p: jnp.asarray(np.float64(p)), params)
        check_grads(lambda p: apply(p, jnp.asarray(np.float64(x))), (wide,), order=1, modes=["rev"])

    def loss(p, x):
        return jnp.sum(jnp.sin(apply(p, x)))

    eager, compiled = (
        f(params, jnp.asarray(x)) for f in (fungrad.grad(loss, (0, 1)), fungrad.jit(fungrad.grad(loss, (0, 1))))
    )
    for a, b in zip(tree.leaves(eager), tree.leaves(compiled), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["dense", "conv", "conv_transpose", "layer_norm", "lstm", "gru"])
def test_models_are_mapped_over_their_parameters(name):
    apply, params, x, _ = LAYERS[name]
    several = tree.map(lambda p: jnp.stack([p, 2 * p]), params)
    out = fungrad.vmap(apply, (0, None))(several, jnp.asarray(x))
    for n in range(2):
        np.testing.assert_allclose(out[n], apply(tree.map(lambda p: p[n], several), x), rtol=1e-4, atol=1e-5)


def test_initial_values():
    params = nn.dense.init(KEY, 400, 300)
    assert float(jnp.std(params["kernel"])) == pytest.approx(1 / 20, rel=0.02)
    assert not np.any(params["bias"]) and "bias" not in nn.dense.init(KEY, 2, 3, bias=False)
    assert nn.dense.init(KEY, 2, 3, dtype="bfloat16")["kernel"].dtype == jnp.bfloat16
    table = nn.embedding.init(KEY, 500, 64)["embedding"]
    assert float(jnp.std(table)) == pytest.approx(1 / 8, rel=0.02)
    assert nn.lstm.init(KEY, 2, 3)["bias"].tolist() == [0] * 3 + [1] * 3 + [0] * 6
    shapes = fungrad.eval_shape(lambda k: nn.multi_head_attention.init(k, 8, 2), KEY)
    assert shapes["out"]["kernel"].shape == (2, 4, 8)
    assert fungrad.jit(lambda k: nn.gru.init(k, 2, 3))(KEY)["kernel"].shape == (2, 9)


@pytest.mark.parity
@pytest.mark.parametrize("axes", [{"out_axis": 0}, {"in_axis": (0, 1), "out_axis": 1}, {"in_axis": -1}])
def test_initializers_may_name_an_axis_twice(axes):
    jax = pytest.importorskip("jax")
    ours, theirs = (
        init(1.0, "fan_avg", "normal", **axes)
        for init in (nn.initializers.variance_scaling, jax.nn.initializers.variance_scaling)
    )
    np.testing.assert_allclose(ours(KEY, (6, 4)), theirs(jax.random.key(0), (6, 4)), rtol=1e-5)


@pytest.mark.parametrize("layer, make", [(nn.lstm, lambda: LSTM), (nn.gru, lambda: GRU)], ids=["lstm", "gru"])
def test_recurrent_layers_go_on_where_they_stopped(layer, make):
    params = make()
    whole, end = layer.apply(params, X)
    first, middle = layer.apply(params, X[:, :2])
    second, last = layer.apply(params, X[:, 2:], middle)
    np.testing.assert_allclose(jnp.concatenate([first, second], 1), whole, rtol=1e-5, atol=1e-6)
    for a, b in zip(tree.leaves(end), tree.leaves(last), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    step, _ = layer.step(params, middle, X[:, 2])
    again, one = layer.apply(params, X[:, 2:3], middle)
    np.testing.assert_allclose(tree.leaves(step)[-1], again[:, 0], rtol=1e-5, atol=1e-6)
    backwards, _ = layer.apply(params, X, reverse=True)
    np.testing.assert_allclose(backwards, layer.apply(params, X[:, ::-1])[0][:, ::-1], rtol=1e-5, atol=1e-6)
    alone, _ = layer.apply(params, X[0])
    np.testing.assert_allclose(alone, whole[0], rtol=1e-5, atol=1e-6)
    assert layer.apply(params, X[:, :0])[0].shape == (2, 0, 4)


def test_batch_norm_keeps_running_statistics():
    params, state = nn.batch_norm.init(None, 4)
    x = normal(50, 4) * 3 + 1
    train = fungrad.jit(lambda s, x: nn.batch_norm.apply(params, s, x, training=True, momentum=0.9))
    for _ in range(100):
        _, state = train(state, x)
    np.testing.assert_allclose(state["mean"], x.mean(0), rtol=1e-3)
    np.testing.assert_allclose(state["var"], x.var(0), rtol=1e-3)
    y, same = nn.batch_norm.apply(params, state, x, training=False)
    assert same is state
    np.testing.assert_allclose(y, standardized(x, 0, 1e-5), atol=2e-3)
    # The batch spread over a mapped axis has the same statistics.
    parts = jnp.asarray(x.reshape(5, 10, 4))
    over = fungrad.vmap(
        lambda x: nn.batch_norm.apply(params, state, x, training=True, axis_name="i"), axis_name="i", out_axes=(0, None)
    )
    y, new = over(parts)
    whole, expected = nn.batch_norm.apply(params, state, x, training=True)
    np.testing.assert_allclose(y.reshape(50, 4), whole, rtol=1e-4, atol=1e-5)
    for name in ("mean", "var"):
        np.testing.assert_allclose(new[name], expected[name], rtol=1e-5)
    gradient = fungrad.grad(lambda s: jnp.sum(nn.batch_norm.apply(params, s, x, training=True)[1]["mean"]))(state)
    assert not any(map(np.any, tree.leaves(gradient)))


def test_norms_of_half_precision_are_taken_in_single():
    x = (jnp.arange(512.0) + 1000).astype("float16")
    out = nn.layer_norm.apply(nn.layer_norm.init(None, 512), x)
    assert out.dtype == jnp.float16
    np.testing.assert_allclose(out, standardized(np.arange(512.0), -1, 0), atol=2e-3)
    far = jnp.float32([1e4, 1e4 + 1])
    np.testing.assert_allclose(nn.layer_norm.apply({}, far), [-1, 1], rtol=1e-3)


def test_embeddings():
    params = nn.embedding.init(KEY, 7, 3)
    ids = jnp.array([[1, 6], [-1, 0]])
    np.testing.assert_array_equal(nn.embedding.apply(params, ids), np.asarray(params["embedding"])[np.asarray(ids)])
    assert bool(jnp.all(jnp.isnan(nn.embedding.apply(params, jnp.array(7)))))
    gradient = fungrad.jit(fungrad.grad(lambda p: jnp.sum(nn.embedding.apply(p, ids))))(params)["embedding"]
    np.testing.assert_array_equal(gradient[:, 0], [1, 1, 0, 0, 0, 0, 2])
    np.testing.assert_allclose(
        nn.embedding.attend(params, params["embedding"]), params["embedding"] @ params["embedding"].T, rtol=1e-6
    )


def test_dropout():
    x = jnp.ones((100, 50))
    for rate in (0.25, jnp.float32(0.25)):
        for f in (nn.dropout, fungrad.jit(nn.dropout)):
            out = f(KEY, x, rate)
            assert set(np.unique(np.asarray(out)).tolist()) == {0.0, float(np.float32(1 / 0.75))}
            assert float(out.mean()) == pytest.approx(1, abs=0.03)
    together = nn.dropout(KEY, x, 0.5, broadcast_dims=(0,))
    assert bool(jnp.all(together == together[0])) and 10 < int((together[0] == 0).sum()) < 40
    for rate in (1.0, jnp.float32(1.0)):
        value, gradient = fungrad.value_and_grad(lambda x: jnp.sum(nn.dropout(KEY, x, rate)))(x.astype("float16"))
        assert float(value) == 0 and not np.any(gradient)
    assert bool(jnp.all(nn.dropout(KEY, x, 0.0) == x))
    assert nn.dropout(None, x, deterministic=True) is x
    assert nn.dropout(KEY, x.astype("bfloat16")).dtype == jnp.bfloat16


def test_pooling():
    x = normal(2, 3, 6, 5, 4)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), (2, 3))[:, :, ::2, ::1]
    for name, function in (("max", np.max), ("min", np.min), ("avg", np.mean)):
        pool = getattr(nn, f"{name}_pool")
        out = pool(x, (3, 2), (2, 1))
        np.testing.assert_allclose(out, function(windows, (-2, -1)), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(fungrad.jit(lambda x, pool=pool: pool(x, (3, 2), (2, 1)))(x), out, rtol=1e-5)
        np.testing.assert_allclose(pool(x[0, 0], (3, 2), (2, 1)), out[0, 0], rtol=1e-5)
        assert pool(x[0, 0, 0], 2, padding=1).shape == (6, 4)
        assert pool(x[:0], (3, 2)).shape == (0, 3, 4, 4, 4)
        with fungrad.enable_x64():
            wide = jnp.asarray(RNG.permutation(120).reshape(6, 5, 4) / 100)
            check_grads(lambda x, pool=pool: pool(x, (3, 2), (2, 1), "SAME"), (wide,), order=2)
    ones = jnp.ones((4, 4, 1), "bfloat16")
    assert nn.avg_pool(ones, (3, 3), padding="SAME", count_include_pad=False).tolist() == ones.tolist()
    assert nn.avg_pool(ones, (3, 3), padding="SAME")[0, 0].tolist() == [pytest.approx(4 / 9, rel=1e-2)]
    assert nn.avg_pool(jnp.arange(4)[:, None], 2).dtype == jnp.float32
    assert nn.max_pool(jnp.arange(4)[:, None], 2, padding=1)[:, 0].tolist() == [0, 1, 2, 3, 3]
    assert nn.min_pool(jnp.array([[True], [False]]), 2)[:, 0].tolist() == [False]
    assert nn.pool(jnp.arange(1, 5)[:, None], 1, lax.mul, 2, 2)[:, 0].tolist() == [2, 12]


def test_attention_masks():
    params = numbers(nn.multi_head_attention.init(KEY, 8, 2))
    x = jnp.asarray(QUERY)
    causal = nn.multi_head_attention.apply(params, x, is_causal=True)
    mask = jnp.tril(jnp.ones((5, 5), bool))[None, None]
    np.testing.assert_allclose(nn.multi_head_attention.apply(params, x, mask=mask), causal, rtol=1e-5, atol=1e-6)
    changed = nn.multi_head_attention.apply(params, x.at[:, 4].set(0), is_causal=True)
    np.testing.assert_allclose(changed[:, :4], causal[:, :4], rtol=1e-5, atol=1e-6)
    nested = nn.multi_head_attention.apply(params, jnp.stack([x, x]))
    np.testing.assert_allclose(nested[1], nn.multi_head_attention.apply(params, x), rtol=1e-5, atol=1e-6)
    assert nn.multi_head_attention.apply(params, x[0]).shape == (5, 8)


def test_tables_of_parameters():
    params = {"first": nn.dense.init(KEY, 64, 32), "last": {"w": jnp.zeros(3, "bfloat16"), "n": 3}, "key": KEY}
    text = nn.summary(params)
    assert "['first']['kernel'] | [64, 32] | float32  |    2,048 | 8.0 KiB" in text
    assert text.splitlines()[-1].split() == ["total", "|", "|", "|", "2,085", "|", "8.1", "KiB"]
    short = nn.summary(params, depth=1)
    assert len(short.splitlines()) == 7 and "several" in short
    assert nn.summary(fungrad.eval_shape(lambda: params["first"])) == nn.summary(params["first"])
    assert "0 B" in nn.summary({})
