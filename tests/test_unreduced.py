"""Values inside of functions of shards of which members hold summands, and those with such cotangents."""

import numpy as np
import pytest

import fungrad as jax
import fungrad.numpy as jnp
from fungrad import P, lax
from fungrad.errors import ShardingTypeError

SPECS = {
    "u": P(unreduced={"x"}), "r": P(reduced={"x"}), "v": P("x"), "i": P(), "w": P(("x", "y")),
    "n": P(unreduced={"x"}), "uxy": P(unreduced={"x", "y"}), "rxy": P(reduced={"x", "y"}),
}  # fmt: skip
A = np.arange(1.0, 9.0, dtype=np.float32) / 8
V = np.arange(32.0, dtype=np.float32) / 16
W = np.arange(64.0, dtype=np.float32) / 32


@pytest.fixture(scope="module", autouse=True)
def mesh():
    jax.config.update("jax_num_cpu_devices", 8)
    with jax.set_mesh(jax.make_mesh((4, 2), ("x", "y"))):
        yield
    jax.config.update("jax_num_cpu_devices", 0)


def given(name):
    value = {"v": V, "w": W, "n": A.astype(np.int16)}.get(name, A)
    return jax.reshard(jnp.asarray(value + 1 if name in ("r", "rxy") else value), SPECS[name])


def run(f, names, out, jit=False):
    mapped = jax.shard_map(f, in_specs=tuple(SPECS[n] for n in names), out_specs=out)
    return (jax.jit(mapped) if jit else mapped)(*map(given, names))


def kinds(f, *names):
    """The type of the result of `f` for one member."""
    seen = []

    def body(*args):
        x = f(*args)
        seen.append(str(jax.typeof(x)))
        return jnp.zeros((), x.dtype)

    run(body, names, P())
    return seen[0].partition("]")[2]


