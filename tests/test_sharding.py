"""Meshes, sharded arrays, ``shard_map`` and ``pmap`` over devices for which the CPU stands."""

import pickle

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import P, lax
from fungrad.sharding import (
    AxisType,
    DuplicateSpecError,
    IndivisibleError,
    Mesh,
    NamedSharding,
    SingleDeviceSharding,
    get_abstract_mesh,
    get_mesh,
)


@pytest.fixture(autouse=True)
def devices():
    fungrad.config.update("jax_num_cpu_devices", 8)
    yield
    fungrad.config.update("jax_num_cpu_devices", 0)


@pytest.fixture
def mesh():
    return fungrad.make_mesh((4, 2), ("x", "y"))


X = np.arange(32, dtype=np.float32).reshape(8, 4) / 10
W = np.arange(4, dtype=np.float32) / 7


def test_meshes_and_specifications(mesh):
    assert repr(mesh) == "Mesh(axis_sizes=(4, 2), axis_names=('x', 'y'), axis_types=(Explicit, Explicit))"
    assert (mesh.size, dict(mesh.shape), mesh.devices.shape) == (8, {"x": 4, "y": 2}, (4, 2))
    assert fungrad.device_count() == 8 and repr(fungrad.devices()[3]) == "CpuDevice(id=3)"
    assert Mesh(np.array(fungrad.devices()).reshape(4, 2), ("a", "b")).axis_types == (AxisType.Auto,) * 2
    assert mesh == fungrad.make_mesh((4, 2), ("x", "y")) and hash(mesh) == hash(fungrad.make_mesh((4, 2), ("x", "y")))
    assert repr(P("x", None, ("y",))) == "P('x', None, 'y')" and P(("x",)) == P("x") != P("x", None)
    sharding = NamedSharding(mesh, P(("y", "x")))
    assert sharding.shard_shape((8, 3)) == (1, 3) and not sharding.is_fully_replicated
    # The first name is the most significant.
    assert sharding.devices_indices_map((8,))[fungrad.devices()[1]] == (slice(4, 5),)
    assert NamedSharding(mesh, P()).is_fully_replicated
    assert NamedSharding(mesh, P("x")).is_equivalent_to(NamedSharding(mesh, P("x", None)), 2)
    assert not NamedSharding(mesh, P("x")).is_equivalent_to(NamedSharding(mesh, P("y")), 2)
    assert get_mesh().empty and get_abstract_mesh().empty
    with fungrad.set_mesh(mesh):
        assert get_mesh() == mesh and get_abstract_mesh() == mesh.abstract_mesh
    with mesh:
        assert get_mesh() == mesh
    assert get_mesh().empty


def test_sharded_arrays(mesh, capsys):
    sharding = NamedSharding(mesh, P("x", "y"))
    x = fungrad.device_put(X, sharding)
    assert x.sharding == sharding and x.committed and not jnp.ones(2).committed
    shard = x.addressable_shards[3]
    assert shard.device.id == 3 and shard.index == (slice(2, 4), slice(2, 4)) and shard.replica_id == 0
    np.testing.assert_array_equal(shard.data, X[2:4, 2:4])
    assert shard.data.sharding == SingleDeviceSharding(fungrad.devices()[3])
    replicas = fungrad.device_put(X, NamedSharding(mesh, P("x"))).addressable_shards
    assert [s.replica_id for s in replicas] == [0, 1] * 4
    put = fungrad.device_put({"a": X, "b": W}, {"a": sharding, "b": fungrad.devices()[2]})
    assert put["a"].sharding == sharding and put["b"].sharding.device_set == {fungrad.devices()[2]}
    for made in (
        fungrad.make_array_from_callback((8, 4), sharding, lambda index: X[index]),
        fungrad.make_array_from_process_local_data(sharding, X),
        fungrad.make_array_from_single_device_arrays((8, 4), sharding, [s.data for s in x.addressable_shards[::-1]]),
    ):
        np.testing.assert_array_equal(made, X)
        assert made.sharding == sharding
    fungrad.debug.visualize_array_sharding(fungrad.device_put(X, NamedSharding(mesh, P("y", "x"))))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "│ CPU 0 │ CPU 2 │ CPU 4 │ CPU 6 │" and len(lines) == 5
    with fungrad.set_mesh(mesh):
        assert fungrad.reshard(x, P("y")).sharding.spec == P("y", None)
        assert lax.with_sharding_constraint(x, P("x", "y")) is x
        with pytest.raises(AssertionError, match="acts as an assert"):
            lax.with_sharding_constraint(x, P("y"))
        f = fungrad.jit(lambda x: fungrad.reshard(x, P("y")) * 2, out_shardings=P("x"))
        assert f(X).sharding == NamedSharding(mesh, P("x"))
    g = fungrad.jit(lambda a, b: (a, b), in_shardings=(sharding, None), out_shardings=(None, NamedSharding(mesh, P())))
    assert g(x, W)[1].sharding.is_fully_replicated and g.lower(x, W).compile()(x, W)[0].shape == (8, 4)
    with pytest.raises(ValueError, match="incompatible shardings"):
        g(fungrad.device_put(X, NamedSharding(mesh, P("y"))), W)


