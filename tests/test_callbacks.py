"""Calls back to Python: eager, compiled, mapped and differentiated."""

import contextlib
import io

import numpy as np
import pytest

import fungrad
import fungrad.debug
import fungrad.numpy as fnp
from fungrad import lax
from fungrad.experimental import buffer_callback as buffers, io_callback
from fungrad.jit.passes import run_passes

F32 = fungrad.ShapeDtypeStruct((), "float32")


def host_sin(x, method=None):
    return fungrad.pure_callback(lambda v: np.sin(v), fungrad.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method=method)


@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_pure_callback(wrap):
    x = fnp.arange(3.0)
    np.testing.assert_allclose(wrap(host_sin)(x), np.sin(x), rtol=1e-6)

    def tree(d, scale):
        struct = {"s": F32, "n": fungrad.ShapeDtypeStruct((2,), "int32")}
        return fungrad.pure_callback(
            lambda d, scale: {"s": np.float32(d["a"] * scale), "n": np.array([1, 2])},
            struct,
            d,
            scale=scale,
        )

    out = wrap(tree)({"a": 2.0}, 3.0)
    assert float(out["s"]) == 6.0 and out["n"].tolist() == [1, 2] and out["n"].dtype == "int32"


@pytest.mark.parametrize(
    "method, shapes",
    [
        ("sequential", [((), ())] * 2),
        ("sequential_unrolled", [((), ())] * 2),
        ("expand_dims", [((2,), (1,))]),
        ("broadcast_all", [((2,), (2,))]),
        ("legacy_vectorized", [((2,), ())]),
    ],
)
@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_vmap_methods(method, shapes, wrap):
    seen = []

    def host(a, b):
        seen.append((a.shape, b.shape))
        return np.asarray(a) * np.asarray(b)

    f = lambda a, b: fungrad.pure_callback(host, F32, a, b, vmap_method=method)  # noqa: E731
    out = wrap(fungrad.vmap(f, (0, None)))(fnp.arange(2.0), 3.0)
    assert out.tolist() == [0.0, 3.0] and seen == shapes


@pytest.mark.parametrize("method", ["sequential", "broadcast_all"])
def test_nested_vmap_and_other_axes(method):
    f = lambda x: host_sin(x, method)  # noqa: E731
    x = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    np.testing.assert_allclose(fungrad.vmap(fungrad.vmap(f))(x), np.sin(x), rtol=1e-6)
    np.testing.assert_allclose(fungrad.vmap(f, 1, 1)(x), np.sin(x), rtol=1e-6)
    assert fungrad.vmap(f)(np.zeros((0, 2), np.float32)).shape == (0, 2)


def test_derivatives_by_custom_rules():
    f = fungrad.custom_jvp(host_sin)
    f.defjvp(lambda p, t: (f(*p), fnp.cos(p[0]) * t[0]))
    for g in (fungrad.grad(f), fungrad.jit(fungrad.grad(f)), fungrad.grad(fungrad.jit(f))):
        np.testing.assert_allclose(g(fnp.float32(0.5)), np.cos(0.5), rtol=1e-6)
    with pytest.raises(ValueError, match="pure_callback has no derivative: .*custom_jvp"):
        fungrad.grad(host_sin)(fnp.float32(1.0))
    assert float(fungrad.grad(lambda x: x * host_sin(lax.stop_gradient(x)))(fnp.float32(0.0))) == 0.0


def test_errors_of_callbacks_reach_the_caller():
    f = lambda x: fungrad.pure_callback(lambda x: 1 / 0, F32, x)  # noqa: E731
    for g in (f, fungrad.jit(f)):
        with pytest.raises(ZeroDivisionError):
            g(1.0)


@pytest.mark.parametrize(
    "result, message",
    [
        (np.ones(3), r"announced in result_shape_dtypes, f32\[\], got f64\[3\]"),
        (np.int32(1), r"f32\[\], got i32\[\]"),
        ("a", r"f32\[\], got str"),
        ((1.0, 2.0), r"must return a tree with the structure .*, \*, got \(\*, \*\)"),
    ],
)
def test_results_are_checked(result, message):
    with pytest.raises(TypeError, match=message):
        fungrad.pure_callback(lambda: result, F32)


