"""Expressions over arrays on a mesh with explicit axes, evaluated by fungrad and by JAX alike.

Each is Python text, followed by what JAX 0.10.2 says: the types of the results, or the name of the error (`outcome`).
Run as a program this prints the outcomes as JSON.
"""

import json
import sys

SETUP = """
mesh = jax.make_mesh((4, 2), ("x", "y"))
jax.set_mesh(mesh)
a = jax.device_put(np.arange(64.0).reshape(8, 8).astype("f4") / 64, P("x", "y"))
b = jax.device_put(np.arange(64.0).reshape(8, 8).astype("f4") / 32, P("y", None))
c = jax.device_put(np.ones((8, 8), "f4"), P(None, "x"))
r = jnp.ones((8, 8), "float32")
v = jax.device_put(np.ones(8, "f4"), P("x"))
u = jax.device_put(np.ones(8, "f4"), P("y"))
t = jax.device_put(np.ones((8, 4, 6), "f4"), P("x", "y", None))
xy = jax.device_put(np.ones((16, 2), "f4"), P(("x", "y")))
i = jnp.array([0, 3])
k = jax.device_put(np.arange(8) % 8, P("x"))
"""

# ruff: noqa: E501
CASES = """
a + 1  ->  float32[8@x,8@y]
a + a  ->  float32[8@x,8@y]
a * r  ->  float32[8@x,8@y]
a + v  ->  ShardingTypeError
a + u  ->  float32[8@x,8@y]
a + c  ->  ShardingTypeError
v + u  ->  ShardingTypeError
v[:, None] + u[None, :]  ->  float32[8@x,8@y]
v[None, :] + v[:, None]  ->  ShardingTypeError
v[None]  ->  float32[1,8@x]
v[:, None, None]  ->  float32[8@x,1,1]
b[:, 0]  ->  float32[8@y]
c[0]  ->  float32[8@x]
t[..., 0]  ->  float32[8@x,4@y]
t[:, :, 1:3]  ->  float32[8@x,4@y,2]
jnp.exp(a) * jnp.tanh(a) > 0  ->  bool[8@x,8@y]
jnp.where(a > 0, a, 0.0)  ->  float32[8@x,8@y]
jnp.where(a > 0, a, b)  ->  ShardingTypeError
jnp.clip(a, 0, 1)  ->  float32[8@x,8@y]
a.astype("int32")  ->  int32[8@x,8@y]
a.T  ->  float32[8@y,8@x]
t.transpose(2, 0, 1)  ->  float32[6,8@x,4@y]
jnp.swapaxes(t, 0, 1)  ->  float32[4@y,8@x,6]
a.sum()  ->  float32[]
a.sum(0)  ->  float32[8@y]
a.max(1)  ->  float32[8@x]
a.mean(0, keepdims=True)  ->  float32[1,8@y]
jnp.argmax(a, 0)  ->  int32[8@y]
(a > 0).all(1)  ->  bool[8@x]
a @ c  ->  ShardingTypeError
a @ b  ->  ShardingTypeError
a @ a  ->  ShardingTypeError
a @ r  ->  float32[8@x,8]
r @ a  ->  float32[8,8@y]
r @ r  ->  float32[8,8]
b @ a  ->  ShardingTypeError
jnp.dot(a, b, out_sharding=P("x", None))  ->  float32[8@x,8]
jnp.dot(a, b, out_sharding=P("x", None, unreduced={"y"}))  ->  float32[8@x,8]{U:y}
jnp.matmul(a, a.T, out_sharding=P("y"))  ->  float32[8@y,8]
a @ v  ->  ShardingTypeError
v @ v  ->  ShardingTypeError
jnp.dot(v, v, out_sharding=P())  ->  float32[]
jnp.einsum("ij,jk->ik", a, r)  ->  float32[8@x,8]
jnp.einsum("ij,kj->ik", a, a)  ->  ShardingTypeError
jnp.einsum("ij,kj->ik", a, a, out_sharding=P("x"))  ->  float32[8@x,8]
jnp.einsum("bij,bjk->bik", t, jnp.ones((8, 6, 3), "float32"))  ->  float32[8@x,4@y,3]
lax.dot_general(t, t, (((2,), (2,)), ((0, 1), (0, 1))))  ->  float32[8@x,4@y]
jnp.outer(v, u)  ->  float32[8@x,8@y]
jnp.outer(v, v)  ->  ShardingTypeError
a.reshape(64)  ->  float32[64@(x,y)]
r.reshape(64)  ->  float32[64]
a.reshape(64, out_sharding=P("x"))  ->  float32[64@x]
v.reshape(4, 2)  ->  float32[4@x,2]
v.reshape(2, 4)  ->  ShardingTypeError
v.reshape(1, 8)  ->  float32[1,8@x]
v.reshape(8, 1, 1)  ->  float32[8@x,1,1]
u.reshape(2, 4)  ->  float32[2@y,4]
u.reshape(4, 2)  ->  float32[4@y,2]
t.reshape(8, 24)  ->  float32[8@x,24@y]
t.reshape(32, 6)  ->  float32[32@(x,y),6]
t.reshape(8, 4, 3, 2)  ->  float32[8@x,4@y,3,2]
t.reshape(8, 4, 6, 1)  ->  float32[8@x,4@y,6,1]
b.reshape(64)  ->  float32[64@y]
c.reshape(64)  ->  ShardingTypeError
xy.reshape(32)  ->  float32[32@(x,y)]
xy.reshape(4, 4, 2)  ->  float32[4@x,4@y,2]
xy.reshape(4, 8, 1)  ->  ShardingTypeError
jnp.expand_dims(a, 1)  ->  float32[8@x,1,8@y]
jnp.squeeze(v[:, None], 1)  ->  float32[8@x]
jnp.broadcast_to(v, (3, 8))  ->  float32[3,8@x]
jnp.broadcast_to(v[:, None], (8, 3))  ->  float32[8@x,3]
lax.broadcast_in_dim(v, (8, 3), (0,))  ->  float32[8@x,3]
jnp.concatenate([a, a])  ->  float32[16@x,8@y]
jnp.concatenate([a, b])  ->  ShardingTypeError
jnp.stack([v, v])  ->  float32[2,8@x]
jnp.stack([v, u])  ->  ShardingTypeError
lax.split(t, (3, 3), axis=2)  ->  float32[8@x,4@y,3]; float32[8@x,4@y,3]
lax.slice(a, (0, 0), (4, 8))  ->  float32[4@x,8@y]
lax.slice(a, (0, 0), (3, 8))  ->  ShardingTypeError
lax.slice(b, (0, 0), (2, 3))  ->  float32[2@y,3]
lax.dynamic_slice(a, (0, 0), (4, 8))  ->  float32[4@x,8@y]
lax.dynamic_slice(a, (0, 0), (1, 8))  ->  ShardingTypeError
lax.dynamic_update_slice(a, a, (0, 0))  ->  float32[8@x,8@y]
lax.dynamic_update_slice(r, v[None], (0, 0))  ->  ShardingTypeError
lax.pad(v, 0.0, [(4, 4, 0)])  ->  float32[16@x]
lax.pad(v, 0.0, [(1, 0, 0)])  ->  ShardingTypeError
lax.rev(a, (0,))  ->  float32[8@x,8@y]
jnp.sort(a, axis=0)  ->  ShardingTypeError
jnp.sort(c, axis=0)  ->  float32[8,8@x]
jnp.argsort(c, axis=0)  ->  int32[8,8@x]
jnp.cumsum(a, 0)  ->  ShardingTypeError
jnp.cumsum(c, 0)  ->  float32[8,8@x]
lax.top_k(b, 2)  ->  float32[8@y,2]; int32[8@y,2]
lax.top_k(a, 2)  ->  ShardingTypeError
a.at[i].get(out_sharding=P())  ->  float32[2,8]
r.at[k].get(out_sharding=P("x", None))  ->  float32[8@x,8]
r[k]  ->  ShardingTypeError
r[i]  ->  float32[2,8]
c[i]  ->  float32[2,8@x]
a[i]  ->  ShardingTypeError
r.at[k].get()  ->  ShardingTypeError
c.at[i].set(1.0)  ->  float32[8,8@x]
a.at[i].set(1.0)  ->  ShardingTypeError
a.at[i].add(1.0, out_sharding=P("x", "y"))  ->  float32[8@x,8@y]
jax.reshard(a, P(None, "y"))  ->  float32[8,8@y]
jax.reshard(a, P())  ->  float32[8,8]
jax.reshard(r, P(("x", "y")))  ->  float32[8@(x,y),8]
jax.device_put(np.ones((4, 2)), P("y", None))  ->  float32[4@y,2]
jnp.zeros((8, 2), out_sharding=P("x"))  ->  float32[8@x,2]
jnp.ones((8,), out_sharding=P("z"))  ->  ValueError
jnp.full((8, 2), 1.0, out_sharding=P("x", "y"))  ->  ~float32[8@x,2@y]
jnp.arange(8, out_sharding=P("y"))  ->  int32[8@y]
jnp.zeros_like(a)  ->  float32[8@x,8@y]
jnp.ones_like(a)  ->  float32[8@x,8@y]
lax.broadcasted_iota("int32", (8, 2), 0, out_sharding=P("x"))  ->  int32[8@x,2]
jax.random.normal(jax.random.key(0), (8, 2), out_sharding=P("x"))  ->  float32[8@x,2]
jax.random.uniform(jax.random.key(0), (8,), out_sharding=P("y"))  ->  float32[8@y]
jax.nn.softmax(a, axis=1)  ->  float32[8@x,8@y]
jax.nn.relu(a)  ->  float32[8@x,8@y]
jax.nn.one_hot(jnp.arange(8), 4)  ->  float32[8,4]
jnp.fft.fft(jax.reshard(r, P("x", None)))  ->  complex64[8@x,8]
lax.conv(t[:, None, :, :], jnp.ones((1, 1, 3, 3), "float32"), (1, 1), "SAME")  ->  float32[8@x,1,4@y,6]
lax.conv(t[:, :, None, :], jnp.ones((1, 4, 1, 1), "float32"), (1, 1), "SAME")  ->  ShardingTypeError
jnp.tile(c, (2, 1))  ->  float32[16,8@x]
jnp.repeat(c, 2, axis=0)  ->  float32[16,8@x]
jnp.repeat(v, 2)  ->  ValueError
jnp.ravel(a)  ->  float32[64@(x,y)]
lax.reduce_window(b, 0.0, lax.add, (1, 3), (1, 1), "SAME")  ->  float32[8@y,8]
lax.select(a > 0, a, a)  ->  float32[8@x,8@y]
lax.clamp(0.0, a, 1.0)  ->  float32[8@x,8@y]
jax.sharding.auto_axes(lambda x: x @ x.T, out_sharding=P("x"))(a)  ->  float32[8@x,8]
jax.sharding.auto_axes(lambda x: x @ x.T)(a, out_sharding=P("y"))  ->  float32[8@y,8]
jax.sharding.auto_axes(lambda x: x @ x.T)(a)  ->  TypeError
jax.sharding.auto_axes(lambda x: jax.typeof(x).sharding.spec == P(None, "y") or x[0].sum(), axes="x", out_sharding=P())(a)  ->  bool[]
jax.jit(lambda x: x * 2)(a)  ->  float32[8@x,8@y]
jax.jit(lambda x: x @ x)(a)  ->  ShardingTypeError
jax.jit(lambda x: jax.reshard(x, P("y")))(a)  ->  float32[8@y,8]
jax.jit(lambda x: x.sum(1), out_shardings=P("x"))(a)  ->  float32[8@x]
jax.grad(lambda x: (x * x).sum())(a)  ->  float32[8@x,8@y]
jax.grad(lambda x: jnp.sin(x @ c).sum())(jax.reshard(a, P("y", None)))  ->  float32[8@y,8]
jax.grad(lambda x, y: jnp.dot(x, y, out_sharding=P("x", None)).sum(), argnums=(0, 1))(a, b)  ->  float32[8@x,8@y]; float32[8@y,8]
jax.grad(jax.jit(lambda x, y: jnp.dot(x, y, out_sharding=P("x", None)).sum()), argnums=(0, 1))(a, b)  ->  float32[8@x,8@y]; float32[8@y,8]
jax.grad(lambda x: x.reshape(64, out_sharding=P("x")).sum())(a)  ->  float32[8@x,8@y]
jax.grad(lambda x: jax.reshard(x, P("y")).sum())(a)  ->  float32[8@x,8@y]
jax.grad(lambda x: x.at[i].get(out_sharding=P()).sum())(a)  ->  float32[8@x,8@y]
jax.jvp(lambda x: x * 2, (a,), (a,))  ->  float32[8@x,8@y]; float32[8@x,8@y]
jax.vjp(lambda x: x.sum(0), a)[1](u)  ->  float32[8@x,8@y]
jax.hessian(lambda x: (x * x * x).sum())(v).shape  ->  (8, 8)
jax.vmap(lambda x: x * 2)(a)  ->  float32[8@x,8@y]
jax.vmap(lambda x: x.sum())(a)  ->  float32[8@x]
jax.vmap(lambda x, y: x @ y, in_axes=(0, None))(b, r)  ->  float32[8@y,8]
jax.vmap(lambda x: jax.typeof(x).sharding.spec == P("y"))(a)  ->  bool[8]
jax.vmap(lambda x: jax.reshard(x, P(None)))(a)  ->  float32[8@x,8]
jax.vmap(lambda x: jnp.sort(x))(b)  ->  float32[8@y,8]
jax.vmap(jax.jit(jnp.sin))(a)  ->  float32[8@x,8@y]
jax.vmap(jax.jit(lambda x: x.sum()), out_axes=-1)(t)  ->  float32[8@x]
jax.vmap(jax.jit(jnp.sin), in_axes=1, out_axes=2)(t)  ->  float32[8@x,6,4@y]
jax.vmap(jax.vmap(jax.jit(jnp.sin)))(t)  ->  float32[8@x,4@y,6]
jax.vmap(jax.jit(lambda x, y: jnp.dot(x, y, out_sharding=P("y"))), in_axes=(0, None))(b, c)  ->  DuplicateSpecError
jax.vmap(jax.jit(lambda x, y: jnp.dot(x, y, out_sharding=P("x"))), in_axes=(0, None))(b, c)  ->  float32[8@y,8@x]
jax.vmap(jax.jit(jax.grad(lambda x: jnp.sin(x).sum())))(b)  ->  float32[8@y,8]
jax.vmap(jax.checkpoint(jnp.sin))(b)  ->  float32[8@y,8]
jax.vmap(lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x))(b)  ->  float32[8@y,8]
jax.vmap(lambda x: lax.fori_loop(0, 3, lambda i, c: c + 1, x))(b)  ->  float32[8@y,8]
jax.vmap(lambda x: lax.while_loop(lambda c: c[0] < 9, lambda c: c + 1, x))(b)  ->  float32[8@y,8]
jax.vmap(lambda x, y: jnp.concatenate([x, y]), in_axes=(0, None))(b, jax.reshard(r[0], P(None)))  ->  float32[8@y,16]
jax.vmap(lambda x, y: x.at[:2].set(y[:2]), in_axes=(0, None))(b, jax.reshard(r[0], P(None)))  ->  float32[8@y,8]
jax.vmap(lambda x, y: y.at[:2].set(x[:2]), in_axes=(0, None))(b, jax.reshard(r[0], P(None)))  ->  float32[8@y,8]
jax.vmap(lambda x, y: lax.sort((x, y), num_keys=1)[1], in_axes=(0, None))(b, jax.reshard(r[0], P(None)))  ->  float32[8@y,8]
jax.vmap(lambda x, y: x + y)(a, b)  ->  ValueError
jax.vmap(lambda x, y: x + y)(b, c)  ->  ValueError
jax.sharding.auto_axes(lambda x: jnp.einsum("ij,jk->ik", x, x, out_sharding=P("x")), out_sharding=P())(b)  ->  ValueError
jax.sharding.auto_axes(lambda x: jax.reshard(x, P("x")), out_sharding=P())(b)  ->  ValueError
jax.sharding.auto_axes(lambda x: x + jnp.zeros((8, 8), out_sharding=P("x")), out_sharding=P())(b)  ->  ValueError
jax.sharding.auto_axes(lambda x: x + jnp.zeros((8, 8), out_sharding=P(None)), out_sharding=P())(b)  ->  float32[8,8]
jax.checkpoint(lambda x: jnp.sin(x).sum())(a)  ->  float32[]
jax.grad(jax.checkpoint(lambda x: jnp.sin(x).sum()))(a)  ->  float32[8@x,8@y]
lax.scan(lambda s, x: (s + x, s), jnp.zeros(8) * u, jax.reshard(a, P(None, "y")))  ->  float32[8@y]; float32[8,8@y]
lax.scan(lambda s, x: (s + x, s), jnp.zeros(8) * u, a)  ->  ValueError
lax.map(lambda x: x * 2, jax.reshard(a, P(None, "y")))  ->  float32[8,8@y]
lax.cond(True, lambda x: x * 2, lambda x: x, a)  ->  float32[8@x,8@y]
lax.cond(True, lambda x: x.sum(0), lambda x: x.sum(0) * 2, a)  ->  float32[8@y]
lax.while_loop(lambda x: x.sum() < 0, lambda x: x + 1, a)  ->  float32[8@x,8@y]
lax.fori_loop(0, 3, lambda i, x: x * 2, a)  ->  float32[8@x,8@y]
jax.eval_shape(lambda x: x * 2, a).sharding.spec.__repr__()  ->  P('x', 'y')
jax.typeof(a).str_short(True, True)  ->  float32[8@x,8@y]({Explicit: ('x', 'y')})
str(a.sharding.spec)  ->  P('x', 'y')
str((a * 2).sharding.spec)  ->  P('x', 'y')
str(a.sum().sharding.spec)  ->  P()
jax.typeof(a).update(shape=(4, 8))  ->  float32[4@x,8@y]
jnp.dot(a, b, out_sharding=P("x", None, unreduced={"y"})) + 1  ->  ShardingTypeError
jax.reshard(jnp.dot(a, b, out_sharding=P("x", None, unreduced={"y"})), P("x"))  ->  float32[8@x,8]
jnp.sin(jnp.dot(a, b, out_sharding=P("x", None, unreduced={"y"})))  ->  NotImplementedError
jnp.dot(a, b, out_sharding=P("x", None, unreduced={"x"}))  ->  ValueError
jnp.sum(a, axis=0, out_sharding=P("y")) if False else a.sum(0)  ->  float32[8@y]
jax.shard_map(lambda x: x * 2, in_specs=P("x", "y"), out_specs=P("x", "y"))(a)  ->  float32[8@x,8@y]
jax.shard_map(lambda x: x * 2, in_specs=P("y", "x"), out_specs=P("x", "y"))(a)  ->  ValueError
jax.grad(lambda x: (x * 2).sum())(jax.reshard(jnp.arange(8.0), P(None, reduced={"x"})))  ->  float32[8]{U:x}
str(jax.shard_map(lambda x: None, in_specs=P("x"), out_specs=None)(v))  ->  None
jax.smap(in_axes=0, out_axes=0, axis_name="x")(lambda x: x * 2)(v)  ->  float32[8@x]
jax.shard_map(lambda x: (x, None), in_specs=P("x"), out_specs=(P("x"), None))(v)  ->  float32[8@x]
jax.shard_map(lambda x: x * 2, out_specs=P("x", "y"))(a)  ->  float32[8@x,8@y]
jax.shard_map(lambda x: x * 2, in_specs=P("x"), out_specs=P("x"), axis_names={"x"})(a)  ->  float32[8@x,8@y]
jax.shard_map(lambda x: lax.psum(x, "x"), in_specs=P("x", "y"), out_specs=P(None, "y"))(a)  ->  float32[2,8@y]
jax.shard_map(lambda x: x, in_specs=P("x", "y"), out_specs=P(None, "y"))(a)  ->  ValueError
jax.shard_map(lambda x: x, in_specs=P("x"), out_specs=P("z"))(v)  ->  ValueError
"""

CASES = [tuple(line.split("  ->  ")) for line in CASES.strip().splitlines()]


def namespace():
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax import lax
    from jax.sharding import PartitionSpec as P

    jax.config.update("jax_num_cpu_devices", 8)
    names = {"jax": jax, "jnp": jnp, "np": np, "lax": lax, "P": P}
    exec(SETUP, names)
    return names


def outcome(case, names):
    """The types of the results of an expression and the sum of their elements, or the name of its error."""
    jax = names["jax"]
    try:
        result = eval(case, names)
        if isinstance(result, (str, bool)) or not any(isinstance(x, jax.Array) for x in jax.tree.leaves(result)):
            return str(result).replace("f32", "float32")
        return "; ".join(str(jax.typeof(x)) for x in jax.tree.leaves(result))
    except Exception as error:  # noqa: BLE001 - its name is the outcome
        return type(error).__name__


if __name__ == "__main__":
    names = namespace()
    print(json.dumps([outcome(case, names) for case, _ in CASES]), file=sys.stdout)
