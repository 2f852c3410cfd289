"""Types that say how arrays are divided along the explicit axes of a mesh."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from explicit_sharding_cases import CASES, SETUP, outcome

import fungrad
import fungrad.numpy as jnp
from fungrad import P, lax
from fungrad.errors import ShardingTypeError
from fungrad.sharding import AxisType, NamedSharding, auto_axes, explicit_axes, get_abstract_mesh, use_abstract_mesh


@pytest.fixture(scope="module", autouse=True)
def devices():
    fungrad.config.update("jax_num_cpu_devices", 8)
    yield
    fungrad.config.update("jax_num_cpu_devices", 0)


@pytest.fixture(scope="module")
def names():
    names = {"jax": fungrad, "jnp": jnp, "np": np, "lax": lax, "P": P}
    mesh = fungrad.make_mesh((4, 2), ("x", "y"))
    with fungrad.set_mesh(mesh):
        exec(SETUP.replace("jax.set_mesh(mesh)", ""), names)
    return names


@pytest.mark.parametrize(("case", "expected"), CASES)
def test_types(case, expected, names):
    with fungrad.set_mesh(names["mesh"]):
        assert outcome(case, names) == expected


@pytest.mark.parity
def test_types_are_those_of_jax():
    file = Path(__file__).parent / "explicit_sharding_cases.py"
    run = subprocess.run(
        [sys.executable, str(file)],
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert [(c, f) for (c, e), f in zip(CASES, found, strict=True) if f != e] == []


X = np.arange(64, dtype=np.float32).reshape(8, 8) / 64

RANDOM = {
    "ball": (3,), "beta": (0.5, 2.0), "bits": (), "cauchy": (), "chisquare": (3.0,), "dirichlet": ([1.0, 2.0],),
    "exponential": (), "f": (2.0, 3.0), "gamma": (2.0,), "generalized_normal": (1.5,), "gumbel": (), "laplace": (),
    "loggamma": (2.0,), "logistic": (), "multivariate_normal": ([0.0, 1.0], [[2.0, 0.0], [0.0, 1.0]]), "normal": (),
    "orthogonal": (3,), "poisson": (3.0,), "t": (5.0,), "uniform": (),
}  # fmt: skip


@pytest.mark.parametrize("name", RANDOM)
def test_random_arrays_come_divided(name, names):
    with fungrad.set_mesh(names["mesh"]):
        args = [jnp.asarray(x) if isinstance(x, list) else x for x in RANDOM[name]]
        draw = functools.partial(getattr(fungrad.random, name), fungrad.random.key(0), *args, shape=(8,))
        for f in (draw, fungrad.jit(draw, static_argnames="out_sharding")):
            x = f(out_sharding=P("x"))
            assert fungrad.typeof(x).sharding.spec[0] == "x"
            np.testing.assert_allclose(x, draw(), rtol=1e-5, atol=1e-5)


def test_specifications_are_no_longer_than_shapes(names, monkeypatch):
    lengths, filled = [], P.filled
    monkeypatch.setattr(P, "filled", lambda self, ndim: lengths.append(ndim) or filled(self, ndim))
    with fungrad.set_mesh(names["mesh"]):
        fungrad.random.gamma(fungrad.random.key(0), 2.0, (8,), out_sharding=P("x"))
    assert lengths and max(lengths) == 1


def test_parameters_and_segments_come_divided(names):
    init = fungrad.nn.initializers
    with fungrad.set_mesh(names["mesh"]):
        for f in (init.ones, init.zeros, init.constant(2.0), init.normal(), init.glorot_uniform(), init.orthogonal()):
            x = f(fungrad.random.key(0), (8, 4), jnp.float32, P("x", "y"))
            assert fungrad.typeof(x).sharding.spec == P("x", "y")
            np.testing.assert_array_equal(x, f(fungrad.random.key(0), (8, 4), jnp.float32))
        ops = fungrad.ops
        for f in (ops.segment_sum, ops.segment_prod, ops.segment_max, ops.segment_min):
            x = f(jnp.arange(8.0), jnp.arange(8) % 4, 4, out_sharding=P("x"))
            assert fungrad.typeof(x).sharding.spec == P("x")
        assert fungrad.typeof(jnp.percentile(X, jnp.arange(4.0), out_sharding=P("x"))).sharding.spec == P("x")


def test_values_do_not_depend_on_types(names):
    def f(x, y):
        z = jnp.dot(jnp.sin(x), y, out_sharding=P("x", None))
        return lax.scan(lambda c, r: (c + r, c), jnp.zeros(8), fungrad.reshard(z, P(None, "y")))

    def plain(x, y):
        z = jnp.dot(jnp.sin(x), y)
        return lax.scan(lambda c, r: (c + r, c), jnp.zeros(8), z)

    def loss(f):
        return lambda x, y: f(x, y)[1].sum()

    with fungrad.set_mesh(names["mesh"]):
        a, b = names["a"], names["b"]
        for g, h in (
            (f, plain),
            (fungrad.jit(f), plain),
            (fungrad.grad(loss(f), (0, 1)), fungrad.grad(loss(plain), (0, 1))),
            (fungrad.jit(fungrad.grad(loss(f), (0, 1))), fungrad.grad(loss(plain), (0, 1))),
            (fungrad.grad(loss(fungrad.jit(f)), (0, 1)), fungrad.grad(loss(plain), (0, 1))),
            (lambda x, y: fungrad.jvp(f, (x, y), (x, y)), lambda x, y: fungrad.jvp(plain, (x, y), (x, y))),
        ):
            for ours, theirs in zip(
                fungrad.tree.leaves(g(a, b)), fungrad.tree.leaves(h(np.asarray(a), np.asarray(b))), strict=True
            ):
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_jaxprs_and_types(names):
    with fungrad.set_mesh(names["mesh"]):
        text = str(fungrad.make_jaxpr(lambda x: fungrad.reshard(jnp.sin(x), P(None, "y")).sum(1))(names["a"]))
        assert "b:f32[8@x,8@y] = sin a" in text and ":f32[8,8@y] = reshard b" in text and "f32[8]" in text
        t = fungrad.typeof(names["a"])
        assert t.sharding.mesh == get_abstract_mesh() and t.sharding.spec == P("x", "y")
        assert fungrad.typeof(jnp.ones(2)).sharding.spec == P(None)
        struct = fungrad.eval_shape(lambda x: x.T, names["a"])
        assert struct.sharding.spec == P("y", "x")
        assert fungrad.jit(lambda x: x.T).trace(struct).jaxpr.in_avals[0].sharding.spec == P("y", "x")
    # Out of the context the types know the mesh.
    seen = fungrad.jit(lambda x: (get_abstract_mesh().axis_names, fungrad.reshard(x, P("y")))[1])(names["a"])
    assert seen.sharding == NamedSharding(names["mesh"], P("y", None))


def test_kinds_of_axes(names):
    mesh = names["mesh"].update_axis_types({"y": AxisType.Auto})
    with fungrad.set_mesh(mesh):
        x = fungrad.device_put(X, P("x", "y"))
        assert str(fungrad.typeof(x)) == "float32[8@x,8]" and x.sharding.spec == P("x", "y")
        with pytest.raises(ValueError, match="type Auto or Manual"):
            fungrad.reshard(x, P("y"))

        @explicit_axes(axes="y", in_sharding=P("x", "y"))
        def inside(x):
            assert str(fungrad.typeof(x)) == "float32[8@x,8@y]"
            return x * 2

        assert str(fungrad.typeof(inside(x))) == "float32[8@x,8]"
    with fungrad.set_mesh(names["mesh"]):

        @auto_axes(axes="y", out_sharding=P("x", "y"))
        def other(x):
            assert get_abstract_mesh().auto_axes == ("y",)
            assert str(fungrad.typeof(x)) == "float32[8@x,8]"
            return x @ jnp.ones((8, 8))

        assert str(fungrad.typeof(other(names["a"]))) == "float32[8@x,8@y]"
    with use_abstract_mesh(mesh.abstract_mesh):
        assert get_abstract_mesh() == mesh.abstract_mesh


def test_errors_say_what_to_do(names):
    with fungrad.set_mesh(names["mesh"]):
        a, v = names["a"], names["v"]
        for call, words in (
            (lambda: a @ a.T, "Contracting dimensions are sharded.*out_sharding"),
            (lambda: a.reshape(4, 16), "This reshape is not supported.*out_sharding"),
            (lambda: v[None, :] + v[:, None], "illegally sharded result: f32\\[8@x,8@x\\]"),
            (lambda: jnp.sort(a), "unsharded over the sorting dimension"),
            (lambda: jnp.cumsum(a, 1), "unsharded over the axis being reduced"),
            (lambda: a[jnp.array([0, 1])], "at\\[...\\].get\\(out_sharding="),
            (lambda: lax.slice(a, (0, 0), (3, 8)), "out dim \\(3\\) is not divisible by mesh axes \\(4\\)"),
        ):
            with pytest.raises(ShardingTypeError, match=words):
                call()
    with pytest.raises(ValueError, match="not under a mesh context"):
        fungrad.reshard(X, P("x"))
    with pytest.raises(ValueError, match="should be equal to the unreduced present"):
        fungrad.shard_map(lambda x: x, mesh=names["mesh"], in_specs=P(unreduced={"x"}), out_specs=P())(X)
    with pytest.raises(ValueError, match="cannot have common mesh axes"):
        P(unreduced={"x"}, reduced={"x"})


def test_types_in_functions_of_shards(names):
    seen = []

    def body(x, w):
        seen.append(str(fungrad.typeof(x)))
        seen.append(str(fungrad.typeof(w)))
        seen.append(str(fungrad.typeof(lax.psum(x, "x"))))
        seen.append(str(fungrad.typeof(lax.axis_index("y"))))
        lax.scan(lambda c, r: (seen.append(str(fungrad.typeof(r * w[0]))), (c, None))[1], 0, x)
        return x

    with fungrad.set_mesh(names["mesh"]):
        fungrad.shard_map(body, in_specs=(P("x", "y"), P()), out_specs=P("x", "y"))(names["a"], jnp.ones(2))
    assert seen == [
        "float32[2,4]{V:(x,y)}", "float32[2]", "float32[2,4]{V:y}", "int32[]{V:y}", "float32[4]{V:(x,y)}",
    ]  # fmt: skip
    mapped = fungrad.shard_map(
        lambda x: (seen.append(str(fungrad.typeof(x))), x)[1],
        mesh=names["mesh"], in_specs=P("x"), out_specs=P("x"), axis_names={"x"},
    )  # fmt: skip
    out = mapped(names["a"])
    assert seen[-1] == "float32[2,8@y]{V:x}" and str(fungrad.typeof(out)) == "float32[8@x,8@y]"
    assert str(fungrad.jit(mapped).trace(names["a"]).out_avals) == "float32[8@x,8@y]"


def test_parse_flags(monkeypatch):
    given = ["p", "--jax_enable_x64", "--steps=3", "--nojax_log_compiles", "-v", "--", "--jax_x"]
    monkeypatch.setattr(sys, "argv", given)
    fungrad.config.parse_flags_with_absl()
    try:
        assert fungrad.config.enable_x64 is True and fungrad.config.log_compiles is False
    finally:
        fungrad.config.update("jax_enable_x64", False)
    monkeypatch.setattr(sys, "argv", ["p", "--jax_enable_x64=maybe"])
    with pytest.raises(ValueError, match="--jax_enable_x64='maybe'"):
        fungrad.config.parse_flags_with_absl()


def test_mapped_functions_of_shards_over_a_divided_batch():
    with fungrad.set_mesh(fungrad.make_mesh((2, 2), ("x", "y"))):
        x = fungrad.device_put(jnp.arange(16.0).reshape(2, 8), P("x", "y"))
        total = fungrad.shard_map(lambda v: lax.psum(v, "y"), in_specs=P("y"), out_specs=P(None))
        for run in (fungrad.vmap(total), fungrad.jit(fungrad.vmap(total))):
            out = run(x)
            np.testing.assert_array_equal(out, np.arange(16.0).reshape(2, 2, 4).sum(1))
            assert out.sharding.spec == P("x", None)
        cosine = fungrad.shard_map(jnp.cos, in_specs=P("y"), out_specs=P("y"))
        gradient = fungrad.vmap(fungrad.grad(lambda v: cosine(v).sum()))(x)
        np.testing.assert_allclose(gradient, -np.sin(np.arange(16.0).reshape(2, 8)), rtol=1e-6)
