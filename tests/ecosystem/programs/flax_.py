"""Flax: modules of linen that are trained, lifted transformations, and the objects of nnx."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import nnx
from flax.training.train_state import TrainState


class _Network(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.Conv(4, (3, 3), use_bias=False)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
        x = nn.LayerNorm()(x.reshape(x.shape[0], -1, 4))
        x = nn.MultiHeadDotProductAttention(num_heads=2)(x, x)
        return nn.Dense(3)(nn.Dropout(0.2, deterministic=not train)(x).mean(1))


def linen():
    model = _Network()
    x = jax.random.normal(jax.random.key(0), (4, 4, 4, 2))
    variables = model.init({"params": jax.random.key(1), "dropout": jax.random.key(2)}, x, True)
    state = TrainState.create(apply_fn=model.apply, params=variables["params"], tx=optax.adam(1e-2))
    averages = variables["batch_stats"]

    @jax.jit
    def step(state, averages, key):
        def loss(params):
            out, new = model.apply(
                {"params": params, "batch_stats": averages}, x, True, mutable=["batch_stats"], rngs={"dropout": key}
            )
            return jnp.mean(out**2), new["batch_stats"]

        (value, averages_), slope = jax.value_and_grad(loss, has_aux=True)(state.params)
        return state.apply_gradients(grads=slope), averages_, value

    values = []
    for i in range(3):
        state, averages, value = step(state, averages, jax.random.key(i))
        values.append(value)
    return {"values": jnp.stack(values), "averages": averages["BatchNorm_0"]["mean"]}


def recurrent():
    rnn = nn.RNN(nn.LSTMCell(5), return_carry=True)
    x = jax.random.normal(jax.random.key(0), (2, 6, 3))
    params = rnn.init(jax.random.key(1), x)
    carry, out = jax.jit(rnn.apply)(params, x)
    layers = nn.scan(nn.Dense, variable_axes={"params": 0}, split_rngs={"params": True}, length=2)

    class Stack(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.scan(
                lambda module, carry, _: (nn.tanh(nn.Dense(3)(carry)), None),
                variable_axes={"params": 0}, split_rngs={"params": True}, length=2,
            )(self, x, None)[0]  # fmt: skip

    stack = Stack()
    variables = stack.init(jax.random.key(2), x[0, 0])
    assert layers is not None
    slope = jax.grad(lambda v: jnp.sum(stack.apply(v, x[0, 0]) ** 2))(variables)
    return {"out": out, "carry": carry[0], "slope": jax.tree.leaves(slope)[-1]}


class _Model(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(3, 8, rngs=rngs)
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.second = nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, x):
        return self.second(self.dropout(nnx.relu(self.norm(self.first(x)))))


def objects():
    model = _Model(nnx.Rngs(0, params=1, dropout=2))
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)
    x = jax.random.normal(jax.random.key(0), (5, 3))

    @nnx.jit
    def step(model, optimizer, x):
        value, slope = nnx.value_and_grad(lambda m: jnp.mean(m(x) ** 2))(model)
        optimizer.update(model, slope)
        return value

    values = [step(model, optimizer, x) for _ in range(3)]
    graph, state = nnx.split(model)
    again = nnx.merge(graph, state)
    again.eval()
    return {"values": jnp.stack(values), "out": again(x), "kernel": model.first.kernel[...]}
