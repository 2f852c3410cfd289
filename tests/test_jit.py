"""``jit``: dispatch, static and donated arguments, nesting, stages, errors and cache-miss explanations."""

import copy
import functools
import gc
import operator
import pickle
import threading

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp


def counting(f):
    """``f`` with a count of how often Python runs it."""

    @functools.wraps(f)
    def counted(*args, **kwargs):
        counted.count += 1
        return f(*args, **kwargs)

    counted.count = 0
    return counted


def test_traces_once_per_type():
    f = counting(lambda x: x * 2)
    g = fungrad.jit(f)
    for x in (jnp.ones(3), jnp.zeros(3), np.ones(3, np.float32)):
        g(x)
    assert f.count == 1
    g(jnp.ones(4))
    g(jnp.ones(3, jnp.int32))
    g(1.0)
    g(jnp.float32(1.0))
    assert f.count == 5 and g._cache_size() == 5
    g.clear_cache()
    assert g._cache_size() == 0


def test_weak_types_survive():
    f = fungrad.jit(lambda x: x * 2)
    assert f(1.0).weak_type and not f(jnp.float32(1)).weak_type
    assert f(1).dtype == jnp.int32 and f(1).weak_type


def test_trees_in_and_out():
    f = fungrad.jit(lambda p, *, scale: {"a": p["x"] * scale, "b": (p["y"], None)})
    out = f({"x": 1.0, "y": jnp.ones(2)}, scale=3.0)
    assert float(out["a"]) == 3.0 and out["b"][1] is None
    np.testing.assert_array_equal(out["b"][0], [1, 1])


def test_no_results_and_constants():
    assert fungrad.jit(lambda x: None)(1.0) is None
    assert float(fungrad.jit(lambda: 3.0)()) == 3.0
    c = jnp.arange(3.0)
    np.testing.assert_array_equal(fungrad.jit(lambda: c)(), c)
    a, b = fungrad.jit(lambda x: (x, x))(c)
    np.testing.assert_array_equal(a, b)


def test_static_arguments():
    f = counting(lambda x, n, mode="a": x * n if mode == "a" else x + n)
    g = fungrad.jit(f, static_argnums=1, static_argnames="mode")
    assert float(g(2.0, 3)) == 6.0
    assert float(g(2.0, 3, mode="b")) == 5.0
    # Where both are declared, positions are for what is given by position, names for what is given by name.
    assert float(g(2.0, n=3)) == 6.0 and g.lower(2.0, n=3).args_info[1]["n"].aval.weak_type
    with pytest.raises(TypeError, match="mode"):
        g(2.0, 3, "b")
    named = fungrad.jit(f, static_argnames="mode")
    assert float(named(2.0, 3, "b")) == float(named(2.0, 3, mode="b")) == 5.0
    before = f.count
    g(5.0, 3)
    assert f.count == before
    g(5.0, 4)
    assert f.count == before + 1


def test_static_errors():
    with pytest.raises(ValueError, match=r"static argument 'shape' of f must be hashable.*list"):

        @functools.partial(fungrad.jit, static_argnums=0)
        def f(shape):
            return jnp.zeros(shape)

        f([2, 3])
    with pytest.raises(ValueError, match="static_argnames names 'm'.*parameters x, n"):
        fungrad.jit(lambda x, n: x, static_argnames="m")
    with pytest.raises(ValueError, match="both static and donated"):
        fungrad.jit(lambda x: x, static_argnums=0, donate_argnums=0)
    with pytest.raises(TypeError, match=r"argument config\['name'\] of .* must be an array.*static"):
        fungrad.jit(lambda config: config["x"])({"x": 1.0, "name": "text"})


def test_decorator_forms():
    @fungrad.jit
    def f(x):
        """Doc."""
        return x + 1

    @fungrad.jit(static_argnames=("n",))
    def g(x, n):
        return x + n

    @functools.partial(fungrad.jit, static_argnums=(1,))
    def h(x, n):
        return x * n

    assert float(f(1.0)) == 2.0 and float(g(1.0, n=2)) == 3.0 and float(h(2.0, 3)) == 6.0
    assert f.__name__ == "f" and f.__doc__ == "Doc."