R = A + 1
v = V.reshape(4, 8)
w = W.reshape(4, 2, 8)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(
    ("f", "names", "out", "expected", "gradients"),
    [
        (lambda r: lax.pcast(r, "x", to="varying"), "r", P("x"), np.tile(R, 4), [np.full(8, 4.0)]),
        (lambda r, x: r * x, "rv", P("x"), (R * v).ravel(), [v.sum(0), np.tile(R, 4)]),
        (lambda x: x * x, "v", P(unreduced={"x"}), (v * v).sum(0), [2 * V]),
        (lambda u, r: u * jnp.sin(r), "ur", P(unreduced={"x"}), A * np.sin(R), [np.sin(R), A * np.cos(R)]),
        (lambda u: lax.psum(u, "x") ** 2, "u", P(), A**2, [2 * A]),
        (lambda u: lax.psum_scatter(u, "x", tiled=True) ** 2, "u", P("x"), A**2, [2 * A]),
        (lambda u: lax.psum_scatter(u.reshape(4, 2), "x"), "u", P("x"), A, [np.ones(8)]),
        (
            lambda x: lax.all_gather(x, "x", tiled=True, to="reduced"),
            "v", P(reduced={"x"}), V, [np.ones(32)],
        ),
        (lambda i, x: lax.pcast(i, "x", to="reduced") * x, "iv", P("x"), (A * v).ravel(), [v.sum(0), np.tile(A, 4)]),
        (
            lambda r, x: lax.scan(lambda c, b: (c + r * b, None), x, jnp.stack([x, x]))[0],
            "rv", P("x"), (v + 2 * R * v).ravel(), [2 * v.sum(0), np.tile(1 + 2 * R, 4)],
        ),
        # derivatives taken inside
        (lambda r, x: jax.grad(lambda r: jnp.sum(r * r * x))(r), "rv", P(unreduced={"x"}), 2 * R * v.sum(0), None),
        (lambda r, x: jax.grad(jax.jit(lambda r: jnp.sum(r * x)))(r), "rv", P(unreduced={"x"}), v.sum(0), None),
        (
            lambda r, x: jax.grad(lambda r: lax.psum(jnp.sum(r * x), "x"))(r),
            "rv", P(unreduced={"x"}), v.sum(0), None,
        ),
        (lambda u: jax.grad(lambda u: jnp.sum(lax.psum(u, "x") ** 2))(u), "u", P(reduced={"x"}), 2 * A, None),
        (
            lambda x: jax.grad(lambda x: jnp.sum(lax.psum(lax.pcast(x * x, "x", to="unreduced"), "x") ** 2))(x),
            "v", P("x"), (4 * v * (v * v).sum(0)).ravel(), None,
        ),
        (
            lambda i, x: jax.grad(lambda i: lax.psum(jnp.sum(lax.pcast(i, "x", to="reduced") * x), "x"))(i),
            "iv", P(), v.sum(0), None,
        ),
        (lambda r, i: jax.grad(lambda r: jnp.dot(r, i))(r), "ri", P(unreduced={"x"}), A, None),
        (
            lambda r, i: jax.grad(lambda s: jnp.sum(lax.pcast(r * s, "x", to="varying")))(i[0]),
            "ri", P(), 4 * R.sum(), None,
        ),
        (lambda i, x: jax.grad(lambda i: jnp.sum(lax.pcast(i, "x", to="varying") * x))(i), "iv", P(), v.sum(0), None),
        (lambda x: jax.grad(lambda x: jnp.sum(lax.all_gather(x, "x")))(x), "v", P("x"), np.full(32, 4.0), None),
        (
            lambda i: jax.grad(lambda i: jnp.sum(lax.ppermute(i, "x", [(0, 1), (1, 0), (2, 3), (3, 2)])))(i),
            "i", P(), np.full(8, 4.0), None,
        ),
        (
            lambda r, x: jax.grad(lambda r: jnp.sum(jax.jit(jnp.square)(r) * x))(r),
            "rv", P(unreduced={"x"}), 2 * R * v.sum(0), None,
        ),
        (
            lambda r, x: jax.grad(lambda r: jnp.sum(lax.scan(lambda c, _: (c * r, c), r, None, length=2)[1] * x))(r),
            "rv", P(unreduced={"x"}), (1 + 2 * R) * v.sum(0), None,
        ),
        (
            lambda u: jax.grad(lambda u: jnp.sum(lax.psum(lax.fori_loop(0, 2, lambda _, c: c + c, u), "x")))(u),
            "u", P(reduced={"x"}), np.full(8, 4.0), None,
        ),
        (lambda r, u: jax.vjp(jnp.sin, r)[1](u)[0], "ru", P(unreduced={"x"}), np.cos(R) * A, None),
        (lambda r: jax.jvp(jnp.sin, (r,), (r,))[1], "r", P(reduced={"x"}), np.cos(R) * R, None),
    ],
)  # fmt: skip
def test_values_and_derivatives(f, names, out, expected, gradients, jit):
    result = run(f, names, out, jit)
    assert (result.sharding.spec.unreduced, result.sharding.spec.reduced) == (out.unreduced, out.reduced)
    np.testing.assert_allclose(np.asarray(jax.reshard(result, P())).ravel(), np.ravel(expected), rtol=2e-6)
    if gradients is None:
        return

    def total(*args):
        mapped = jax.shard_map(f, in_specs=tuple(SPECS[n] for n in names), out_specs=out)
        return jnp.sum(jax.reshard(mapped(*args), P()))

    args = [given(n) for n in names]
    found = jax.grad(total, argnums=tuple(range(len(args))))(*args)
    for g, x, wanted in zip(found, args, gradients, strict=True):
        now, before = g.sharding.spec, x.sharding.spec
        assert (now.unreduced, now.reduced) == (before.reduced, before.unreduced)
        np.testing.assert_allclose(np.asarray(jax.reshard(g, P())), wanted, rtol=2e-6)


