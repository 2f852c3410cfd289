"""Where results are of which nobody has said it; what is expected is what JAX 0.10.2 has, on eight devices.

A description: ``c`` for committed or ``u``, then the number of the one device, or how the array is divided and
the number of devices if it is not eight.
"""

import subprocess
import sys

import numpy as np
import pytest

import fungrad as jax
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P, SingleDeviceSharding

CASES = [
    ("d1 + u", "c 1"),
    ("d1 + d1", "c 1"),
    ("d1 + d2", "ValueError"),
    ("d0 + d1", "ValueError"),
    ("d1 + np.ones((8, 8), np.float32)", "c 1"),
    ("d1 * 2.0", "c 1"),
    ("f(d1, d2)", "ValueError"),
    ("f(d1, u)", "c 1"),
    ("f(d1)", "c 1"),
    ("f(x, d1)", "ValueError"),
    ("x + d1", "ValueError"),
    ("x + d0", "ValueError"),
    ("x + u", "c P('x', 'y')"),
    ("x + s4", "ValueError"),
    ("f(x, s4)", "ValueError"),
    ("jnp.concatenate([d1, d2])", "ValueError"),
    ("d1 @ d2", "ValueError"),
    ("jnp.where(d1 > 0, d1, d2)", "ValueError"),
    ("jnp.stack([d1, d0])", "ValueError"),
    ("jax.jit(lambda t: t['a'] + t['b'])({'a': d1, 'b': d2})", "ValueError"),
    ("jax.grad(lambda a: (a * d2).sum())(d1)", "ValueError"),
    ("jax.jit(lambda a: a + d2)(d1)", "c 1"),
    ("jax.jit(lambda a: a + d2)(u)", "u 0"),
    ("jax.vmap(jnp.add)(d1, d2)", "ValueError"),
    ("lax.scan(lambda c, a: (c + a, c), d1[0], d2)", "ValueError"),
    ("lax.cond(True, lambda a, b: a, lambda a, b: b, d1, d2)", "ValueError"),
    ("-x", "c P('x', 'y')"),
    ("jnp.sin(xr)", "c P'x'"),
    ("x + x", "c P('x', 'y')"),
    ("x + r", "c P('x', 'y')"),
    ("r + x", "c P('x', 'y')"),
    ("x + xr", "c P('x', 'y')"),
    ("xr + xc", "c P('x', 'y')"),
    ("xr + cx", "c P'x'"),
    ("x * 2.0", "c P('x', 'y')"),
    ("x + np.ones(8, np.float32)", "c P('x', 'y')"),
    ("x + v", "c P('x', 'y')"),
    ("x + v[:, None]", "c P('x', 'y')"),
    ("x > 1", "c P('x', 'y')"),
    ("jnp.where(x > 1, x, 0.0)", "c P('x', 'y')"),
    ("x.sum()", "c P()"),
    ("x.sum(0)", "c P('y',)"),
    ("x.sum(1)", "c P'x'"),
    ("xr.mean(1)", "c P'x'"),
    ("xr.max(0)", "c P()"),
    ("x.sum(1, keepdims=True)", "c P'x'"),
    ("x.argmax(1)", "c P'x'"),
    ("x.var(0)", "c P('y',)"),
    ("jnp.cumsum(x, 0)", "c P('x', 'y')"),
    ("jnp.cumsum(xr, 1)", "c P'x'"),
    ("jnp.sort(xr, 1)", "c P'x'"),
    ("jnp.sort(xr, 0)", "c P'x'"),
    ("jax.nn.softmax(xr)", "c P'x'"),
    ("jax.nn.softmax(xr, 0)", "c P'x'"),
    ("x.T", "c P('y', 'x')"),
    ("xr.T", "c P(None, 'x')"),
    ("xr.reshape(64)", "c P'x'"),
    ("x.reshape(64)", "c P'x'"),
    ("xr.reshape(4, 2, 8)", "c P'x'"),
    ("x.reshape(8, 2, 4)", "c P('x', 'y')"),
    ("x[:, None]", "c P('x', None, 'y')"),
    ("x[:, None].squeeze(1)", "c P('x', 'y')"),
    ("jnp.broadcast_to(v, (8, 8))", "c P(None, 'x')"),
    ("jnp.broadcast_to(v[:, None], (8, 8))", "c P'x'"),
    ("x.astype(jnp.int32)", "c P('x', 'y')"),
    ("xr @ r", "c P'x'"),
    ("x @ r", "c P'x'"),
    ("r @ xc", "c P(None, 'y')"),
    ("xr @ xc", "c P('x', 'y')"),
    ("x @ x", "c P('x', 'y')"),
    ("cx @ xr", "c P()"),
    ("xr @ vy", "c P'x'"),
    ("v @ v", "c P()"),
    ("jnp.einsum('ij,ik->jk', xr, xr)", "c P()"),
    ("xr[0]", "c P()"),
    ("xr[:, 2:4]", "c P'x'"),
    ("xr[2:4]", "c P()"),
    ("xr[jnp.array([0, 1])]", "c P()"),
    ("xr.at[0].set(1.0)", "c P'x'"),
    ("jnp.concatenate([x, x])", "c P('x', 'y')"),
    ("jnp.concatenate([xr, xr], 1)", "c P'x'"),
    ("jnp.stack([x, x])", "c P(None, 'x', 'y')"),
    ("jnp.pad(xr, ((0, 0), (1, 1)))", "c P'x'"),
    ("xr[::-1]", "c P'x'"),
    ("jnp.tile(xr, (1, 2))", "c P'x'"),
    ("jnp.take(xr, jnp.array([1, 2]), 1)", "c P'x'"),
    ("jnp.split(xr, 2, 1)[0]", "c P'x'"),
    ("jnp.roll(xr, 1, 1)", "c P'x'"),
    ("jnp.zeros_like(x)", "c P('x', 'y')"),
    ("jnp.ones_like(xr)", "c P'x'"),
    ("x.copy()", "c P('x', 'y')"),
    ("jax.random.normal(k, (8,))", "c P()"),
    ("f(x, x)", "c P('x', 'y')"),
    ("f(x, r)", "c P('x', 'y')"),
    ("jax.jit(lambda a: a)(x)", "c P('x', 'y')"),
    ("jax.jit(lambda a: jnp.ones(3))(x)", "u 0"),
    ("jax.jit(lambda a, b: jnp.tanh(a @ b).sum(1))(xr, r)", "c P'x'"),
    ("jax.jit(lambda a, b: (a.T, b.sum()))(x, xr)", "c P('y', 'x'), c P()"),
    ("jax.jit(lambda a: lax.with_sharding_constraint(a * 2, S('y')))(x)", "c P('y',)"),
    ("jax.jit(lambda a: lax.with_sharding_constraint(a * 2, S('y')))(u)", "c P('y',)"),
    ("jax.jit(lambda a: jnp.sin(lax.with_sharding_constraint(a * 2, S('y'))))(u)", "c P('y',)"),
    ("jax.jit(lambda a, b: a * b)(x, 2.0)", "c P('x', 'y')"),
    ("jax.jit(lambda a: lax.scan(lambda c, _: (c * 2, None), a, None, length=3)[0])(x)", "c P('x', 'y')"),
    ("jax.jit(lambda a: lax.fori_loop(0, 3, lambda i, c: c + 1, a))(xr)", "c P'x'"),
    ("jax.jit(lambda a: lax.cond(a.sum() > 0, lambda b: b, lambda b: -b, a))(x)", "c P('x', 'y')"),
    ("jax.jit(jax.grad(lambda w: (jnp.tanh(r @ w) ** 2).sum()))(xc)", "c P(None, 'y')"),
    ("jax.grad(lambda w: (w ** 2).sum())(x)", "c P('x', 'y')"),
    ("jax.value_and_grad(lambda w: (w ** 2).sum())(x)", "c P(), c P('x', 'y')"),
    ("jax.vmap(lambda a: a * 2)(x)", "c P('x', 'y')"),
    ("jax.vmap(jnp.sum)(x)", "c P'x'"),
    ("jax.vjp(jnp.sin, x)[1](x)", "c P('x', 'y')"),
    ("jax.jvp(jnp.sin, (x,), (x,))", "c P('x', 'y'), c P('x', 'y')"),
    ("lax.with_sharding_constraint(u, S('y'))", "c P('y',)"),
    ("lax.with_sharding_constraint(x, S('y'))", "c P('y',)"),
    ("jax.tree.map(lambda a: a - 0.1 * a, {'w': x})", "c P('x', 'y')"),
    ("jnp.clip(x, 0, 1)", "c P('x', 'y')"),
    ("jnp.linalg.norm(x)", "c P()"),
    ("x - 0.1 * r", "c P('x', 'y')"),
    ("jnp.einsum('ij->ji', x)", "c P('y', 'x')"),
    ("jax.checkpoint(jnp.sin)(x)", "c P('x', 'y')"),
    ("jax.shard_map(lambda a: a * 2, mesh=mesh, in_specs=P('x'), out_specs=P('x'))(u)", "c P'x'"),
    ("jax.jit(lambda a: a * 2, out_shardings=S('y'))(x)", "c P('y',)"),
    ("jax.jit(lambda a: jax.jit(jnp.sin)(a))(x)", "c P('x', 'y')"),
    ("jax.lax.map(lambda a: a + 1, xr)", "c P()"),
    ("jax.jit(lambda a: a, in_shardings=S('x'))(x)", "ValueError"),
    ("jax.jit(lambda a: a, in_shardings=S('x'))(d1)", "ValueError"),
    ("jax.jit(lambda a: a, in_shardings=S('x'))(s4)", "ValueError"),
    ("jax.jit(lambda a: a, in_shardings=SingleDeviceSharding(d[2]))(d1)", "c 2"),
    ("jax.jit(lambda a: a, in_shardings=SingleDeviceSharding(d[2]))(u)", "c 2"),
    ("jax.jit(lambda a: a, out_shardings=SingleDeviceSharding(d[2]))(d1)", "ValueError"),
    ("jax.jit(lambda a: a, out_shardings=S('x'))(d1)", "ValueError"),
    ("jax.device_put(d1 + d1, d[2]) + d2", "c 2"),
    ("jax.jit(lambda a: a, in_shardings=S('x'), out_shardings=SingleDeviceSharding(d[1]))(u)", "ValueError"),
    ("jax.jit(lambda a: lax.with_sharding_constraint(a, S('x')))(d1)", "ValueError"),
    ("lax.with_sharding_constraint(d1, S('x'))", "ValueError"),
    ("jax.shard_map(lambda a: a * 2, mesh=mesh, in_specs=P('x'), out_specs=P('x'))(d1)", "ValueError"),
    ("jax.jit(lambda a: a, in_shardings=P('x'))(u)", "RuntimeError"),
    ("jax.device_put(u, P('x'))", "ValueError"),
    ("lax.with_sharding_constraint(u, P('x'))", "RuntimeError"),
    ("jax.jit(lambda a: lax.with_sharding_constraint(a, P('x')))(u)", "RuntimeError"),
    ("jax.jit(lambda a, b: a + b, in_shardings=(S('x'), S('x', m=mesh2)))(u, u)", "ValueError"),
    ("jax.jit(lambda a: lax.with_sharding_constraint(a, S('x')))(s4)", "ValueError"),
    ("jax.shard_map(lambda a: a, in_specs=P('x'), out_specs=P('x'))(u)", "ValueError"),
    ("jax.jit(lambda a: a, out_shardings=P('x'))(u)", "RuntimeError"),
    ("jax.pmap(lambda a: a + 1)(d1)", "ValueError"),
    ("d1 == d2", "ValueError"),
    ("u @ d1", "c 1"),
    ("jnp.ones_like(d1)", "c 1"),
    ("jnp.zeros_like(d1)", "c 1"),
    ("jnp.full_like(d1, 2.0)", "c 1"),
    ("d0 + 1.0", "c 0"),
    ("u + 1.0", "u 0"),
]