def test_collectives_over_a_mesh(mesh):
    def run(f, ins, outs):
        return np.asarray(fungrad.shard_map(f, mesh=mesh, in_specs=ins, out_specs=outs)(X))

    s = P("x", "y")
    blocks = X.reshape(4, 2, 2, 2)
    np.testing.assert_array_equal(run(lambda a: a, s, s), X)
    np.testing.assert_array_equal(run(lambda a: a, P(("y", "x")), P(("y", "x"))), X)
    np.testing.assert_allclose(run(lambda a: lax.psum(a, "x"), s, P(None, "y")), blocks.sum(0).reshape(2, 4), rtol=1e-6)
    gathered = run(lambda a: lax.all_gather(a, "x", tiled=True, to="invarying"), s, P(None, "y"))
    np.testing.assert_array_equal(gathered, X)
    np.testing.assert_array_equal(run(lambda a: lax.all_gather(a, "x", tiled=True), s, s)[:8], X)
    with pytest.raises(ValueError, match="replication which can't be statically inferred"):
        run(lambda a: lax.all_gather(a, "x"), s, P(None, None, "y"))
    shifted = np.roll(blocks, 1, axis=0).reshape(8, 4)
    ring = [(i, (i + 1) % 4) for i in range(4)]
    np.testing.assert_array_equal(run(lambda a: lax.ppermute(a, "x", ring), s, s), shifted)
    where = run(lambda a: a * 0 + lax.axis_index("x") * 10 + lax.axis_index("y"), s, s)
    assert where[::2, ::2].tolist() == [[0, 1], [10, 11], [20, 21], [30, 31]]
    scattered = run(lambda a: lax.psum_scatter(a, "y", scatter_dimension=0, tiled=True), P("x"), P(("x", "y")))
    np.testing.assert_allclose(scattered, 2 * X, rtol=1e-6)
    with fungrad.set_mesh(mesh):
        one = fungrad.shard_map(lambda a: a * lax.axis_index("y"), in_specs=P("y"), out_specs=P("y"), axis_names={"y"})
        np.testing.assert_array_equal(fungrad.jit(one)(X), np.concatenate([0 * X[:4], X[4:]]))
        total = fungrad.smap(lambda a: lax.psum(a.sum(), "x"), in_axes=0, out_axes=None, axis_name="x")
        assert total(jnp.ones((4, 3))) == 12
        inferred = fungrad.shard_map(lambda a: a * 2, out_specs=P("x"))
        np.testing.assert_array_equal(inferred(fungrad.reshard(X, P("x"))), 2 * X)
    out = fungrad.shard_map(lambda t: {"b": t["a"] + 1}, mesh=mesh, in_specs=P("x"), out_specs=P("x"))({"a": X})
    assert out["b"].sharding == NamedSharding(mesh, P("x"))


def shards_loss(w, a, sum_over_shards):
    y = sum_over_shards(jnp.sum(a * w, 0))
    z = jnp.sum(y * a) + jnp.sum(jnp.tanh(a @ w) ** 2)
    return sum_over_shards(z) / 4 + jnp.sum(jnp.sin(w))