def test_two_axes():
    both = jax.shard_map(
        lambda x: lax.pcast(x * x, ("x", "y"), to="unreduced"), in_specs=P(("x", "y")), out_specs=SPECS["uxy"]
    )(given("w"))
    np.testing.assert_allclose(jax.reshard(both, P()), (w * w).sum((0, 1)), rtol=2e-6)
    out = jax.shard_map(
        lambda u: lax.psum(lax.psum_scatter(u, "y", tiled=True), "x") ** 2, in_specs=SPECS["uxy"], out_specs=P("y")
    )(given("uxy"))
    np.testing.assert_allclose(out, A**2, rtol=2e-6)
    one = jax.shard_map(
        lambda r, x: r[0] * x, in_specs=(SPECS["rxy"], SPECS["w"]), out_specs=SPECS["w"]
    )(given("rxy"), given("w"))
    np.testing.assert_allclose(one, R[0] * W, rtol=2e-6)


def test_kinds():
    for f, names, kind in (
        (lambda u: u, "u", "{U:x}"), (lambda r: r, "r", "{R:x}"), (lambda u: u + u, "u", "{U:x}"),
        (lambda u: 2.0 * u[1:3].reshape(1, 2), "u", "{U:x}"), (jax.jit(lambda u: jnp.pad(u, 1)), "u", "{U:x}"),
        (lambda u: u.astype("int8") * 3, "n", "{U:x}"), (lambda u: u.astype("float16"), "u", "{U:x}"),
        (lambda r: jnp.sin(r).sum(), "r", "{R:x}"),
        (lambda r, x: r + x, "rv", "{V:x}"), (lambda r: jnp.dot(r, r), "r", ""), (lambda r: jnp.zeros_like(r), "r", ""),
        (lambda x: lax.all_gather(x, "x"), "v", "{V:x}"), (lambda x: lax.all_gather(x, "x", to="invarying"), "v", ""),
        (lambda u, r: jax.jit(lambda a, b: a * b)(u, r), "ur", "{U:x}"),
        (lambda u: jax.vmap(lambda a: a + a)(u), "u", "{U:x}"),
        (lambda i: lax.pcast(i, ("x", "y"), to="reduced"), "i", "{R:(x,y)}"),
        (lambda i: jax.jit(lambda i: lax.pcast(i, "x", to="reduced"))(i), "i", "{R:x}"),
        (lambda x: jax.jit(lambda x: lax.all_gather(x, "x"))(x), "v", "{V:x}"),
    ):  # fmt: skip
        assert kinds(f, *names) == kind
    mats = []
    jax.shard_map(
        lambda u, x: (mats.append((u.aval.mat.unreduced, jax.typeof(x).mat.varying)), u)[1],
        in_specs=(SPECS["u"], P("x")), out_specs=SPECS["u"],
    )(given("u"), given("v"))  # fmt: skip
    assert mats == [({"x"}, {"x"})]


