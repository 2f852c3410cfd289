"""``stax``, ``optimizers``, ``odeint`` and ``jet``."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, random
from fungrad.example_libraries import optimizers, stax
from fungrad.experimental.jet import jet, zero_series, zero_term
from fungrad.experimental.ode import odeint
from fungrad.test_util import check_grads

TIMES = np.array([0.0, 0.5, 1.5], np.float32)


def test_networks():
    init, apply = stax.serial(
        stax.Conv(4, (3, 3), padding="SAME"), stax.BatchNorm(), stax.Relu, stax.MaxPool((2, 2), strides=(2, 2)),
        stax.AvgPool((2, 2), padding="SAME"), stax.Flatten, stax.FanOut(2),
        stax.parallel(stax.Dense(5), stax.Identity), stax.FanInConcat(), stax.Dropout(0.9), stax.Dense(3),
        stax.shape_dependent(lambda shape: stax.Dense(shape[-1])), stax.LogSoftmax,
    )  # fmt: skip
    shape, params = init(random.key(0), (2, 6, 6, 1))
    x = random.normal(random.key(1), (2, 6, 6, 1))
    out = fungrad.jit(apply)(params, x, rng=random.key(2))
    assert out.shape == tuple(shape) == (2, 3)
    np.testing.assert_allclose(jnp.exp(out).sum(-1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="Dropout"):
        apply(params, x)
    shape, params = stax.ConvTranspose(2, (3, 3), strides=(2, 2))[0](random.key(0), (1, 4, 4, 3))
    assert stax.ConvTranspose(2, (3, 3), strides=(2, 2))[1](params, jnp.ones((1, 4, 4, 3))).shape == tuple(shape)


@pytest.mark.parametrize(
    "name, args, expected",
    [
        ("sgd", (0.1,), 0.729), ("momentum", (0.1, 0.9), 0.486), ("nesterov", (0.1, 0.9), 0.3273),
        ("adam", (0.1,), 0.7016), ("adamax", (0.1,), 0.7155), ("rmsprop", (1e-2,), 0.9271), ("adagrad", (0.1,), 0.9538),
        ("rmsprop_momentum", (1e-2,), 0.853), ("sm3", (0.1,), 0.9538),
    ],
)  # fmt: skip
def test_optimizers(name, args, expected):
    init, update, params_of = getattr(optimizers, name)(*args)
    state = init({"w": jnp.ones((2, 3)), "b": jnp.ones(())})
    step = lambda i, s: update(i, params_of(s), s)  # noqa: E731
    # The state of sm3 has shapes in it.
    step = step if name == "sm3" else fungrad.jit(step)
    for i in range(3):
        state = step(i, state)
    np.testing.assert_allclose(params_of(state)["w"], np.full((2, 3), expected), atol=1e-4)
    packed = optimizers.pack_optimizer_state(optimizers.unpack_optimizer_state(state))
    np.testing.assert_array_equal(params_of(packed)["b"], params_of(state)["b"])
    with pytest.raises(TypeError, match="structure"):
        update(0, [1.0], state)


def test_step_sizes():
    def run(schedule):
        return [round(float(schedule(i)), 3) for i in range(6)]

    assert run(optimizers.exponential_decay(1.0, 2, 0.25)) == [1.0, 0.5, 0.25, 0.125, 0.062, 0.031]
    assert run(optimizers.inverse_time_decay(1.0, 2, 1.0, True)) == [1.0, 1.0, 0.5, 0.5, 0.333, 0.333]
    assert run(optimizers.polynomial_decay(1.0, 4, 0.2)) == [1.0, 0.8, 0.6, 0.4, 0.2, 0.2]
    assert run(optimizers.piecewise_constant([1, 3], [3.0, 2.0, 1.0])) == [3.0, 3.0, 2.0, 2.0, 1.0, 1.0]
    np.testing.assert_allclose(optimizers.clip_grads([jnp.array([3.0, 4.0])], 1.0)[0], [0.6, 0.8], rtol=1e-6)


def test_odeint():
    solve = lambda y0, k, ts: odeint(lambda y, t, k: -k * y * t, y0, ts, k)  # noqa: E731
    exact = lambda y0, k, ts: y0 * jnp.exp(-k * (ts**2 - ts[0] ** 2) / 2)  # noqa: E731
    np.testing.assert_allclose(solve(2.0, 0.7, TIMES), exact(2.0, 0.7, TIMES), rtol=1e-4)
    weights = np.array([1.0, 2.0, -3.0], np.float32)
    ours, theirs = (
        fungrad.grad(lambda *a, f=f: (f(*a) * weights).sum(), (0, 1, 2))(2.0, 0.7, TIMES + 0.1) for f in (solve, exact)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3)
    closed = fungrad.jit(fungrad.grad(lambda k: odeint(lambda y, t: -k * y, jnp.float32(1.0), TIMES)[-1]))
    np.testing.assert_allclose(closed(0.5), -1.5 * np.exp(-0.75), rtol=1e-3)
    out = odeint(lambda y, t: {"a": -y["a"], "b": y["a"]}, {"a": jnp.ones(2), "b": jnp.zeros(2)}, TIMES)
    np.testing.assert_allclose(out["a"] + out["b"], np.ones((3, 2)), rtol=1e-4)
    turning = odeint(lambda y, t: 1j * y, jnp.ones((), jnp.complex64), TIMES)
    np.testing.assert_allclose(turning, np.exp(1j * TIMES), atol=1e-3)
    with pytest.raises(TypeError, match="array of floats"):
        odeint(lambda y, t: y, 1.0, np.arange(3))


K = [np.array([1.0, 0.5, 2.0]), np.array([0.3, 0.2, 0.1]), np.array([-0.5, 1.0, 0.4]), np.array([0.1, 0.2, 0.3])]
POINT = np.array([0.3, 0.7, 1.2])


def along(f, t):
    return f(POINT + sum(k * t ** (i + 1) / np.prod(range(1, i + 2)) for i, k in enumerate(K)))


W = np.arange(9.0).reshape(3, 3) / 10


@pytest.mark.parametrize(
    "f",
    [
        jnp.sin, jnp.tanh, jnp.exp, jnp.sqrt, lax.lgamma, nn.gelu, fungrad.jit(jnp.log),
        lambda x: x * x / (1 + x) - x**2.5,
        lambda x: jnp.sum(nn.softmax(W @ jnp.tanh(W @ x))[1:]), lambda x: jnp.sort(-x)[0] + jnp.cumsum(x)[2],
        lambda x: lax.scan(lambda c, y: (jnp.sin(c * y), c), x[0], x)[0],
    ],
)  # fmt: skip
def test_jet_is_nested_forward_mode(f):
    with fungrad.enable_x64():
        nested = [lambda t: along(f, t)]
        for _ in K:
            nested.append(fungrad.jacfwd(nested[-1]))
        y, terms = jet(f, (POINT,), (K,))
        for made, expected in zip([y, *terms], nested, strict=True):
            np.testing.assert_allclose(made, expected(0.0), rtol=1e-8)
        scaled = [k / np.prod(range(1, i + 2)) for i, k in enumerate(K)]
        _, taylor = jet(f, (POINT,), (scaled,), factorial_scaled=False)
        np.testing.assert_allclose(taylor[3] * 24, terms[3], rtol=1e-9)


def test_jet_arguments():
    y, terms = jet(lambda x, n: x**2 * n, (3.0, 2), ([1.0, 0.0], zero_series))
    assert (y, *terms) == (18.0, 12.0, 4.0)
    assert jet(lambda d: d["a"] * 2, ({"a": 1.0},), ({"a": [1.0, zero_term]},))[1] == [2.0, 0.0]
    check_grads(lambda x: jet(jnp.sin, (x,), ([1.0, 0.5],))[1][1], (0.3,), order=1)
    with pytest.raises(ValueError, match="consistent lengths"):
        jet(jnp.add, (1.0, 1.0), ([1.0], [1.0, 0.0]))
