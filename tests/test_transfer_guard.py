"""``transfer_guard``: which programs raise was found out with JAX 0.10.2 on CPUs, eight of them."""

import logging
import threading

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, random
from fungrad.errors import JaxRuntimeError
from fungrad.sharding import AxisType, NamedSharding, PartitionSpec as P

GUARDS = {
    "host-to-device": fungrad.transfer_guard_host_to_device,
    "device-to-device": fungrad.transfer_guard_device_to_device,
}
LEVELS = ("allow", "log", "disallow", "log_explicit", "disallow_explicit")


class Values:
    """What the programs work with, made without a guard."""

    def __init__(self):
        self.n3 = np.ones(3, np.float32)
        self.n8 = np.arange(8, dtype=np.float32)
        self.x, self.x8 = jnp.ones(3), jnp.arange(8.0)
        self.places = jnp.array([0, 1])
        self.key = random.key(0)
        self.other = fungrad.devices()[1]
        self.mesh = fungrad.make_mesh((8,), ("x",), (AxisType.Auto,))
        self.sharding = NamedSharding(self.mesh, P("x"))
        self.s8 = fungrad.device_put(self.x8, self.sharding)
        self.y = fungrad.device_put(self.x, self.other)
        self.double = fungrad.jit(lambda x: x * 2.0)
        self.plus_constant = fungrad.jit(lambda x: x + self.n3)
        self.of_sharded = fungrad.jit(lambda x: x * 2, in_shardings=self.sharding)
        self.to_sharded = fungrad.jit(lambda x: x * 2, out_shardings=self.sharding)
        self.compiled = self.double.lower(self.x).compile()


@pytest.fixture(scope="module")
def v():
    fungrad.config.update("jax_num_cpu_devices", 8)
    yield Values()
    fungrad.config.update("jax_num_cpu_devices", 0)


def shard_mapped(v):
    return fungrad.shard_map(lambda x: x + x, mesh=v.mesh, in_specs=P("x"), out_specs=P("x"))


# By what they do to which transfers are refused: implicit ones, explicit ones.
IMPLICIT_FROM_HOST = [
    lambda v: v.x + v.n3,
    lambda v: v.n3 * v.x,
    lambda v: v.x + 1.5,
    lambda v: 1 - v.x,
    lambda v: v.x * np.float32(2),
    lambda v: v.x > 0,
    lambda v: v.x**2.5,
    lambda v: jnp.sin(v.n3),
    lambda v: jnp.sin(1.0),
    lambda v: jnp.where(v.x > v.x, v.x, 0.0),
    lambda v: jnp.clip(v.x, 0, 1),
    lambda v: jnp.concatenate([v.x, v.n3]),
    lambda v: jnp.dot(v.x, v.n3),
    lambda v: v.double(v.n3),
    lambda v: v.double(1.0),
    lambda v: v.double(np.float32(1)),
    lambda v: v.compiled(v.n3),
    lambda v: v.of_sharded(v.n8),
    lambda v: fungrad.pmap(lambda x: x + x)(v.n8),
    lambda v: jnp.asarray(v.n3),
    lambda v: jnp.array([1.0, 2.0]),
    lambda v: jnp.asarray(1.0),
    lambda v: jnp.asarray(v.n3, device=v.other),
    lambda v: jnp.ones(3),
    lambda v: jnp.zeros_like(v.x),
    lambda v: jnp.full(3, 1.5),
    lambda v: jnp.arange(0.0, 4.0, 0.5),
    lambda v: v.x[0],
    lambda v: v.x[1:],
    lambda v: v.x[np.array([0, 1])],
    lambda v: v.x.at[0].set(v.x[v.places[0]]),
    lambda v: random.key(0),
    lambda v: random.fold_in(v.key, 3),
    lambda v: fungrad.grad(lambda x: x * x)(1.0),
    lambda v: fungrad.vmap(lambda x: x + 1)(v.x),
    lambda v: fungrad.vmap(lambda x: x + x)(v.n3),
    lambda v: fungrad.jvp(jnp.sin, (v.n3,), (v.n3,)),
    lambda v: lax.scan(lambda c, a: (c + a, a), 0.0, v.x),
    lambda v: lax.add(v.x, v.n3),
    lambda v: lax.mul(v.x, 2.0),
    lambda v: lax.full((3,), 1.0),
    lambda v: fungrad.make_array_from_callback((8,), v.sharding, lambda i: v.n8[i]),
]
IMPLICIT_BETWEEN = [
    lambda v: v.of_sharded(v.x8),
    lambda v: v.to_sharded(v.x8),
    lambda v: lax.with_sharding_constraint(v.x8, v.sharding),
    lambda v: shard_mapped(v)(v.x8),
    lambda v: fungrad.pmap(lambda x: x + x)(v.x8),
    lambda v: v.s8 + v.x8,
    lambda v: fungrad.jit(lambda x: lax.with_sharding_constraint(x, v.sharding))(v.x8),
]
EXPLICIT_FROM_HOST = [
    lambda v: fungrad.device_put(v.n3),
    lambda v: fungrad.device_put(1.0),
    lambda v: fungrad.device_put(v.n3, v.other),
    lambda v: fungrad.device_put(v.n8, v.sharding),
    lambda v: fungrad.device_put(v.s8, NamedSharding(v.mesh, P())),
    lambda v: fungrad.device_put(v.s8, fungrad.devices()[0]),
]
EXPLICIT_BETWEEN = [
    lambda v: fungrad.device_put(v.x, v.other),
    lambda v: fungrad.device_put(v.y, fungrad.devices()[0]),
    lambda v: fungrad.device_put(v.x8, v.sharding),
    lambda v: fungrad.device_put(v.s8.addressable_shards[0].data, fungrad.devices()[3]),
]
NONE = [
    lambda v: -v.x,
    lambda v: v.x**2,
    lambda v: v.x.sum() + v.x.mean(),
    lambda v: fungrad.nn.relu(v.x),
    lambda v: v.x[::-1],
    lambda v: v.x[:, None],
    lambda v: v.double(v.x),
    lambda v: v.plus_constant(v.x),
    lambda v: fungrad.jit(lambda x: jnp.where(x > 0, x * 3 + v.n3, jnp.zeros(3))[1:])(v.x),
    lambda v: fungrad.jit(fungrad.grad(lambda x: (x * 2.0).sum()))(v.x),
    lambda v: fungrad.jit(lambda x: x - 1).lower(v.n3).compile(),
    lambda v: fungrad.eval_shape(lambda x: x + 1, v.n3),
    lambda v: v.compiled(v.x),
    lambda v: v.of_sharded(v.s8),
    lambda v: shard_mapped(v)(v.s8),
    lambda v: jnp.array(v.x, copy=True),
    lambda v: jnp.arange(4),
    lambda v: random.normal(v.key, (3,)),
    lambda v: random.split(v.key),
    lambda v: fungrad.device_put(v.x, fungrad.devices()[0]),
    lambda v: fungrad.device_put(v.s8, v.sharding),
    lambda v: fungrad.device_put(v.s8, NamedSharding(fungrad.sharding.Mesh(fungrad.devices()[::-1], ("x",)), P())),
    lambda v: [s.data for s in v.s8.addressable_shards],
    lambda v: (np.asarray(v.x), v.x.tolist(), str(v.s8), float(v.x.sum()), fungrad.device_get(v.s8)),
    lambda v: fungrad.vjp(jnp.sin, v.x)[1](v.x),
    lambda v: (np.add(v.x, 1), np.concatenate([v.x, v.n3]), np.where(v.x > v.x, v.n3, v.x), np.add.reduce(v.x)),
]
KINDS = {
    ("host-to-device", False): IMPLICIT_FROM_HOST,
    ("device-to-device", False): IMPLICIT_BETWEEN,
    ("host-to-device", True): EXPLICIT_FROM_HOST,
    ("device-to-device", True): EXPLICIT_BETWEEN,
    (None, True): NONE,
}
CASES = [(direction, explicit, i) for (direction, explicit), each in KINDS.items() for i in range(len(each))]