@pytest.fixture(scope="module")
def names():
    jax.config.update("jax_num_cpu_devices", 8)
    d = jax.devices()
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(AxisType.Auto, AxisType.Auto))
    mesh2 = Mesh(np.array(d[:4]).reshape(2, 2), ("x", "y"))

    def S(*spec, m=mesh):
        return NamedSharding(m, P(*spec))

    u = jnp.ones((8, 8))
    yield {
        **globals(),
        "d": d,
        "mesh": mesh,
        "mesh2": mesh2,
        "S": S,
        "u": u,
        "x": jax.device_put(jnp.arange(64.0).reshape(8, 8), S("x", "y")),
        "r": jax.device_put(u, S()),
        "xr": jax.device_put(u, S("x")),
        "xc": jax.device_put(u, S(None, "y")),
        "cx": jax.device_put(u, S(None, "x")),
        "v": jax.device_put(jnp.ones(8), S("x")),
        "vy": jax.device_put(jnp.ones(8), S("y")),
        "d0": jax.device_put(u, d[0]),
        "d1": jax.device_put(u, d[1]),
        "d2": jax.device_put(u, d[2]),
        "s4": jax.device_put(u, S("x", m=mesh2)),
        "k": jax.device_put(jax.random.key(0), S()),
        "f": jax.jit(lambda *a: sum(a[1:], a[0])),
    }
    jax.config.update("jax_num_cpu_devices", 0)


