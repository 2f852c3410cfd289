"""The functions of the examples mean the same when JAX runs them: only the imports differ."""

import re
import types
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.parity
for _module in ("jax", "optax", "sklearn", "matplotlib", "rich", "tqdm"):
    pytest.importorskip(_module)


def load(name, library):
    """An example as a module that uses fungrad or JAX."""
    source = (EXAMPLES / f"{name}.py").read_text()
    if library == "jax":
        source = source.replace("import fungrad.numpy as jnp", "import jax.numpy as jnp")
        source = source.replace("import fungrad\n", "import jax as fungrad\n")
        source = re.sub(r"from fungrad import (.*)", r"from jax import \1", source)
        source = source.replace("from jax import lax, optim", "from jax import lax")
        source = source.replace("from __future__ import annotations", "import optax as optim", 1)
    module = types.ModuleType(f"{name}_{library}")
    exec(compile(source, f"{name}.py", "exec", dont_inherit=True), module.__dict__)
    return module


def both(name):
    """The example with fungrad, and with JAX."""
    return load(name, "fungrad"), load(name, "jax")


def test_fit_of_the_differential_equation():
    ours, theirs = both("ode_fit")
    (p, losses), (q, expected) = (m.fungrad.jit(m.fit, static_argnums=1)(m.GUESS, 100) for m in (ours, theirs))
    np.testing.assert_allclose(losses, expected, rtol=1e-3)
    np.testing.assert_allclose(p, q, rtol=1e-3)
    # The second derivative through the solver, compiled and not.
    hessians = [m.fungrad.hessian(m.loss)(m.GUESS) for m in (ours, theirs)]
    hessians.append(ours.fungrad.jit(ours.fungrad.hessian(ours.loss))(ours.GUESS))
    scale = np.abs(hessians[1]).max()
    np.testing.assert_allclose(hessians[0] / scale, hessians[1] / scale, atol=2e-4)
    np.testing.assert_allclose(hessians[2] / scale, hessians[1] / scale, atol=2e-4)


def test_recurrent_network():
    import jax
    import optax
    from jax import lax, random

    jnp, nn = jax.numpy, jax.nn

    def step(p, state, symbol):
        """The same cell with JAX alone."""
        (c, h), cells = state, p["cells"]
        gates = p["symbols"]["embedding"][symbol] @ cells["kernel"] + cells["bias"] + h @ cells["recurrent_kernel"]
        take, forget, candidate, give = jnp.split(gates, 4, axis=-1)
        c = nn.sigmoid(forget) * c + nn.sigmoid(take) * jnp.tanh(candidate)
        h = nn.sigmoid(give) * jnp.tanh(c)
        return (c, h), h

    def bits(p, text):
        start = (jnp.zeros((text.shape[1], m.HIDDEN)),) * 2
        _, h = lax.scan(lambda state, s: step(p, state, s), start, text[:-1])
        logs = nn.log_softmax(h @ p["out"]["kernel"] + p["out"]["bias"])
        return -jnp.mean(jnp.take_along_axis(logs, text[1:, :, None], axis=-1)) / jnp.log(2.0)

    def write(p, key, first, length):
        def body(carry, _):
            key, state, symbol = carry
            key, now = random.split(key)
            state, h = step(p, state, symbol)
            symbol = random.categorical(now, (h @ p["out"]["kernel"] + p["out"]["bias"]) / 0.7)
            return (key, state, symbol), symbol

        return lax.scan(body, (key, (jnp.zeros(m.HIDDEN),) * 2, first), length=length)[1]

    m = load("rnn_sequence", "fungrad")
    text, symbols = m.load_text()
    params = m.init_params(m.random.key(0), len(symbols))
    batch = next(m.batches(text, 0))[:20]
    (new, _), loss = m.fungrad.jit(m.train_step)((params, m.opt.init(params)), batch)
    written = m.fungrad.jit(m.write, static_argnums=3)(params, m.random.key(1), m.jnp.asarray(3, m.jnp.int32), 20)

    theirs = jax.tree.map(np.asarray, params)
    expected, grads = jax.value_and_grad(bits)(theirs, np.asarray(batch))
    opt = optax.adam(lambda step: 5e-3 / (1.0 + step / 1000.0))
    updates, _ = opt.update(grads, opt.init(theirs), theirs)
    they_wrote = jax.jit(write, static_argnums=3)(theirs, random.key(1), jnp.asarray(3, jnp.int32), 20)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    for got, want in zip(
        jax.tree.leaves(jax.tree.map(np.asarray, new)),
        jax.tree.leaves(optax.apply_updates(theirs, updates)),
        strict=True,
    ):
        # The first step of Adam has the size of the learning rate whatever the gradient.
        assert np.mean(np.abs(got - want) > 1e-4) < 1e-3
    np.testing.assert_array_equal(np.asarray(written), they_wrote)  # the same random bits


def test_sampler():
    results = []
    for m in both("hmc_logistic"):
        x, _, y, _ = m.load_data()
        data = (m.jnp.asarray(x), m.jnp.asarray(y))
        key, w = m.random.key(3), m.jnp.full(x.shape[1], 0.1)
        step = m.fungrad.jit(lambda key, w, data, m=m: m.transition(lambda w: m.log_density(w, *data), key, w, 0.05))
        results.append((*step(key, w, data), m.fungrad.jit(m.sample, static_argnums=(2, 3))(key, data, 50, 50)[1]))
    (w, probability, acceptance), (expected, likely, theirs) = results
    np.testing.assert_allclose(w, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(probability, likely, rtol=1e-2)
    np.testing.assert_allclose(acceptance, theirs, atol=0.15)  # rounding errors part the chains


def test_custom_derivatives():
    ours, theirs = both("stable_log1pexp")
    for name, f in ours.VERSIONS.items():
        g = theirs.VERSIONS[name]
        # Where the plain formulas overflow, what remains depends on the order of operations.
        x = np.array(
            [-100.0, -50.0, 0.0, 3.0, 50.0, 100.0] if name == "rule and formula" else [-5.0, 0.0, 3.0], np.float32
        )
        for order in range(3):
            got, expected = (m.fungrad.vmap(h)(x) for m, h in ((ours, f), (theirs, g)))
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-37, err_msg=f"{name}, derivative {order}")
            f, g = ours.fungrad.grad(f), theirs.fungrad.grad(g)


def test_implicit_derivative():
    ours, theirs = both("implicit_fixed_point")
    params = [m.make_params(m.random.key(0)) for m in (ours, theirs)]
    gradients = [m.fungrad.jit(m.fungrad.grad(m.implicit_loss))(p) for m, p in zip((ours, theirs), params, strict=True)]
    for k in gradients[0]:
        scale = np.abs(gradients[1][k]).max()
        np.testing.assert_allclose(gradients[0][k], gradients[1][k], rtol=1e-3, atol=1e-5 * scale)
    exact = ours.reference(params[0])
    np.testing.assert_allclose(gradients[0]["w"], exact, rtol=1e-3, atol=1e-4 * np.abs(exact).max())


def test_convolutional_network():
    m = load("digits_cnn", "fungrad")
    training, _ = m.load_data()
    batch = training[0][:64], training[1][:64]
    params = m.init_params(m.random.key(0))
    state, first = m.train_step((params, m.opt.init(params)), batch)
    np.testing.assert_allclose(first, m.loss_fn(params, *batch), rtol=1e-5)
    for _ in range(60):
        state, loss = m.train_step(state, batch)
    assert float(loss) < 0.3 * float(first)
    assert float(m.accuracy(state[0], *batch)) > 0.9