def test_derivatives(mesh):
    def reference(w, x):
        parts = x.reshape(4, 2, 4)
        y = jnp.sum(parts * w, (0, 1))
        return (jnp.sum(y * x) + jnp.sum(jnp.tanh(x @ w) ** 2)) / 4 + jnp.sum(jnp.sin(w))

    value, (gw, gx) = fungrad.value_and_grad(reference, (0, 1))(W, X)
    loss = lambda w, a: shards_loss(w, a, lambda v: lax.psum(v, "x"))  # noqa: E731
    specs = (P(), P("x"))
    inside = fungrad.shard_map(fungrad.value_and_grad(loss, (0, 1)), mesh=mesh, in_specs=specs, out_specs=(P(), specs))
    outside = fungrad.value_and_grad(fungrad.shard_map(loss, mesh=mesh, in_specs=specs, out_specs=P()), (0, 1))
    remat = fungrad.shard_map(
        fungrad.jit(fungrad.value_and_grad(fungrad.checkpoint(loss), (0, 1))),
        mesh=mesh, in_specs=specs, out_specs=(P(), specs),
    )  # fmt: skip
    for f in (inside, outside, fungrad.jit(inside), fungrad.jit(outside), remat):
        v, (w, x) = f(W, X)
        np.testing.assert_allclose(v, value, rtol=1e-5)
        np.testing.assert_allclose(w, gw, rtol=1e-5)
        np.testing.assert_allclose(x, gx, rtol=1e-5)
    local = fungrad.shard_map(
        lambda w, a: fungrad.grad(lambda w: jnp.sum(a * w))(lax.pcast(w, "x", to="varying"))[None],
        mesh=mesh, in_specs=specs, out_specs=P("x"),
    )  # fmt: skip
    np.testing.assert_allclose(local(W, X), X.reshape(4, 2, 4).sum(1), rtol=1e-6)
    summed = fungrad.shard_map(
        lambda w, a: fungrad.grad(lambda w: jnp.sum(a * w))(w), mesh=mesh, in_specs=specs, out_specs=P()
    )
    np.testing.assert_allclose(summed(W, X), X.sum(0), rtol=1e-6)
    unchecked = fungrad.shard_map(
        fungrad.grad(lambda a: lax.psum(jnp.sum(a), "x")), mesh=mesh, in_specs=P("x"), out_specs=P("x"), check_vma=False
    )
    np.testing.assert_array_equal(unchecked(X), np.full_like(X, 4))
    # In a loop, types say what is the same for all members.
    looped = fungrad.shard_map(
        lambda w, a: lax.scan(lambda c, r: (c + fungrad.grad(lambda w: jnp.sum(r * w))(w), None), 0 * w, a)[0],
        mesh=mesh, in_specs=specs, out_specs=P(),
    )  # fmt: skip
    np.testing.assert_allclose(looped(W, X), X.sum(0), rtol=1e-6)


def test_pmap():
    f = fungrad.pmap(lambda x, s: x / lax.psum(x, "i") * s, axis_name="i", in_axes=(0, None))
    np.testing.assert_allclose(f(jnp.arange(4.0), 6.0), [0, 1, 2, 3], rtol=1e-6)
    assert len(f(jnp.arange(4.0), 6.0).addressable_shards) == 4
    g = fungrad.pmap(lambda x, n: x**n, static_broadcasted_argnums=1)
    assert g(jnp.arange(3.0), 2).tolist() == [0, 1, 4]
    np.testing.assert_allclose(
        fungrad.grad(lambda x: fungrad.pmap(jnp.sin)(x).sum())(X[:, 0]), np.cos(X[:, 0]), rtol=1e-6
    )
    with pytest.raises(ValueError, match="requires 9 logical devices, but only 8"):
        fungrad.pmap(lambda x: x)(jnp.arange(9))


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda m: fungrad.device_put(jnp.arange(9), NamedSharding(m, P("x"))), IndivisibleError, "does not evenly"),
        (lambda m: fungrad.device_put(jnp.arange(8), NamedSharding(m, P("x", "y"))), ValueError, "rank at least 2"),
        (lambda m: NamedSharding(m, P("z")), ValueError, "not found in mesh"),
        (lambda m: NamedSharding(m, P("x", "x")), DuplicateSpecError, "duplicate entries for `x`"),
        (lambda m: NamedSharding(m, ("x",)), TypeError, "PartitionSpec"),
        (lambda m: Mesh(m.devices, ("x",)), ValueError, "ndim"),
        (lambda m: fungrad.make_mesh((3, 3), ("x", "y")), ValueError, "jax_num_cpu_devices"),
        (lambda m: fungrad.reshard(X, P("x")), ValueError, "mesh context"),
        (lambda m: fungrad.device_put(X, "gpu"), ValueError, "device must be"),
    ],
)
def test_errors(mesh, call, error, words):
    with pytest.raises(error, match=words):
        call(mesh)


