"""Modules of JAX that have little to do here: tokens, processes, places of computing, exchange of arrays."""

import logging

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import core, distributed, dlpack, lax
from fungrad.experimental import compute_on, control_deps, shard_alike


def test_tokens():
    def f(x):
        token = lax.after_all(lax.create_token(), lax.create_token(x))
        return x * 2, token

    for g in (f, fungrad.jit(f)):
        y, token = g(3.0)
        assert float(y) == 6.0 and token.shape == (0,)
    assert float(fungrad.grad(lambda x: f(x)[0])(1.0)) == 2.0
    ys, token = fungrad.vmap(f, out_axes=(0, None))(jnp.arange(3.0))
    assert ys.tolist() == [0.0, 2.0, 4.0] and token.shape == (0,)
    names = [e.primitive.name for e in fungrad.make_jaxpr(f)(1.0).eqns]
    assert names.count("create_token") == 2 and "after_all" in names
    assert lax.after_all().shape == (0,)
    carried = lax.fori_loop(0, 3, lambda i, t: lax.after_all(t), lax.create_token())
    assert carried.shape == (0,)
    for wrong in (1.0, jnp.ones(2), "token"):
        with pytest.raises(TypeError, match="Arguments to after_all must be tokens, got"):
            lax.after_all(wrong)


def test_processes():
    assert not distributed.is_initialized()
    distributed.initialize("localhost:1234", 1, 0)
    assert distributed.is_initialized()
    with pytest.raises(RuntimeError, match="should only be called once"):
        distributed.initialize()
    distributed.shutdown()
    distributed.shutdown()
    assert not distributed.is_initialized()
    with pytest.raises(NotImplementedError, match="computes in one process, got num_processes=2"):
        distributed.initialize(num_processes=2, process_id=0)


def test_dlpack():
    x = np.arange(3.0, dtype=np.float32)
    assert dlpack.from_dlpack(x).tolist() == [0.0, 1.0, 2.0]
    assert dlpack.is_supported_dtype(jnp.bfloat16) and dlpack.is_supported_dtype(np.complex64)
    assert not dlpack.is_supported_dtype(jnp.int4) and not dlpack.is_supported_dtype(jnp.float8_e5m2)
    with pytest.raises(TypeError, match="got dtype=None"):
        dlpack.is_supported_dtype(None)


def test_places_and_orders():
    with compute_on.compute_on("device_host"):
        assert float(fungrad.jit(lambda x: x + 1)(1.0)) == 2.0

    @compute_on.compute_on2(compute_type="device_host", out_memory_spaces=None)
    def f(x):
        return x * 2

    assert f(2.0) == 4.0
    with pytest.raises(ValueError, match="Invalid compute type 'moon'"), compute_on.compute_on("moon"):
        pass
    with pytest.raises(TypeError, match="compute_type must be a string, got 3"):
        compute_on.compute_on2(f, compute_type=3, out_memory_spaces=None)
    assert control_deps.schedule([f(1.0), f(2.0)]) is None is control_deps.control_dep(1.0, 2.0)


def test_shard_alike():
    with fungrad.config.override("jax_num_cpu_devices", 2):
        mesh = fungrad.make_mesh((2,), ("i",))
        s = fungrad.NamedSharding(mesh, fungrad.P("i"))
        a, b = shard_alike.shard_alike({"x": fungrad.device_put(jnp.ones(4), s)}, {"x": jnp.zeros(4)})
        assert a["x"].sharding == b["x"].sharding == s and b["x"].tolist() == [0.0] * 4
    with pytest.raises(ValueError, match="Trees should be equal"):
        shard_alike.shard_alike((1.0,), [1.0])
    with pytest.raises(ValueError, match=r"`x\[0\]` leaf shape: \(2,\) and `y\[0\]` leaf shape: \(3,\)"):
        shard_alike.shard_alike((jnp.ones(2),), (jnp.ones(3),))


def test_core_and_log(caplog):
    assert core.max_dim(2, 5) == 5 and core.min_dim(2, 5) == 2

    def f(x):
        with core.eval_context():
            known = jnp.ones(2) + 1
        return x * known.sum()

    assert float(fungrad.jit(f)(2.0)) == 8.0
    with caplog.at_level(logging.INFO, logger="fungrad.debug"):
        fungrad.jit(lambda x: fungrad.debug.log("x = {x}", x=x))(1.5)
        fungrad.effects_barrier()
    assert [r.getMessage() for r in caplog.records] == ["x = 1.5"]
    with pytest.raises(TypeError, match=r"fungrad.debug.log: fmt must be a string or None, got 3"):
        fungrad.debug.log(3)


def test_primitives_have_jaxs_names():
    from fungrad.extend.core import primitives

    key = fungrad.random.key(0)
    programs = {
        "cholesky_p": lambda x: lax.linalg.cholesky(x),
        "random_bits_p": lambda x: x + fungrad.random.bits(key, (2, 2)),
        "random_split_p": lambda x: fungrad.random.split(key),
        "name_p": lambda x: fungrad.ad_checkpoint.checkpoint_name(x, "n"),
        "remat_p": fungrad.checkpoint(jnp.sin),
    }
    for name, f in programs.items():
        assert getattr(primitives, name) in [e.primitive for e in fungrad.make_jaxpr(f)(jnp.eye(2)).eqns], name


def test_notes_for_xla_change_nothing():
    from fungrad.experimental.xla_metadata import set_xla_metadata

    @set_xla_metadata(part="whole")
    @fungrad.jit
    def f(x):
        with set_xla_metadata(part="inside"):
            return set_xla_metadata({"y": x * 2}, tagged=True)["y"]

    assert float(f(2.0)) == 4.0 and f.lower(2.0) is not None
    assert float(fungrad.grad(f)(1.0)) == 2.0


def test_layouts_of_values_within_programs():
    from fungrad.experimental.layout import Format, Layout, with_layout_constraint

    f = fungrad.jit(lambda x: with_layout_constraint({"y": x.T}, Layout((1, 0)))["y"] * 2)
    assert f(jnp.ones((1, 2))).shape == (2, 1)
    compiled = f.lower(jnp.ones((1, 2))).compile()
    place = Format(Layout((0, 1)), jnp.ones(1).sharding)
    assert compiled.input_formats == ((place,), {}) and compiled.output_formats == place
    with pytest.raises(ValueError, match="no order of the dimensions of an array of shape"):
        with_layout_constraint(jnp.ones((1, 2)), Layout((0,)))
    with pytest.raises(TypeError, match="layouts must be a Layout"):
        with_layout_constraint(jnp.ones((1, 2)), 3)


def test_the_directory_of_compiled_programs_as_jax_says_it(tmp_path):
    from fungrad.experimental.compilation_cache import compilation_cache

    before = fungrad.config.jax_compilation_cache_dir
    try:
        compilation_cache.set_cache_dir(tmp_path)
        assert fungrad.config.jax_compilation_cache_dir == str(tmp_path)
        compilation_cache.reset_cache()
    finally:
        fungrad.config.update("jax_compilation_cache_dir", before)
