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


class _Layer(nn.Module):
    @nn.compact
    def __call__(self, carry, _):
        calls = self.variable("stats", "calls", lambda: jnp.zeros(()))
        calls.value += 1
        carry = nn.Dropout(0.3, deterministic=False)(nn.Dense(3)(carry))
        return carry, carry.sum()


class _Block(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.tanh(nn.Dense(3)(x)) if train else x


def lifted():
    x = jax.random.normal(jax.random.key(0), (6, 3))
    layers = nn.scan(
        _Layer, variable_axes={"params": 0, "stats": 0}, split_rngs={"params": True, "dropout": True}, length=3,
        in_axes=nn.broadcast,
    )()  # fmt: skip
    variables = layers.init({"params": jax.random.key(1), "dropout": jax.random.key(2)}, x, None)

    def apply(params, key):
        variables_ = {**variables, "params": params}
        return layers.apply(variables_, x, None, rngs={"dropout": key}, mutable=["stats"])

    (out, sums), stats = jax.jit(apply)(variables["params"], jax.random.key(3))
    slope = jax.grad(lambda p: apply(p, jax.random.key(3))[0][0].sum())(variables["params"])
    again = nn.remat(_Block, static_argnums=(2,), policy=jax.checkpoint_policies.checkpoint_dots)()
    params = again.init(jax.random.key(0), x, True)
    many = nn.vmap(nn.Dense, variable_axes={"params": 0}, split_rngs={"params": True})(5)
    batch = jnp.stack([x, 2 * x])
    return {
        "out": out, "sums": sums, "calls": stats["stats"]["calls"], "slope": slope["Dense_0"]["kernel"],
        "remat": jax.grad(lambda p: again.apply(p, x, True).sum())(params)["params"]["Dense_0"]["kernel"],
        "vmap": many.apply(many.init(jax.random.key(4), batch), batch),
    }  # fmt: skip


def cells():
    x = jax.random.normal(jax.random.key(0), (4, 6, 3))
    out = {}
    for cell in (nn.OptimizedLSTMCell(4), nn.GRUCell(4), nn.SimpleCell(4), nn.MGUCell(4)):
        rnn = nn.RNN(cell, reverse=True, keep_order=True)
        variables = rnn.init(jax.random.key(1), x)
        lengths = jnp.array([6, 5, 2, 1])
        out[type(cell).__name__] = jax.jit(lambda v, rnn=rnn, n=lengths: rnn.apply(v, x, seq_lengths=n))(variables)
    both = nn.Bidirectional(nn.RNN(nn.GRUCell(4)), nn.RNN(nn.GRUCell(4)))
    variables = both.init(jax.random.key(0), x)
    out["slope"] = jax.tree.leaves(jax.grad(lambda v: both.apply(v, x).sum())(variables))[-1]
    return out


def layers():
    """Transformations of nnx over layers whose parameters are stacked."""

    @nnx.split_rngs(splits=4)
    @nnx.vmap(in_axes=0, out_axes=0)
    def make(rngs):
        return _Model_(rngs)

    model = make(nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (5, 3))

    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    def forward(x, layer):
        return layer(x)

    @nnx.jit
    def loss(model):
        return jnp.mean(forward(x, model) ** 2)

    slope = nnx.grad(lambda m: jnp.mean(nnx.remat(forward)(x, m) ** 2))(model)
    rnn = nnx.RNN(nnx.GRUCell(3, 4, rngs=nnx.Rngs(0)))
    return {
        "kernel": model.linear.kernel[...], "loss": loss(model), "slope": slope["linear"]["kernel"][...],
        "rnn": rnn(jnp.stack([x, x + 1])),
    }  # fmt: skip


class _Model_(nnx.Module):
    def __init__(self, rngs):
        self.linear = nnx.Linear(3, 3, rngs=rngs)
        self.norm = nnx.BatchNorm(3, rngs=rngs)

    def __call__(self, x):
        return nnx.tanh(self.norm(self.linear(x)))