@pytest.mark.parametrize(
    "ins, outs, args, words",
    [
        (P("x"), P("x"), (np.arange(9),), "not evenly divisible .* axis 0 .of size 9. to mesh axis 'x'"),
        (P("x", "y"), P("x"), (np.arange(8),), "in_specs entry which is too long"),
        (P("x"), P(), (np.arange(8),), "replication which can't be statically inferred"),
        (P("x"), P("x", "y"), (np.arange(8),), "out_specs entry which is too long"),
        ((P("x"),), P("x"), (np.arange(8), 1.0), "in_specs must be a tree prefix"),
        (P("z"), P("x"), (np.arange(8),), "must refer to an axis marked as manual"),
    ],
)
def test_errors_of_shard_map(mesh, ins, outs, args, words):
    with pytest.raises(ValueError, match=words):
        fungrad.shard_map(lambda a, *_: a, mesh=mesh, in_specs=ins, out_specs=outs)(*args)


def test_the_part_of_an_array_without_dimensions():
    (shard,) = jnp.int32(3).addressable_shards
    assert shard.data.shape == () and shard.index == () and int(shard.data) == 3


@pytest.mark.parametrize("draw", [fungrad.random.uniform, fungrad.random.bits])
def test_results_where_a_traced_value_is(draw):
    key = fungrad.random.key(0)
    out = fungrad.jit(lambda x: draw(key, x.shape, out_sharding=fungrad.typeof(x).sharding))(jnp.ones((2, 3)))
    np.testing.assert_array_equal(out, draw(key, (2, 3)))


def test_formats():
    from fungrad.experimental.layout import Format, Layout

    mesh = fungrad.make_mesh((1,), ("x",))
    sharding = NamedSharding(mesh, P("x"))
    x = fungrad.device_put(np.ones((2, 3), np.float32), Format(Layout((0, 1)), sharding))
    assert x.sharding == sharding and x.format == Format(Layout((0, 1)), sharding)
    assert fungrad.device_put(x, x.format).format == x.format and len({x.format, Format(Layout([0, 1]), sharding)}) == 1
    assert fungrad.device_put(1.0, Format(Layout.AUTO)).format.layout == Layout(())
    with pytest.raises(ValueError, match=r"C order, Layout\(\(0, 1\)\).*got Layout\(major_to_minor=\(1, 0\)\)"):
        fungrad.device_put(x, Format(Layout((1, 0)), sharding))
    with pytest.raises(ValueError, match="needs a Sharding"):
        Format(Layout((0,)))
    with pytest.raises(TypeError, match="layout must be"):
        Format((0, 1), sharding)
    with pytest.raises(TypeError, match="sharding must be"):
        Format(None, 3)
    with pytest.raises(NotImplementedError, match="tiles"):
        Layout((0, 1), ((8, 128),))


def test_memories():
    device = fungrad.devices()[0]
    assert [m.kind for m in device.addressable_memories()] == ["device", "pinned_host", "unpinned_host"]
    assert device.default_memory() == device.memory("device") != device.memory("pinned_host")
    assert device.default_memory().addressable_by_devices() == [device]
    with pytest.raises(ValueError, match="Could not find memory addressable by device cpu.*Got memory kind: fast"):
        device.memory("fast")