def test_callbacks_may_keep_their_arguments():
    kept = []
    f = fungrad.jit(lambda x: fungrad.pure_callback(lambda v: kept.append(v) or np.float32(0), F32, x * 2.0))
    for i in range(3):
        f(float(i))
    assert [float(v) for v in kept] == [0.0, 2.0, 4.0]


def test_pure_callbacks_that_nobody_needs_do_not_run():
    calls = []
    f = fungrad.jit(lambda x: (fungrad.pure_callback(lambda v: calls.append(v) or v, F32, x), x)[1])
    f(fnp.float32(1.0))
    assert calls == []


# -- callbacks with effects ----------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_io_callback(wrap):
    log = []
    f = wrap(lambda x: (io_callback(lambda v: log.append(float(v)), None, x), x * 2.0)[1])
    assert float(f(3.0)) == 6.0 and log == [3.0]
    g = wrap(lambda x: io_callback(lambda v: log.append(float(v)) or np.float32(v), F32, x, ordered=True))
    assert float(g(fnp.float32(4.0))) == 4.0 and log == [3.0, 4.0]
    h = wrap(fungrad.vmap(lambda x: io_callback(lambda v: log.append(float(v)) or np.float32(v), F32, x)))
    assert h(fnp.arange(2.0)).tolist() == [0.0, 1.0] and log == [3.0, 4.0, 0.0, 1.0]
    with pytest.raises(ValueError, match="an ordered callback cannot be mapped"):
        fungrad.vmap(g)(fnp.arange(2.0))
    with pytest.raises(ValueError, match="experimental.io_callback has no derivative"):
        fungrad.grad(h.__wrapped__ if wrap is fungrad.jit else h)(fnp.arange(2.0))


def printing(x):
    fungrad.debug.print("x={x} {}", x * 2, x=x)
    return x * x


@pytest.mark.parametrize(
    "run, lines",
    [
        (lambda: printing(2.0), ["x=2.0 4.0"]),
        (lambda: fungrad.jit(printing)(fnp.float32(2.0)), ["x=2.0 4.0"]),
        (lambda: fungrad.grad(printing)(2.0), ["x=2.0 4.0"]),
        (lambda: fungrad.grad(fungrad.jit(printing))(2.0), ["x=2.0 4.0"]),
        (lambda: fungrad.jit(fungrad.grad(printing))(2.0), ["x=2.0 4.0"]),
        (lambda: fungrad.jvp(printing, (2.0,), (1.0,)), ["x=2.0 4.0"]),
        (lambda: fungrad.grad(fungrad.grad(printing))(2.0), ["x=2.0 4.0"]),
        (lambda: fungrad.vmap(printing)(fnp.arange(2.0)), ["x=0.0 0.0", "x=1.0 2.0"]),
        (lambda: fungrad.jit(fungrad.vmap(printing))(fnp.arange(2.0)), ["x=0.0 0.0", "x=1.0 2.0"]),
        (lambda: fungrad.vmap(lambda y: printing(3.0) * y)(fnp.arange(2.0)), ["x=3.0 6.0"]),
        (lambda: fungrad.grad(fungrad.checkpoint(printing))(2.0), ["x=2.0 4.0"] * 2),
        (
            lambda: fungrad.jit(lambda x: lax.fori_loop(0, 2, lambda i, c: printing(c), x))(3.0),
            ["x=3.0 6.0", "x=9.0 18.0"],
        ),
    ],
)
def test_debug_print(capsys, run, lines):
    run()
    assert capsys.readouterr().out.splitlines() == lines


def test_debug_callback_gets_trees_and_other_values():
    seen = []

    def look(d, name, *, k):
        seen.append((float(d["a"]), name, float(k)))

    def f(x):
        fungrad.debug.callback(look, {"a": x}, "text", k=2.0, ordered=True)
        return x

    fungrad.jit(f)(1.0)
    assert seen == [(1.0, "text", 2.0)]