def described(x):
    sharding = x.sharding
    start = "c" if x.committed else "u"
    if isinstance(sharding, SingleDeviceSharding):
        return f"{start} {next(iter(sharding.device_set)).id}"
    spec = list(sharding.spec)
    while spec and spec[-1] is None:
        spec.pop()
    size = "" if sharding.mesh.size == 8 else sharding.mesh.size
    return f"{start} P{tuple(spec)}{size}".replace("('x',)", "'x'")


@pytest.mark.parametrize("source, expected", CASES)
def test_results_are_with_their_operands(names, source, expected):
    if "Error" in expected:
        with pytest.raises((ValueError, RuntimeError)) as caught:
            eval(source, names)
        assert type(caught.value).__name__ == expected
    else:
        assert ", ".join(map(described, jax.tree.leaves(eval(source, names)))) == expected


def test_values_do_not_depend_on_places(names):
    x, xr, r = names["x"], names["xr"], names["r"]
    plain = jnp.asarray(np.asarray(x))
    np.testing.assert_array_equal(jax.jit(lambda a, b: jnp.tanh(a @ b).sum(0))(x, r), jnp.tanh(plain @ r).sum(0))
    np.testing.assert_array_equal((x @ xr + x[0]).T, (plain @ np.ones((8, 8), np.float32) + plain[0]).T)