def test_methods_and_partials():
    class Model:
        def __init__(self, scale):
            self.scale = scale

        @functools.partial(fungrad.jit, static_argnums=0)
        def apply(self, x):
            return self.scale * x

        def plain(self, x):
            return self.scale + x

    model = Model(3.0)
    assert float(model.apply(2.0)) == 6.0
    assert float(fungrad.jit(model.plain)(2.0)) == 5.0
    assert float(fungrad.jit(functools.partial(lambda a, x: a * x, 4.0))(2.0)) == 8.0


def test_shared_cache_of_the_same_function():
    f = counting(lambda x: x + 1)
    for _ in range(3):
        fungrad.jit(f)(1.0)
    assert f.count == 1


def test_functions_are_not_kept_alive():
    def make():
        big = jnp.ones(1000)
        return fungrad.jit(lambda x: x + big)

    f = make()
    f(1.0)
    del f
    gc.collect()


def test_nested_jit_is_one_equation_and_one_program():
    inner = fungrad.jit(lambda x: jnp.sin(x) * 2)
    outer = fungrad.jit(lambda x: inner(x) + inner(x + 1))
    x = jnp.arange(3.0)
    np.testing.assert_allclose(outer(x), np.sin(np.arange(3.0)) * 2 + np.sin(np.arange(3.0) + 1) * 2, rtol=1e-6)
    jaxpr = fungrad.make_jaxpr(outer)(x)
    assert [e.primitive.name for e in jaxpr.eqns] == ["jit"]
    assert "host" not in outer.lower(x).as_text("steps")


def test_closing_over_tracers():
    def f(x):
        g = fungrad.jit(lambda y: x * y)
        return g(2.0) + g(3.0)

    assert float(f(1.0)) == 5.0
    assert float(fungrad.grad(f)(1.0)) == 5.0
    np.testing.assert_array_equal(fungrad.vmap(f)(jnp.arange(3.0)), [0, 5, 10])
    assert float(fungrad.jit(fungrad.grad(f))(1.0)) == 5.0


def test_closing_over_tracers_through_a_kept_function():
    """An entry that holds tracers of one call must not be used by the next."""
    box = {}
    inner = fungrad.jit(lambda y: box["x"] * y)

    def f(x):
        box["x"] = x
        return inner(2.0)

    assert float(fungrad.grad(f)(1.0)) == 2.0
    assert float(fungrad.grad(f)(5.0)) == 2.0


def test_donation():
    f = fungrad.jit(lambda x, y: (x + y, y * 2), donate_argnums=0)
    x, y = jnp.ones(1000), jnp.ones(1000)
    out, _ = f(x, y)
    np.testing.assert_array_equal(out, 2 * np.ones(1000))
    assert x.is_deleted() and not y.is_deleted()
    with pytest.raises(RuntimeError, match=r"deleted \(donated to jit"):
        x + 1
    np.testing.assert_array_equal(y, np.ones(1000))


def test_donated_memory_that_others_see_is_not_overwritten():
    base = jnp.zeros((10, 10))
    view = base.reshape(100)
    seen = np.asarray(base)
    out = fungrad.jit(lambda x: x + 1, donate_argnums=0)(view)
    np.testing.assert_array_equal(out, np.ones(100))
    np.testing.assert_array_equal(base, np.zeros((10, 10)))
    np.testing.assert_array_equal(seen, np.zeros((10, 10)))


def test_results_do_not_alias_inputs():
    x = np.zeros(1000, np.float32)
    a = jnp.asarray(x)
    out = fungrad.jit(lambda a: a.reshape(10, 100))(a)
    x[:] = 7
    np.testing.assert_array_equal(out, np.zeros((10, 100)))


def test_results_of_successive_calls_are_independent():
    f = fungrad.jit(lambda x: x * 2)
    outs = [f(jnp.full(100_000, float(i))) for i in range(5)]
    for i, out in enumerate(outs):
        assert float(out[0]) == 2.0 * i and float(out[-1]) == 2.0 * i