def test_order_is_kept():
    seen = []

    @fungrad.jit
    def f(x):
        for i in range(5):
            fungrad.debug.callback(lambda v, i=i: seen.append((i, float(v))), x * i, ordered=True)
        return x

    f(2.0)
    assert seen == [(i, 2.0 * i) for i in range(5)]


@pytest.mark.parametrize(
    "run, error, message",
    [
        (
            lambda: fungrad.debug.print("{}", 1, 2),
            ValueError,
            r"no placeholder for the argument\(s\) 2",
        ),
        (
            lambda: fungrad.debug.print("{}", 1, x=2),
            ValueError,
            r"no placeholder for the keyword argument\(s\) x",
        ),
        (lambda: fungrad.debug.print("{x}", 1), KeyError, "x"),
        (lambda: fungrad.debug.print(3), TypeError, "fmt must be a string or None, got 3"),
        (
            lambda: fungrad.debug.callback(3),
            TypeError,
            "fungrad.debug.callback: callback must be a function or None, got 3",
        ),
        (
            lambda: fungrad.pure_callback(lambda a: a, F32, "a"),
            TypeError,
            r"pure_callback: the argument\[0\]\[0\] of <lambda> must be an array .*'a'",
        ),
        (
            lambda: fungrad.pure_callback(lambda a: a, F32, 1.0, vmap_method="foo"),
            ValueError,
            "vmap_method must be one of .*, got 'foo'",
        ),
        (
            lambda: fungrad.vmap(lambda a: fungrad.pure_callback(lambda a: a, F32, a))(fnp.ones(2)),
            NotImplementedError,
            "vmap needs to know how to treat the batch: pass vmap_method",
        ),
    ],
)
def test_messages(run, error, message):
    with pytest.raises(error, match=message):
        run()


# -- barriers ------------------------------------------------------------------------------------


def test_optimization_barrier():
    x = fnp.arange(3.0)
    a, b = lax.optimization_barrier((x, {"k": x + 1.0}))
    assert a.tolist() == [0.0, 1.0, 2.0] and b["k"].tolist() == [1.0, 2.0, 3.0]
    assert lax.optimization_barrier(()) == ()
    f = lambda x, y: lax.optimization_barrier((x * y, x))[0]  # noqa: E731
    assert float(fungrad.grad(f)(2.0, 3.0)) == float(fungrad.jit(fungrad.grad(f))(2.0, 3.0)) == 3.0
    assert fungrad.vmap(fungrad.grad(f))(x, x).tolist() == [0.0, 1.0, 2.0]
    assert float(fungrad.jvp(f, (2.0, 3.0), (1.0, 1.0))[1]) == 5.0


def test_barriers_prevent_merging():
    def f(x):
        return fnp.sin(x) + fnp.sin(lax.optimization_barrier(x))

    jaxpr = run_passes(fungrad.make_jaxpr(f)(1.0))
    assert sum(eqn.primitive.name == "sin" for eqn in jaxpr.eqns) == 2
    np.testing.assert_allclose(fungrad.jit(f)(1.0), 2 * np.sin(1.0), rtol=1e-6)


# -- effects of some examples only -------------------------------------------------------------------------------------


def printed(f, *args):
    """What ``f`` prints, eagerly and compiled, which must be the same."""
    texts = []
    for wrap in (lambda f: f, fungrad.jit):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            wrap(f)(*args)
        texts.append(out.getvalue().split("\n")[:-1])
    assert texts[0] == texts[1]
    return texts[0]