def test_constraints_under_vmap(names):
    S, stack = names["S"], jnp.ones((8, 8, 8))

    def example(a):
        return lax.with_sharding_constraint(a, S("x"))

    for spmd, expected in ((None, "c P(None, 'x')"), ("y", "c P('y', 'x')"), (("y",), "c P('y', 'x')")):
        mapped = jax.vmap(example, spmd_axis_name=spmd)
        total = jax.grad(lambda a: (mapped(a) ** 2).sum())
        inner = jax.vmap(jax.jit(example), spmd_axis_name=spmd)
        for fun in (mapped, jax.jit(mapped), jax.jit(lambda a: jnp.sin(mapped(a * 2))), inner, total, jax.jit(total)):
            assert described(fun(stack)) == expected
    with pytest.raises(ValueError, match="spmd_axis_name .* cannot appear in with_sharding_constraint spec"):
        jax.vmap(example, spmd_axis_name="x")(stack)
    scanned = lax.scan(lambda c, a: (c, lax.with_sharding_constraint(c * a, S("y"))), stack[0], stack)[1]
    assert described(scanned) == "c P(None, 'y')"


def test_constraints_in_programs_that_leave_the_process(names):
    f = jax.jit(lambda a: lax.with_sharding_constraint(a * 2, names["S"]("x")) + 1)
    x = jnp.arange(8.0)
    assert described(f.lower(x).compile()(x)) == "c P'x'"
    exported = jax.export.deserialize(jax.export.export(f)(x).serialize())
    np.testing.assert_array_equal(exported.call(x), np.arange(8.0) * 2 + 1)
    assert "sharding_constraint" in str(jax.make_jaxpr(f)(x))


def test_messages(names):
    d1, d2 = names["d1"], names["d2"]
    with pytest.raises(ValueError, match=r"argument p\['w'\] of step with shape float32\[8,8\] and with"):

        @jax.jit
        def step(p, q):
            return p["w"] * q

        step({"w": d1}, d2)
    with pytest.raises(ValueError, match=r"with device ids \[1\] on platform CPU and .*device ids \[2\].*device_put"):
        d1 + d2


def test_nothing_is_followed_when_nothing_is_placed():
    program = """
import fungrad, fungrad.numpy as jnp
from fungrad.config import watch
x = fungrad.device_put(jnp.ones(3), fungrad.devices()[0])
assert x.committed and not watch.placed  # the only device
fungrad.config.update("jax_num_cpu_devices", 2)
y = fungrad.device_put(jnp.ones(3), fungrad.devices()[1])
assert watch.placed and watch.slow and (y + 1).devices() == {fungrad.devices()[1]}
del y
assert not watch.placed and not watch.slow
"""
    subprocess.run([sys.executable, "-c", program], check=True)