def test_stages():
    f = fungrad.jit(lambda x, n: jnp.sin(x) * n, static_argnames="n")
    x = jnp.arange(3.0)
    traced = f.trace(x, n=2)
    assert [e.primitive.name for e in traced.jaxpr.eqns] == ["sin", "mul"]
    lowered = traced.lower()
    assert (
        "sin" in lowered.as_text("jaxpr") and "sin" in lowered.as_text("steps") and "define" in lowered.as_text("llvm")
    )
    assert lowered.as_text("passes") and lowered.as_text("asm")
    assert lowered.out_info.shape == (3,)
    compiled = lowered.compile()
    np.testing.assert_allclose(compiled(x), 2 * np.sin(np.arange(3)), rtol=1e-6)
    assert compiled.cost_analysis()["flops"] > 0
    memory = compiled.memory_analysis()
    assert memory.output_size_in_bytes == memory.argument_size_in_bytes == 12
    assert memory.peak_memory_in_bytes == 24 + memory.temp_size_in_bytes
    with pytest.raises(TypeError, match=r"takes f32\[3\].*got f32\[4\]"):
        compiled(jnp.ones(4))
    with pytest.raises(ValueError, match="no text of stage"):
        lowered.as_text("hlo")
    by_shape = f.lower(fungrad.ShapeDtypeStruct((3,), jnp.float32), n=2).compile()
    np.testing.assert_allclose(by_shape(x), compiled(x))


def test_eval_shape():
    out = fungrad.jit(lambda x: (x, x.sum())).eval_shape(fungrad.ShapeDtypeStruct((2, 3), jnp.float32))
    assert out[0].shape == (2, 3) and out[1].shape == ()


def test_disable_jit():
    f = counting(lambda x: x + 1)
    g = fungrad.jit(f)
    with fungrad.disable_jit():
        g(1.0)
        g(1.0)
    assert f.count == 2


def test_cache_miss_explanations(caplog):
    f = fungrad.jit(lambda x, n: x["w"] * n, static_argnames="n")
    with fungrad.explain_cache_misses():
        f({"w": jnp.ones(3)}, n=1)
        f({"w": jnp.ones(4)}, n=1)
        f({"w": jnp.ones(4)}, n=2)
        f({"w": jnp.ones(4, jnp.int32)}, n=2)
        f({"w": 1.0}, n=2)
        f({"w": jnp.float32(1.0)}, n=2)
        f({"v": 1.0, "w": 1.0}, n=2)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 7
    assert "first call" in lines[0] and "test_jit.py" in lines[0]
    assert "argument x['w'] has shape (4,), before (3,)" in lines[1]
    assert "static argument 'n' is 2, before 1" in lines[2]
    assert "has dtype int32, before float32" in lines[3]
    assert "shape ()" in lines[4]
    assert "strongly typed, before weakly typed" in lines[5]
    assert "tree" in lines[6]


def test_debug_nans():
    f = fungrad.jit(lambda x: jnp.log(x))
    with fungrad.debug_nans():
        f(1.0)
        with pytest.raises(FloatingPointError, match="NaN"):
            f(-1.0)
        with pytest.raises(FloatingPointError, match="log produced NaN"):
            jnp.log(-1.0)
    assert np.isnan(f(-1.0))


def test_threads():
    f = fungrad.jit(lambda x: jnp.sum(jnp.tanh(x) * x, axis=1))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(300, 4000)).astype(np.float32))
    wanted = np.asarray(f(x))
    bad = []

    def work():
        for _ in range(20):
            if not np.array_equal(np.asarray(f(x)), wanted):
                bad.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not bad


def test_wrong_arguments():
    with pytest.raises(TypeError, match="must be a function"):
        fungrad.jit(3)
    with pytest.raises(TypeError, match="backend must be"):
        fungrad.jit(lambda x: x, backend="gpu")
    with pytest.raises(TypeError, match=r"the result\['a'\] of .* must be an array"):
        fungrad.jit(lambda x: {"a": "text"})(1.0)


def test_jit_names_are_functions():
    """``fungrad.jit`` is the function although a package of that name exists."""
    import fungrad.jit.front.api

    assert callable(fungrad.jit) and fungrad.jit is fungrad.jit
    assert float(fungrad.jit(lambda x: x)(1.0)) == 1.0


@pytest.mark.parametrize("options", [{"donate_argnums": 1}, {"static_argnums": (0, -2)}, {"static_argnames": "y"}])
def test_static_and_donated_arguments_must_be_parameters(options):
    with pytest.raises(ValueError, match=r"fungrad\.jit: (static|donate)_arg(num|name)s names .* <lambda>"):
        fungrad.jit(lambda x: x, **options)
    assert fungrad.jit(lambda *xs: xs[3], static_argnums=3)(1, 2, 3, 4) == 4