def test_what_is_refused():
    for f, names, error, words in (
        (jnp.sin, "u", NotImplementedError, "unreduced rule for sin"),
        (lambda u, x: u + x, "uv", ValueError, "cannot accept args which are unreduced"),
        (lambda u, x: jax.jit(lambda a, b: a + b)(u, x), "uv", ValueError, "cannot accept args which are unreduced"),
        (lambda u, i: u + i, "ui", ShardingTypeError, "lhs is unreduced while rhs is not"),
        (lambda u, i: jnp.concatenate([u, i]), "ui", ShardingTypeError, "unreduced along the same"),
        (lambda r, i: r * i, "ri", ShardingTypeError, "cannot be replicated on the same axes"),
        (lambda u: u.astype(int), "u", NotImplementedError, "unreduced rule for convert"),
        # Sums of narrow integers wrap around, those of what is padded with ones have one of every member.
        (lambda u: u.astype("int8").astype(int), "n", NotImplementedError, "convert it before"),
        (lambda u: u * 1.5, "n", NotImplementedError, "unreduced rule for convert"),
        (lambda u: lax.pad(u, np.float32(1), [(1, 0, 0)]), "u", NotImplementedError, "padded with zeros only"),
        (jax.jit(lambda u: jnp.pad(u, 1, constant_values=2)), "u", NotImplementedError, "padded with zeros"),
        (lambda r: lax.psum(r, "x"), "r", ValueError, "psum cannot accept args which are reduced"),
        (lambda u: lax.pmax(u, "x"), "u", ValueError, "pmax cannot accept args which are unreduced"),
        (lambda u: lax.psum(u, ("x", "y")), "u", ValueError, "can only accept axis_name which corresponds to one of"),
        (lambda u: lax.pcast(u, "x", to="varying"), "u", ValueError, "Unsupported pcast from=unreduced"),
        (lambda i: lax.pcast(i, "x", to="unreduced"), "i", ValueError, "Unsupported pcast from=invarying"),
        (lambda i: lax.pcast(i, {"x"}, to="reduced"), "i", TypeError, "must be a tuple or a str"),
        (lambda r: jax.grad(lambda r: jnp.sum(r * r))(r), "r", ValueError, "unexpected JAX type"),
        (lambda r, i: lax.cond(i[0] > 0, lambda a: a, lambda a: i, r), "ri", TypeError, "arrays of the same types"),
        (lambda u: lax.fori_loop(0, 2, lambda k, c: lax.psum(c, "x"), u), "u", TypeError, "or reduced differs"),
    ):  # fmt: skip
        with pytest.raises(error, match=words):
            run(f, names, P("x"))
    x, u = given("i"), given("u")
    for value, options, error, words in (
        (u, {"out_specs": P()}, ValueError, "out_specs passed to shard_map should be equal"),
        (x, {"in_specs": P(), "out_specs": SPECS["u"]}, ValueError, "vary_unreduced_cast is a Varying->Unreduced"),
        (x, {"in_specs": SPECS["u"], "out_specs": P("x")}, ValueError, "present on the in_aval"),
        (u, {"out_specs": P(), "in_specs": SPECS["u"], "axis_names": {"x"}}, NotImplementedError, "full manual mode"),
        (u, {"out_specs": P("x"), "check_vma": False}, NotImplementedError, "members would see the summands"),
    ):  # fmt: skip
        with pytest.raises(error, match=words):
            jax.shard_map(lambda a: a, **options)(value)
    auto = jax.make_mesh((8,), ("x",), (jax.sharding.AxisType.Auto,))
    with jax.set_mesh(auto), pytest.raises(ValueError, match="axis names all of type `Explicit`"):
        jax.shard_map(lambda a: a, in_specs=SPECS["u"], out_specs=P())(A)


def test_parts_of_sums():
    # The shards of what is unreduced add up to it.
    u = given("u")
    held = [np.asarray(s.data) for s in u.addressable_shards]
    np.testing.assert_array_equal(held[0], A)
    np.testing.assert_array_equal(held[1], A)
    assert not any(h.any() for h in held[2:])
    made = jax.make_array_from_single_device_arrays((8,), u.sharding, [s.data + 1 for s in u.addressable_shards])
    np.testing.assert_array_equal(jax.reshard(made, P()), A + 4)


def test_without_checks():
    summed = jax.shard_map(lambda x: x, in_specs=P("x"), out_specs=P(unreduced={"x"}), check_vma=False)(given("v"))
    np.testing.assert_allclose(jax.reshard(summed, P()), v.sum(0), rtol=1e-6)
    f = jax.shard_map(lambda r: r, in_specs=SPECS["r"], out_specs=P("x"), check_vma=False)
    gradient = jax.grad(lambda r: jnp.sum(f(r)))(given("r"))
    assert gradient.sharding.spec == P(None, unreduced={"x"})
    np.testing.assert_array_equal(jax.reshard(gradient, P()), np.full(8, 4.0))


def test_zeros_are_of_the_kind_of_cotangents():
    for name in "urvi":
        x = given(name)
        spec = P(*x.sharding.spec, unreduced=x.sharding.spec.reduced, reduced=x.sharding.spec.unreduced)
        unused = jax.grad(lambda y, x: y * y, argnums=1)
        for g in (unused, jax.jit(unused), lambda y, x: jax.vjp(lambda y, x: y, y, x)[1](y)[1]):
            zero = g(1.0, x)
            assert zero.sharding.spec == spec, (name, zero.sharding)
            assert zero.shape == x.shape and not np.asarray(jax.reshard(zero, P())).any()
    assert jax.jvp(lambda x: (x, lax.stop_gradient(x)), (given("v"),), (given("v"),))[1][1].sharding.spec == P("x")