@pytest.mark.parametrize("direction, explicit, number", CASES)
def test_what_is_a_transfer(v, direction, explicit, number):
    program = KINDS[direction, explicit][number]
    program(v)  # what was computed before must not hide a transfer
    for guarded, guard in [*GUARDS.items(), (direction, fungrad.transfer_guard)]:
        for level in LEVELS:
            seen = direction == guarded and (not explicit or level.endswith("_explicit")) and direction is not None
            with guard(level):
                if seen and level.startswith("disallow"):
                    with pytest.raises(JaxRuntimeError, match=f"Disallowed {direction} transfer: aval=.*allow it with"):
                        program(v)
                else:
                    program(v)


def test_log(v, caplog):
    with caplog.at_level(logging.WARNING, "fungrad"), fungrad.transfer_guard("log"):
        fungrad.device_put(v.n3)
        assert not caplog.messages
        v.double(v.n3)
    (message,) = set(caplog.messages)
    assert message.startswith("host-to-device transfer: aval=ShapedArray(float32[3]), dst_sharding=Single")


def test_nesting_threads_and_options(v):
    def refused():
        try:
            v.x + 1.5
        except JaxRuntimeError:
            return True
        return False

    with fungrad.transfer_guard_host_to_device("disallow"):
        with fungrad.transfer_guard("allow"):
            assert not refused()
        assert refused()
    with fungrad.transfer_guard("disallow"):
        with fungrad.transfer_guard_host_to_device("allow"):
            assert not refused()
        assert refused()
        elsewhere = []
        thread = threading.Thread(target=lambda: elsewhere.append(refused()))
        thread.start()
        thread.join()
        assert elsewhere == [False]
    assert not refused()
    fungrad.config.update("jax_transfer_guard", "disallow")
    try:
        assert fungrad.config.values["jax_transfer_guard_device_to_device"] == "disallow"
        assert refused()
        with fungrad.transfer_guard("allow"):
            assert not refused()
        with fungrad.transfer_guard(None):
            assert refused()
    finally:
        fungrad.config.update("jax_transfer_guard", "allow")
    assert not refused()
    with pytest.raises(ValueError, match="transfer_guard"), fungrad.transfer_guard("never"):
        pass