NESTED = [  # how the inner function is made, and the result: sum and weighted sum in JAX
    (lambda names: dict(axis_names={"y"}), 2016.0, 42080.0),
    (lambda names: dict(axis_names={"y"}, mesh=jax.sharding.get_abstract_mesh()), 2016.0, 42080.0),
    (lambda names: {}, 2016.0, 42080.0),
]


@pytest.mark.parametrize("options, total, weighted", NESTED)
@pytest.mark.parametrize("compiled", [False, True])
def test_function_of_shards_inside_of_another(names, options, total, weighted, compiled):
    mesh, u = names["mesh"], jnp.arange(64.0).reshape(8, 8)

    @jax.shard_map(mesh=mesh, in_specs=P("x"), out_specs=P("x"), axis_names={"x"})
    def outer(a):
        inner = jax.shard_map(lambda b: lax.psum(b, "y"), in_specs=P(None, "y"), out_specs=P(), **options(names))
        return inner(a)

    out = (jax.jit(outer) if compiled else outer)(u)
    assert described(out) == "c P'x'"
    assert (float(out.sum()), float((out * jnp.arange(32.0).reshape(8, 4)).sum())) == (total, weighted)
    gradient = jax.jit(jax.grad(lambda v: (outer(v) ** 2).sum()))(u)
    np.testing.assert_allclose(gradient, 2 * np.tile(np.asarray(out), (1, 2)))


def test_what_functions_of_shards_refuse(names):
    mesh, u = names["mesh"], jnp.ones((8, 8))

    def outer(inner, **options):
        return jax.shard_map(inner, mesh=mesh, in_specs=P("x"), out_specs=P("x"), **options)(u)

    def concrete(a):
        return jax.shard_map(lambda b: b, mesh=mesh, in_specs=P(None, "y"), out_specs=P(None, "y"))(a)

    with pytest.raises(ValueError, match="context mesh .* should match the mesh passed to shard_map"):
        outer(concrete, axis_names={"x"})
    with pytest.raises(ValueError, match="pcast from=varying, to='varying'"):
        outer(lambda a: lax.pcast(a, "x", to="varying"))
    with pytest.raises(ValueError, match="Allowed `to` values"):
        outer(lambda a: lax.pcast(a, "x", to="other"))
    with pytest.raises(ValueError, match="out_specs passed to shard_map should be equal to the unreduced present"):
        outer(lambda a: lax.pcast(a, "x", to="unreduced"))
    doubled = outer(lambda a: lax.with_sharding_constraint(a * 2, P(None, "y")), axis_names={"x"})
    np.testing.assert_array_equal(doubled, 2 * u)


def test_device_of_jit(names):
    d, u = names["d"], names["u"]
    f = jax.jit(lambda x, n: x * n, static_argnums=1, device=d[2])
    assert described(f(u, 3)) == "c 2" and float(f(u, 3)[0, 0]) == 3.0
    assert described(f(names["d1"], 2)) == "c 2"
    assert described(jax.jit(lambda: jnp.ones(3), device=d[2])()) == "c 2"
    np.testing.assert_array_equal(jax.jit(jax.grad(lambda x: f(x, 3).sum()))(u), 3 * u)
    with pytest.raises(ValueError, match="device is specified"):
        jax.jit(lambda x: x, device=d[2], in_shardings=names["S"]())


def test_constraints_that_do_not_divide_evenly(names):
    s, x = names["S"]("x"), jnp.arange(6.0)

    def constrained(a):
        return lax.with_sharding_constraint(2 * a, s)

    gradient = jax.grad(lambda a: jnp.sum(constrained(a) ** 2))
    for f, value, expected in (
        (jax.jit(constrained), x, 2 * x),
        (jax.jit(jax.vmap(constrained)), x[None], 2 * x[None]),
        (jax.vmap(constrained), x[None], 2 * x[None]),
        (jax.jit(gradient), x, 8 * x),
    ):
        out = f(value)
        np.testing.assert_array_equal(out, expected)
        assert out.sharding.is_fully_replicated and len(out.sharding.device_set) == 8
    with pytest.raises(ValueError, match="does not evenly divide"):
        constrained(x)