def test_mapped_branches_have_effects_for_the_examples_that_take_them():
    def positive(x):
        fungrad.debug.print("positive {}", x)
        return x + 1

    f = fungrad.vmap(lambda x: lax.cond(x > 0, positive, lambda x: x, x))
    x = fnp.array([1, -1, 2])
    assert printed(f, x) == ["positive 1", "positive 2"] and f(x).tolist() == [2, -1, 3]
    assert printed(fungrad.vmap(f), x.reshape(3, 1)) == ["positive 1", "positive 2"]
    slope = fungrad.vmap(fungrad.grad(lambda x: lax.cond(x > 0, positive, lambda x: x, x)))
    assert printed(slope, fnp.array([1.0, -1.0])) == ["positive 1.0"]

    def many(x):
        def body(c, s):
            fungrad.debug.print("step {} of {}", s, x)
            return lax.cond(s > 0, positive, lambda c: c, c), None

        x = fungrad.jit(positive)(x)
        x = lax.while_loop(lambda c: c < 3, positive, x)
        return fungrad.checkpoint(lambda x: lax.scan(body, x, fnp.arange(2))[0])(x)

    switch = fungrad.vmap(lambda i: lax.switch(i, [lambda x: x, many, lambda x: -x], i))
    expected = ["positive 1", "positive 2", "step 0 of 3", "step 1 of 3", "positive 3"]
    assert printed(switch, fnp.array([0, 1, 2])) == expected
    assert switch(fnp.array([0, 1, 2])).tolist() == [0, 4, -2]


def test_mapped_loops_have_effects_for_the_examples_that_run():
    def loop(n):
        def body(c):
            fungrad.debug.print("{} of {}", c, n)
            return c + 1

        return lax.while_loop(lambda c: c < n, body, 0)

    f = fungrad.vmap(loop)
    assert printed(f, fnp.array([0, 2, 1])) == ["0 of 2", "0 of 1", "1 of 2"]
    assert f(fnp.array([0, 2, 1])).tolist() == [0, 2, 1]
    checked = fungrad.vmap(
        lambda n: lax.while_loop(
            lambda c: c < n, lambda c: (fungrad.debug.check(c < 5, "{}", c), fungrad.debug.print("{}", c), c + 1)[2], 0
        )
    )
    assert printed(checked, fnp.array([0, 2])) == ["0", "1"]


def test_mapped_branches_call_back_for_the_examples_that_take_them():
    seen = []

    def host(x):
        seen.append(int(x))
        return np.int32(10 * x)

    def call(x):
        return io_callback(host, fungrad.ShapeDtypeStruct((), "int32"), x)

    f = fungrad.vmap(lambda x: lax.cond(x > 0, call, lambda x: x, x))
    for g in (f, fungrad.jit(f)):
        seen.clear()
        assert g(fnp.array([1, -1, 2])).tolist() == [10, -1, 20] and seen == [1, 2]

    @fungrad.custom_jvp
    def custom(x):
        fungrad.debug.print("{}", x)
        return x

    custom.defjvp(lambda p, t: (custom(*p), t[0]))
    with pytest.raises(NotImplementedError, match="custom_jvp_call has an effect that cannot be left out"):
        fungrad.jit(fungrad.vmap(lambda x: lax.cond(x > 0, custom, lambda x: x, x)))(fnp.ones(2))


# -- order and formats, against JAX ------------------------------------------------------------------------------------


def texts(lib, call_back):
    """Programs that print, with their arguments."""
    np_, lx, debug = lib.numpy, lib.lax, lib.debug

    def both(label, x):
        call_back(lambda v: print(label, v), None, x, ordered=True)
        debug.callback(lambda v: print("seen", v), x, ordered=True)
        debug.print("value {v}", v=x, ordered=True)

    def scan(x):
        def body(c, s):
            both("scan", s)
            return c + s, None

        return lx.scan(body, x, np_.arange(3))[0]

    def loop(x):
        def body(c):
            both("while", c)
            return c + 1

        return lx.while_loop(lambda c: c < 3, body, x)

    def branch(x):
        def yes(x):
            both("cond", x)
            return x

        return lx.cond(x < 1, yes, lambda x: x, x)

    def nested(x):
        return lx.fori_loop(0, 2, lambda i, x: loop(x) * 0 + branch(i), x)

    def formats(x):
        y = np_.arange(3.0) * x
        debug.print("{} {:.3f} {!r}", x, x * 2.5, x)
        debug.print("{y} {0:>4} {s}", x, y=y, s="text")
        debug.print("{d[a]} {t[0]}", d={"a": x}, t=(y,))
        return x

    programs = {"scan": scan, "while": loop, "cond": branch, "nested": nested, "formats": formats}
    return {name: (f, np.int32(0)) for name, f in programs.items()}


