"""Programs written for JAX, run through ``fungrad.compat`` in processes of their own."""

import os
import subprocess
import sys
import textwrap

import pytest

import fungrad
from fungrad.compat import proxies, rows
from fungrad.jax import main


def run(*arguments, code=0, **variables):
    env = {**os.environ, **variables}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def test_a_script_with_arguments_and_a_report(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent("""
        import importlib.metadata, sys
        import jax, jax.numpy as jnp
        from jax import lax, random
        from jax.scipy.stats import norm
        import jaxlib

        assert jax.Array.__module__.startswith("fungrad") and jnp.__name__ == "jax.numpy"
        assert jax.__version_info__ >= (0, 4) and importlib.metadata.version("jax") == jax.__version__
        assert jaxlib.__version__ == jax.__version__
        assert not hasattr(jax, "no_such_name") and "jit" in dir(jax)
        assert jax.numpy.linalg.norm is jnp.linalg.norm
        assert jnp.__array_namespace_info__().default_device() and jnp.__array_api_version__ >= "2024.12"
        try:
            import jax.no_such_module
        except ModuleNotFoundError as error:
            print(error.name)
        print(sys.argv[1:], jax.grad(lambda x: norm.logpdf(x))(2.0), __name__)
    """))
    out, err = run("-m", "fungrad.jax", "--report", str(script), "--one", "2")
    assert out.splitlines() == ["jax.no_such_module", "['--one', '2'] -2.0 __main__"]
    assert f"jax.no_such_name  {script}:11" in err and f"jax.no_such_module  {script}:15" in err
    assert "2 times" in err


def test_sizes_of_dimensions_and_the_context_of_evaluation_are_in_core():
    code = "import jax.core as c; assert callable(c.eval_context); print(c.max_dim(2, 3), c.min_dim(2, 3))"
    assert run("-m", "fungrad.jax", "-c", code)[0] == "3 2\n"


def test_variables_of_jax_set_options():
    code = "import jax, jax.random as r; print(jax.numpy.ones(1).dtype, len(jax.devices()), r.key_impl(r.key(0)))"
    given = {"JAX_ENABLE_X64": "1", "JAX_NUM_CPU_DEVICES": "2", "JAX_DEFAULT_PRNG_IMPL": "rbg"}
    assert run("-m", "fungrad.jax", "-c", code, **given)[0] == "float64 2 rbg\n"
    assert run("-m", "fungrad.jax", "-c", code, **given, FUNGRAD_ENABLE_X64="0")[0] == "float32 2 rbg\n"
    assert run("-c", "import fungrad.numpy as jnp; print(jnp.ones(1).dtype)", **given)[0] == "float32\n"
    assert "JAX_ENABLE_X64='perhaps'" in run("-m", "fungrad.jax", "-c", code, code=1, JAX_ENABLE_X64="perhaps")[1]


def test_modules_run_too(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import jax\ndef test_one():\n    assert jax.jit(lambda x: x + 1)(1) == 2\n"
    )
    out, _ = run("-m", "fungrad.jax", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path))
    assert "1 passed" in out


def test_usage():
    assert "script.py" in run("-m", "fungrad.jax", "--help")[0]
    assert "script.py" in run("-m", "fungrad.jax", code=2)[1]


def test_install_refuses_where_jax_has_been_imported(tmp_path):
    (tmp_path / "jax.py").write_text("")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import jax, fungrad.compat; fungrad.compat.install()"
    _, err = run("-c", code, str(tmp_path), code=1)
    assert "RuntimeError: fungrad.compat.install: jax itself has been imported" in err


def test_every_row_resolves():
    code = """
        import importlib, pathlib
        import fungrad.compat as c
        from fungrad.compat import overlay, proxies
        c.install()
        root = pathlib.Path(overlay.__file__).parent
        for path in sorted(root.rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            if name in ("__init__",):
                continue
            module = importlib.import_module(name)
            for each in [*module._fungrad_rows, *module._fungrad_later]:
                getattr(module, each)
        for name in sorted(proxies.PUBLIC):
            if proxies.exists(name):
                module = importlib.import_module(name)
                for each in dir(module):
                    if not each.startswith("_"):
                        getattr(module, each)
        print("done")
    """
    assert run("-c", textwrap.dedent(code))[0] == "done\n"


def test_a_refused_name_raises_when_it_is_called():
    row = rows.refused("jax.thing", "there is one device", "flax")
    kind = row.resolve()
    assert isinstance(kind, type) and kind.__name__ == "thing"
    with pytest.raises(NotImplementedError, match="jax.thing cannot be used .*: there is one device"):
        kind(1, axis=2)