def test_kinds_of_memory(mesh):
    sharding = NamedSharding(mesh, P("x"))
    host = sharding.with_memory_kind("pinned_host")
    assert (host.memory_kind, sharding.memory_kind, host.spec) == ("pinned_host", "device", sharding.spec)
    assert host != sharding and hash(host) != hash(sharding) and host.with_memory_kind("device") == sharding
    assert host == NamedSharding(mesh, P("x"), memory_kind="pinned_host") == pickle.loads(pickle.dumps(host))
    assert "memory_kind=pinned_host" in repr(host) and not host.is_equivalent_to(sharding, 2)
    assert fungrad.device_put(X, host).sharding == host
    single = SingleDeviceSharding(fungrad.devices()[1], memory_kind="unpinned_host")
    assert single.with_memory_kind(None) == SingleDeviceSharding(fungrad.devices()[1])
    for make in (sharding.with_memory_kind, lambda k: SingleDeviceSharding(fungrad.devices()[0], memory_kind=k)):
        with pytest.raises(ValueError, match="device, pinned_host, unpinned_host. Got memory kind: fast"):
            make("fast")


def test_memory_spaces(mesh):
    space = fungrad.memory.Space
    assert repr(list(space)) == "[MemorySpace.Device, MemorySpace.Host, MemorySpace.Any]"
    x = fungrad.device_put(X, NamedSharding(mesh, P("x")))
    there = fungrad.device_put(x, space.Host)
    assert (there.sharding.memory_kind, there.sharding.spec) == ("pinned_host", P("x"))
    assert fungrad.device_put(there, space.Device).sharding == x.sharding
    assert fungrad.device_put(x, space.Any) is x
    back = fungrad.jit(lambda x: fungrad.device_put(fungrad.device_put(x, space.Host) + 1, space.Device))(x)
    np.testing.assert_array_equal(back, X + 1)


def test_device_put_of_what_is_there_already_returns_it(mesh):
    sharding = NamedSharding(mesh, P("x"))
    x = fungrad.device_put(X, sharding)
    assert fungrad.device_put(x, sharding) is x and fungrad.device_put(x, NamedSharding(mesh, P("x"))) is x
    assert fungrad.device_put(x, NamedSharding(mesh, P("y"))) is not x
    device = fungrad.devices()[1]
    y = fungrad.device_put(X, device)
    assert fungrad.device_put(y, device) is y and fungrad.device_put(y, SingleDeviceSharding(device)) is y


CREATIONS = {
    "array": lambda **k: jnp.array(X[:, 0], **k),
    "asarray": lambda **k: jnp.asarray(X[:, 0], **k),
    "zeros": lambda **k: jnp.zeros(8, **k),
    "ones": lambda **k: jnp.ones(8, **k),
    "empty": lambda **k: jnp.empty(8, **k),
    "full": lambda **k: jnp.full(8, 2.0, **k),
    "zeros_like": lambda **k: jnp.zeros_like(X, **k),
    "ones_like": lambda **k: jnp.ones_like(X, **k),
    "empty_like": lambda **k: jnp.empty_like(X, **k),
    "full_like": lambda **k: jnp.full_like(X, 2.0, **k),
    "arange": lambda **k: jnp.arange(8, **k),
    "linspace": lambda **k: jnp.linspace(0.0, 1.0, 8, **k),
    "eye": lambda **k: jnp.eye(8, **k),
    "astype": lambda **k: jnp.astype(X, int, **k),
    "Array.astype": lambda **k: jnp.asarray(X).astype(int, **k),
    "Array.to_device": lambda device=None: jnp.asarray(X).to_device(device),
    "from_dlpack": lambda **k: jnp.from_dlpack(X, **k),
    "fft.fftfreq": lambda **k: jnp.fft.fftfreq(8, **k),
    "fft.rfftfreq": lambda **k: jnp.fft.rfftfreq(14, **k),
}


@pytest.mark.parametrize("name", CREATIONS)
def test_new_arrays_are_where_they_are_asked_for(mesh, name):
    make = CREATIONS[name]
    sharding, device = NamedSharding(mesh, P("x")), fungrad.devices()[3]
    plain = make(device=None)
    there = make(device=sharding)
    assert there.sharding == there.device == sharding and not plain.committed
    np.testing.assert_array_equal(there, plain)
    assert make(device=device).device == device and make(device=device).devices() == {device}
    seventh = NamedSharding(Mesh(np.array(fungrad.devices()[:7]), ("z",)), P("z"))
    with pytest.raises(IndivisibleError, match=name):
        make(device=seventh)
    with pytest.raises(ValueError, match=f"{name}: device must be None, a device .*got 'cpu'"):
        make(device="cpu")