@pytest.mark.parity
@pytest.mark.parametrize("name", list(texts(fungrad, None)))
def test_order_and_formats_agree_with_jax(name):
    jax = pytest.importorskip("jax")
    jax_io = pytest.importorskip("jax.experimental").io_callback
    f, x = texts(fungrad, io_callback)[name]
    g, _ = texts(jax, jax_io)[name]
    with contextlib.redirect_stdout(io.StringIO()) as wanted:
        jax.jit(g)(x)
        jax.effects_barrier()
    lines = wanted.getvalue().split("\n")[:-1]
    # JAX's arrays print differently only in repr.
    lines = [line.replace("TypedNdArray", "Array") for line in lines]
    # In JAX callbacks of the two kinds have orders of their own.
    ours = printed(f, x)
    for kind in (("seen", "value"), ("scan", "while", "cond")):
        assert [x for x in ours if x.startswith(kind)] == [x for x in lines if x.startswith(kind)]
    assert sorted(ours) == sorted(lines) and lines
    assert name != "formats" or ours == lines


def test_ordered_callbacks_refuse_vmap_in_loops_too():
    def f(x):
        return lax.scan(
            lambda c, _: (io_callback(lambda v: v, fungrad.ShapeDtypeStruct((), "float32"), c, ordered=True), None),
            x,
            None,
            length=2,
        )[0]

    for g in (fungrad.vmap(f), fungrad.jit(fungrad.vmap(f))):
        with pytest.raises(ValueError, match="an ordered callback cannot be mapped by vmap"):
            g(fnp.ones(2))


def test_results_like_the_argument():
    """``ShapeDtypeStruct.like`` of what a function gets, traced or not, says the type of a callback's result."""

    def f(x):
        return fungrad.pure_callback(np.sin, fungrad.ShapeDtypeStruct.like(x), x, vmap_method="sequential")

    x = fnp.arange(3.0)
    for g in (f, fungrad.jit(f), fungrad.vmap(f), lambda x: fungrad.lax.scan(lambda c, y: (c, f(y)), None, x)[1]):
        np.testing.assert_allclose(g(x), np.sin(x), rtol=1e-6)
    like = fungrad.ShapeDtypeStruct.like
    assert like(2.0) == fungrad.ShapeDtypeStruct((), "float32", weak_type=True)
    assert like(np.zeros(2)) == like(like(fnp.zeros(2))) == fungrad.ShapeDtypeStruct((2,), "float32")
    assert like(fungrad.new_ref(1.0)).is_ref
    with pytest.raises(TypeError, match=r"ShapeDtypeStruct.like: .* must be an array, .* got 'a' of type str"):
        like("a")


@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_options_of_prints_and_callbacks_may_come_first(wrap, capsys):
    seen = []

    def f(x):
        fungrad.debug.print(ordered=True)("x = {} {ordered}", x, ordered=3)
        fungrad.debug.callback(ordered=True)(lambda v, ordered: seen.append((float(v), ordered)), x, ordered=5)
        fungrad.debug.log(partitioned=True)("{x}", x=x)

    wrap(f)(2.0)
    assert capsys.readouterr().out == "x = 2.0 3\n" and seen == [(2.0, 5)]
    for call in (fungrad.debug.print, fungrad.debug.log, fungrad.debug.callback):
        with pytest.raises(TypeError, match="unexpected arguments in the two-call form"):
            call(ordered=True, x=1)
    with pytest.raises(ValueError, match="no placeholder for the keyword argument.*partitioned"):
        fungrad.debug.print(ordered=True)("hello {a}", a=42, partitioned=True)