# Warm calls with static arguments ----------------------------------------------------------------


def test_warm_calls_with_static_arguments():
    def g(x, n, t, scale, mode):
        return x * n + t["a"] * scale + len(mode)

    g = fungrad.jit(g, static_argnums=(1, 4), static_argnames="mode")
    x, t = jnp.ones(2), {"a": jnp.arange(2.0)}
    for _ in range(5):
        for n in (1, 2, 3):
            for mode in ("up", "down"):
                expected = [n + len(mode), n + len(mode) + 2.0]
                assert g(x, n, t, 2.0, mode).tolist() == expected
                assert g(x, n, t, scale=2.0, mode=mode).tolist() == expected
                assert g(x, n, mode=mode, t=t, scale=2.0).tolist() == expected
                assert g(x, n=n, mode=mode, t=t, scale=jnp.asarray(2.0)).tolist() == expected
    with pytest.raises(ValueError, match="the static argument 'mode' of .* must be hashable"):
        g(x, 1, t, 2.0, ["up"])
    with pytest.raises(TypeError):
        g(x, 1, {"a": "text"}, 2.0, "up")
    assert g(x, 1, {"a": 3}, 2.0, "up").tolist() == [9.0, 9.0]
    with fungrad.enable_x64():
        assert g(np.ones(2), 1, t, 2.0, "up").dtype == jnp.float64
    assert g(np.ones(2), 1, t, 2.0, "up").dtype == jnp.float32
    with fungrad.disable_jit():
        assert g(x, 2, t, 2.0, "up").tolist() == [4.0, 6.0]
    assert fungrad.vmap(lambda x: g(x, 2, {"a": 1.0}, 2.0, "up"))(x).tolist() == [6.0, 6.0]


def test_static_arguments_of_warm_calls_that_are_equal():
    class Option:
        def __init__(self, value):
            self.value = value

        def __eq__(self, other):
            return type(other) is Option and self.value == other.value

        def __hash__(self):
            return hash(self.value)

    f = fungrad.jit(lambda x, option: x + option.value, static_argnames="option")
    for _ in range(4):
        for value in (1, 2):
            assert f(jnp.zeros(()), Option(value)) == value
            assert f(jnp.zeros(()), option=Option(value)) == value
    assert f.cache_info().traces == 4
    f.clear_cache()
    assert f(jnp.zeros(()), Option(1)) == 1 and f.cache_info().currsize == 1


def test_donation_with_static_arguments():
    f = fungrad.jit(lambda x, n: [x[0] + n], static_argnums=1, donate_argnums=0)
    x = [jnp.zeros(3)]
    for i in range(6):
        old, x = x, f(x, 1 + i % 2)
        with pytest.raises(RuntimeError, match="donated to jit"):
            old[0] + 1
    assert x[0].tolist() == [9.0] * 3


@fungrad.jit
def of_this_module(x):
    return x + 1


def test_compiled_functions_are_copied_and_pickled_as_functions_are():
    x = jnp.ones(2)
    of_this_module(x)
    named = fungrad.jit(operator.neg)
    named(x)
    placed = fungrad.jit(operator.neg, in_shardings=fungrad.sharding.SingleDeviceSharding(fungrad.devices()[0]))
    for f in (of_this_module, named, placed):
        assert copy.copy(f) is f and copy.deepcopy([f])[0] is f
    assert pickle.loads(pickle.dumps(of_this_module)) is of_this_module
    assert pickle.loads(pickle.dumps(named))(x).tolist() == [-1.0, -1.0]
    program = of_this_module.lower(x).compile()
    assert copy.deepcopy(program) is program
    with pytest.raises(TypeError, match=r"^fungrad.stages.Compiled: .* fungrad.export"):
        pickle.dumps(program)
    exported = fungrad.export.export(of_this_module)(x)
    assert pickle.loads(pickle.dumps(exported)).call(x).tolist() == [2.0, 2.0]
    assert copy.deepcopy(exported) is exported
    with pytest.raises(TypeError, match=r"^fungrad.vjp: .*pickle"):
        pickle.dumps(fungrad.vjp(of_this_module, x)[1])