def test_arrays_of_parts_where_a_device_or_a_specification_says(mesh):
    whole = np.arange(8, dtype=np.float32)
    device = fungrad.devices()[3]
    spec = NamedSharding(mesh, P("x"))
    assert (SingleDeviceSharding(device).num_devices, spec.num_devices) == (1, 8)
    assert SingleDeviceSharding(device).addressable_devices == {device} and len(spec.addressable_devices) == 8
    with fungrad.set_mesh(mesh):
        for given, expected in ((device, SingleDeviceSharding(device)), (P("x"), spec), (spec, spec)):
            for made in (
                fungrad.make_array_from_callback((8,), given, lambda index: whole[index]),
                fungrad.make_array_from_process_local_data(given, whole),
            ):
                assert made.sharding == expected
                np.testing.assert_array_equal(made, whole)
    with pytest.raises(ValueError, match="PartitionSpec when you are not under a mesh"):
        fungrad.make_array_from_callback((8,), P("x"), lambda index: whole[index])


def test_compiled_functions_over_different_devices():
    devices = fungrad.devices()
    auto = (AxisType.Auto,)
    few, first, second = (
        NamedSharding(Mesh(np.array(d), ("x",), axis_types=auto), P("x"))
        for d in (devices[:2], devices[:4], devices[4:8])
    )
    x = jnp.arange(8)
    words = "Received incompatible devices for jitted computation"
    with pytest.raises(ValueError, match=words):
        fungrad.jit(lambda x: x, in_shardings=few, out_shardings=first)
    with pytest.raises(ValueError, match=words):
        fungrad.jit(lambda x: x, in_shardings=((first, second),))
    with pytest.raises(ValueError, match=words):
        fungrad.jit(lambda x: (x, x), out_shardings=(few, first))
    for where in (first, devices[0]):
        with pytest.raises(ValueError, match=words):
            fungrad.jit(lambda x: x, out_shardings=second)(fungrad.device_put(x, where))
    with pytest.raises(ValueError, match=words):
        fungrad.jit(lambda x, y: x + y, in_shardings=(first, None))(x, fungrad.device_put(x, second))
    out = fungrad.jit(lambda x: x, in_shardings=first, out_shardings=first)(x)
    assert out.sharding == first
    # The same devices in another mesh are no other devices.
    again = NamedSharding(Mesh(np.array(devices[:4]).reshape(2, 2), ("a", "b"), axis_types=auto * 2), P("b"))
    assert fungrad.jit(lambda x: x + 1, out_shardings=again)(out).sharding == again


def test_what_shardings_of_compiled_functions_may_say(mesh):
    for spec in (P(P.UNCONSTRAINED), NamedSharding(mesh, P(P.UNCONSTRAINED, "x"))):
        for name in ("in_shardings", "out_shardings"):
            with pytest.raises(ValueError, match=f"{name}: unconstrained dimensions"):
                fungrad.jit(lambda x: x, **{name: spec})
    with pytest.raises(ValueError, match="by keyword"):
        fungrad.jit(lambda x: x, in_shardings=NamedSharding(mesh, P("x")))(x=jnp.arange(8))
    with pytest.raises(ValueError, match="device or backend, not both"):
        fungrad.jit(lambda x: x, device=fungrad.devices()[0], backend="cpu")


def test_smap_divides_arguments_as_their_shardings_say(devices):
    mesh = fungrad.make_mesh((4,), ("x",), axis_types=(fungrad.sharding.AxisType.Explicit,))
    with fungrad.set_mesh(mesh):
        x = fungrad.device_put(jnp.arange(32.0).reshape(4, 8), P(None, "x"))
        f = fungrad.smap(lambda part: part * part.shape[1], out_axes=1, axis_name="x")
        np.testing.assert_array_equal(f(x), 2 * np.arange(32).reshape(4, 8))