def test_callbacks_that_write_into_buffers():
    def scaled(ctx, out, x, by):
        assert ctx.stage is buffers.ExecutionStage.EXECUTE and out.writeable and out.dtype == "float32"
        with pytest.raises(fungrad.errors.JaxRuntimeError, match="GPU context is not available"):
            ctx.stream
        np.asarray(out)[...] = np.asarray(x) * np.asarray(by)[..., None]

    x, by = np.ones((2, 3), np.float32), np.arange(2, dtype=np.float32)
    result = fungrad.ShapeDtypeStruct((3,), np.float32)
    for method in ("sequential", "expand_dims", "broadcast_all"):
        f = buffers.buffer_callback(scaled, result, vmap_method=method)
        for axes in ((0, 0), (None, 0)):
            given = (x if axes[0] == 0 else x[0], by)
            mapped = fungrad.vmap(f, axes)
            for g in (mapped, fungrad.jit(mapped)):
                np.testing.assert_array_equal(g(*given), x * by[:, None])

    def add_in_place(ctx, out, x):
        np.asarray(out)[...] += 1  # begins as x

    f = buffers.buffer_callback(add_in_place, F32, input_output_aliases={0: 0}, has_side_effect=True)
    x = fnp.float32(4.0)
    assert float(fungrad.jit(f)(x)) == 5.0 and float(x) == 4.0
    for aliases, message in (({1: 0}, "input index 1 outside"), ({0: 1}, "output index 1 outside")):
        with pytest.raises(ValueError, match=message):
            buffers.buffer_callback(add_in_place, F32, input_output_aliases=aliases)(x)
    with pytest.raises(ValueError, match="different abstract value"):
        buffers.buffer_callback(add_in_place, F32, input_output_aliases={0: 0})(fnp.arange(2))
    with pytest.raises(ValueError, match="must not return any values"):
        buffers.buffer_callback(lambda ctx, out: 1, F32)()


@pytest.fixture
def mesh8():
    fungrad.config.update("jax_num_cpu_devices", 8)
    yield fungrad.make_mesh((8,), ("x",))
    fungrad.config.update("jax_num_cpu_devices", 0)


def test_devices_of_a_function_of_shards_call_back_with_their_shards(mesh8):
    x = fnp.arange(16.0)

    def numbered(x):
        assert x.shape == (2,)
        like = fungrad.ShapeDtypeStruct(x.shape, x.dtype)
        return fungrad.pure_callback(lambda v: np.asarray(v) + np.arange(v.size, dtype=v.dtype), like, x)

    inner, seen = fungrad.jit(numbered), []

    def watched(x):
        io_callback(lambda v: seen.append(np.asarray(v)), None, x, ordered=True)
        return inner(x)

    for check in (True, False):
        for f in (numbered, inner, watched):
            specs = {"in_specs": fungrad.P("x"), "out_specs": fungrad.P("x")}
            mapped = fungrad.shard_map(f, mesh=mesh8, **specs, check_vma=check)
            for g in (mapped, fungrad.jit(mapped)):
                np.testing.assert_array_equal(g(x), np.arange(16) + np.arange(16) % 2)
    np.testing.assert_array_equal(np.concatenate(seen[:8]), x)
    # What has been batched for devices does not serve examples.
    with pytest.raises(NotImplementedError, match="vmap needs to know"):
        fungrad.vmap(inner, axis_name="x")(x.reshape(8, 2))


def test_results_of_callbacks_may_be_what_numpy_takes_for_an_array():
    class Boxed:
        def __array__(self, dtype=None, copy=None):
            return np.array(3, np.float32)

    device = fungrad.sharding.SingleDeviceSharding(fungrad.devices()[0])
    assert float(fungrad.jit(lambda: fungrad.pure_callback(Boxed, F32, sharding=device))()) == 3.0
    with pytest.raises(TypeError, match="sharding must be a sharding or None, got 'here'"):
        fungrad.pure_callback(Boxed, F32, sharding="here")