def test_private_names_say_who_needs_them():
    root = proxies._HERE / "overlay" / "jax" / "_src"
    import importlib

    for path in root.rglob("*.py"):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        module = importlib.import_module(f"fungrad.compat.overlay.jax._src.{name}".removesuffix(".__init__"))
        for each, row in {**module.NAMES, **getattr(module, "UNTIL_NATIVE", {})}.items():
            assert row.libraries, f"jax._src.{name}.{each} names no library"


def test_utilities_for_several_processes_of_which_there_is_one(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent("""
        import jax, jax.monitoring, jax.distributed, numpy as np
        from jax.experimental import multihost_utils as hosts
        from jax.experimental.pjit import pjit

        assert not jax.distributed.is_initialized()
        tree = hosts.broadcast_one_to_all({"x": jax.numpy.arange(3), "y": 2})
        assert type(tree["x"]) is np.ndarray and tree["y"] == 2
        assert hosts.process_allgather(np.ones(2)).shape == (1, 2)
        assert hosts.process_allgather(np.ones(2), tiled=True).shape == (2,)
        hosts.sync_global_devices("here")
        mesh = jax.make_mesh((1,), ("x",))
        out = hosts.host_local_array_to_global_array((np.ones(2), np.zeros(3)), mesh, jax.P("x"))
        assert [x.sharding.spec for x in out] == [jax.P("x")] * 2
        try:
            hosts.reached_preemption_sync_point(3)
        except RuntimeError as error:
            print(error)
        seen = []
        listen = lambda event, seconds, **more: seen.append((event, seconds, more))
        jax.monitoring.register_event_duration_secs_listener(listen)
        jax.monitoring.record_event_duration_secs("/a", 1.5, kind="b")
        jax.monitoring.record_event("/c")
        jax.monitoring.unregister_event_duration_listener(listen)
        jax.monitoring.record_event_duration_secs("/a", 2.5)
        print(seen, pjit(lambda x: x + 1)(1))
    """))
    out, _ = run("-m", "fungrad.jax", str(script))
    assert "not been initialized" in out and out.endswith("[('/a', 1.5, {'kind': 'b'})] 2\n")


def test_modules_about_what_is_not_here_refuse_when_called(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent("""
        import jax, jax.ffi, jax.extend.mlir
        from jax.extend.core.primitives import get_p, sharding_constraint_p
        from jax.extend.sharding import GSPMDSharding
        from jax.experimental import cur_qdd, primal_tangent_dtype, serialize_executable, topologies
        from jax.experimental.custom_partitioning import custom_partitioning

        for f in (jax.ffi.ffi_call, jax.lax.psend, cur_qdd, primal_tangent_dtype, serialize_executable.serialize,
                  jax.interpreters.mlir.make_ir_context, jax.profiler.ProfileData, jax.interpreters.ad.linearize):
            try:
                f("x")
            except NotImplementedError as error:
                assert "cannot be used through fungrad.compat: " in str(error)
            else:
                raise AssertionError(f)
        assert not isinstance(1, GSPMDSharding) and {get_p: 1}
        f = custom_partitioning(lambda x, n=2: x * n, static_argnums=(1,))
        f.def_partition(None, sharding_rule="... -> ...")
        assert float(jax.jit(f, static_argnums=1)(jax.numpy.float32(2.0), n=3)) == 6.0
        assert topologies.make_mesh(topologies.get_attached_topology(), (1,), ("x",)).axis_names == ("x",)
        with jax.auto_pcast(False):
            pass
        print("done")
    """))
    assert run("-m", "fungrad.jax", str(script))[0] == "done\n"


def test_errors_of_programs_look_as_if_they_had_been_run_by_themselves(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import jax\ndef f(x):\n    return x * x\njax.grad(f)(jax.numpy.ones(3))\n")
    _, told = run("-m", "fungrad.jax", str(script), code=1)
    assert told.count("  File ") == 1 and f'{script}", line 4' in told
    code = "import jax; print(jax.__file__); import jax.experimental.pallas"
    place, told = run("-m", "fungrad.jax", "-c", code, code=1)
    assert place.strip() == fungrad.__file__
    assert told.count("  File ") == 1 and "fungrad.extend.numba_kernel" in told


def test_scripts_that_do_not_exist(tmp_path, capsys):
    for name, told in (("nosuch.py", "there is no file 'nosuch.py'"), (str(tmp_path), "a directory without")):
        assert main([name])
        assert told in capsys.readouterr().err
