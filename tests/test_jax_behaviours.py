"""Small behaviours of JAX that programs and libraries rely on: options, keywords, stages, what errors are."""

import functools
import logging
import warnings

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import custom_derivatives, lax, random
from fungrad.scipy import linalg as scipy_linalg

# -- known values while tracing ----------------------------------------------------------------------------------------


def test_compile_time_evaluation_stages_what_depends_on_arguments():
    def f(x):
        with fungrad.ensure_compile_time_eval():
            n = int(jnp.sum(jnp.arange(3)))
            known = float(fungrad.jit(lambda a: fungrad.grad(lambda b: b * b)(a))(1.0))
            return jnp.sin(x) * n + known

    expected = 3 * np.cos(0.5)
    for g in (fungrad.grad(f), fungrad.jit(fungrad.grad(f)), fungrad.grad(fungrad.jit(f))):
        assert np.allclose(g(0.5), expected)
    assert np.allclose(fungrad.jit(fungrad.vmap(f))(jnp.arange(2.0)), 3 * np.sin([0.0, 1.0]) + 2)


def test_compile_time_evaluation_knows_no_index_of_a_mapped_axis():
    def f(x):
        with fungrad.ensure_compile_time_eval():
            return fungrad.jit(lambda x: x + lax.axis_index("i"))(x)

    assert np.array_equal(fungrad.vmap(f, axis_name="i")(jnp.zeros(3)), [0, 1, 2])


def test_types_may_be_results_of_abstract_functions():
    struct = fungrad.ShapeDtypeStruct((2, 3), jnp.float32)
    assert fungrad.eval_shape(lambda x: (struct, x), 1.0)[0] == struct
    assert fungrad.make_jaxpr(lambda x: (struct, x))(1.0).out_avals[0].shape == (2, 3)
    with pytest.raises(TypeError, match="ShapeDtypeStruct"):
        fungrad.jit(lambda x: struct)(1.0)


# -- custom rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("through", [lambda g: g, fungrad.jit, fungrad.vmap, lambda g: fungrad.jit(fungrad.vmap(g))])
def test_python_numbers_stay_what_they_are_among_residuals(through):
    seen = []

    @fungrad.custom_vjp
    def f(x):
        return x * 2

    def bwd(residuals, g):
        flag, count, factor, _, x = residuals
        seen.append((type(flag), type(count), type(factor), isinstance(x, fungrad.Array)))
        return (g * count if flag else g,)

    f.defvjp(lambda x: (x * 2, (True, 3, 1.5, None, x)), bwd)
    x = jnp.ones(2)
    assert np.all(through(fungrad.grad(lambda x: jnp.sum(f(x))))(x) == 3)
    assert set(seen) == {(bool, int, float, True)}


def test_residuals_that_differ_in_a_number_differ():
    @fungrad.custom_vjp
    def f(x, n):
        return x

    n = 1
    f.defvjp(lambda x, _: (x, n), lambda n, g: (g * n, None))
    assert fungrad.grad(f)(1.0, 0.0) == 1
    n = True
    assert fungrad.grad(lambda x: f(x, 0.0))(1.0) == 1
    n = 5
    assert fungrad.grad(f)(1.0, 0.0) == 5


def test_zero_from_primal_of_trees():
    zeros = custom_derivatives.zero_from_primal({"a": jnp.ones(2), "b": (jnp.arange(2), 1.0)})
    assert zeros["a"].dtype == "float32" and not zeros["a"].any() and zeros["b"][0].dtype == fungrad.float0
    symbolic = custom_derivatives.zero_from_primal((1.0, 2.0), symbolic_zeros=True)
    assert all(type(z) is custom_derivatives.SymbolicZero for z in symbolic)


# -- arguments that are no arrays --------------------------------------------------------------------------------------


def test_vmap_passes_what_is_not_mapped_on_as_it_is():
    seen = []

    def f(g, n, x):
        seen.append(type(n))
        return g(x) * n

    assert np.array_equal(fungrad.vmap(f, (None, None, 0))(jnp.negative, 2, jnp.arange(2.0)), [0, -2])
    assert seen == [int]
    with pytest.raises(TypeError, match="mapped argument g"):
        fungrad.vmap(f, (0, None, 0))(jnp.negative, 2, jnp.arange(2.0))


def test_callables_with_odd_names():
    class Odd:
        __name__ = 3

        def __call__(self, x):
            return x * 2.0

    assert np.array_equal(fungrad.vmap(Odd())(jnp.arange(2.0)), [0, 2])
    assert fungrad.grad(Odd())(1.0) == 2 and fungrad.checkpoint(Odd())(1.0) == 2
    assert fungrad.vmap(functools.partial(lax.mul, 2.0))(jnp.ones(1)) == 2


# -- keywords ----------------------------------------------------------------------------------------------------------


def test_keywords_about_places():
    here = jnp.ones(2).sharding
    assert random.normal(random.key(0), (2,), out_sharding=here).shape == (2,)
    assert jnp.einsum("i,i", jnp.ones(2), jnp.ones(2), out_sharding=here) == 2
    x = fungrad.jit(lambda x: {"a": (x, x)}, in_shardings=(None,), out_shardings={"a": (None, here)})(1.0)
    assert x["a"][1] == 1
    assert fungrad.device_put((1.0, 2.0), (here, None))[0] == 1
    for call in (
        lambda: random.normal(random.key(0), out_sharding="x"),
        lambda: fungrad.jit(lambda x: x, out_shardings="x")(1.0),
        lambda: fungrad.device_put(1.0, "x"),
    ):
        with pytest.raises((ValueError, TypeError), match="device|sharding"):
            call()


def test_einsum_with_another_product():
    calls = []

    def product(*args, **kwargs):
        calls.append(kwargs)
        return lax.dot_general(*args, **kwargs)

    assert jnp.einsum("ij,jk,k->i", *map(jnp.ones, ((2, 3), (3, 4), (4,))), _dot_general=product).tolist() == [12, 12]
    assert len(calls) == 2 and set(calls[0]) == {"precision", "preferred_element_type"}


def test_axes_may_be_any_sequence():
    assert jnp.expand_dims(jnp.ones(3), range(2)).shape == (1, 1, 3)


def test_round_without_digits_is_an_integer():
    assert round(jnp.float32(2.5)).dtype == "int32" and round(jnp.array([1.6, -1.6])).tolist() == [2, -2]
    assert round(jnp.float32(2.55), 1).dtype == "float32" and round(jnp.int8(3)).dtype == "int8"


# -- options -----------------------------------------------------------------------------------------------------------


def test_options_of_jax_without_meaning_are_kept():
    config = fungrad.config
    before = config.values
    try:
        for name, value in {"jax_platforms": "cpu", "jax_compilation_cache_dir": "/x", "jax_enable_pgle": True}.items():
            config.update(name, value)
            assert config.values[name] == getattr(config, name) == config.read(name) == value
        with pytest.raises(ValueError, match="platforms"):
            config.update("jax_platforms", "tpu")
        with pytest.raises(ValueError, match="threefry_partitionable"):
            config.update("jax_threefry_partitionable", False)
        with pytest.raises(TypeError, match="enable_pgle"):
            config.update("jax_enable_pgle", "yes")
        with pytest.raises(AttributeError, match="Unrecognized config option"):
            config.update("jax_nothing", 1)
    finally:
        for name in ("jax_platforms", "jax_compilation_cache_dir", "jax_enable_pgle"):
            config.update(name, before[name])
    assert config.values == before and "jax_enable_x64" in before
    with fungrad.default_matmul_precision("float32"), fungrad.default_device(fungrad.devices()[0]):
        assert config.jax_default_matmul_precision == "float32"
    with pytest.raises(ValueError, match="precision"), fungrad.default_matmul_precision("single"):
        pass
    with fungrad.debug_nans(new_val=False):
        assert not config.debug_nans


def test_leaks_are_an_option():
    fungrad.config.update("jax_check_tracer_leaks", True)
    seen = []
    try:
        with pytest.raises(fungrad.errors.UnexpectedTracerError):
            fungrad.jit(lambda x: seen.append(x))(1.0)
    finally:
        fungrad.config.update("jax_check_tracer_leaks", False)


def test_compilations_are_logged(caplog):
    def tripled(x):
        return x * 3.5 + 1

    f = fungrad.jit(tripled)
    with caplog.at_level(logging.WARNING, "fungrad.jit"), fungrad.log_compiles():
        f(jnp.ones(7))
        f(jnp.ones(7))
    texts = [r.getMessage() for r in caplog.records]
    assert [t.split()[0] for t in texts] == ["Finished", "Compiling", "Finished"]
    assert all("tripled" in t for t in texts) and "float32[7]" in texts[1]


def test_tracing_and_execution_can_be_forbidden():
    f = fungrad.jit(lambda x: x * 2)
    f(1.0)
    with fungrad.no_tracing():
        f(2.0)
        with pytest.raises(RuntimeError, match="re-tracing function"):
            f(jnp.ones(2))
    x = jnp.ones(2)
    with fungrad.no_execution():
        assert fungrad.eval_shape(lambda x: x + 1, x).shape == (2,)
        for call in (lambda: x + 1, lambda: f(x), lambda: fungrad.grad(lambda x: x * x)(1.0)):
            with pytest.raises(RuntimeError, match="no_execution"):
                call()
    assert f(x)[0] == 2


# -- stages ------------------------------------------------------------------------------------------------------------


def test_compiler_options_that_xla_cannot_have_raise():
    error = fungrad.errors.JaxRuntimeError
    with pytest.raises(error, match="No such compile option: 'fast_math'.*fungrad.jit"):
        fungrad.jit(lambda x: x, compiler_options={"fast_math": True})
    with pytest.raises(error, match="No such compile option: 'fast_math'"):
        fungrad.jit(lambda x: x).lower(1.0).compile(compiler_options={"fast_math": True})
    options = {"xla_cpu_enable_fast_math": True, "optimization_level": 1}
    assert fungrad.jit(lambda x: x, compiler_options=options)(1.0) == 1


def test_stages_tell_of_arguments():
    jitted = fungrad.jit(lambda x, y: {"o": x * y}, donate_argnums=0, compiler_options={"xla_option": True})
    traced = jitted.trace(jnp.ones(3), 2.0)
    lowered = traced.lower(lowering_platforms=("cpu",))
    compiled = lowered.compile(compiler_options={"xla_option": True})
    for stage in (traced, lowered, compiled):
        (x, y), _ = stage.args_info
        assert x.donated and not y.donated and x.shape == (3,) and y.dtype == "float32"
        assert stage.donate_argnums == (0,) and stage.out_info["o"].shape == (3,)
    assert compiled.call(jnp.ones(3), 2.0)["o"].tolist() == [2, 2, 2]
    assert compiled.input_shardings[0][0] == compiled.output_shardings["o"]
    assert lowered.compiler_ir() is not None and lowered.compiler_ir("stablehlo") is None
    with pytest.raises(ValueError, match="dialect"):
        lowered.compiler_ir("x")
    with pytest.raises(ValueError, match="platform"):
        traced.lower(lowering_platforms=("tpu",))
    with pytest.raises(TypeError, match="does not match the input pytree it was called with"):
        compiled(jnp.ones(3))
    with pytest.raises(TypeError, match="Argument types differ from the types for which this computation was compiled"):
        compiled(jnp.ones(4), 2.0)
    with pytest.raises(TypeError, match="Cannot apply JAX transformations"):
        fungrad.grad(lambda x: compiled(x, 2.0)["o"].sum())(jnp.ones(3))


def test_donation_for_nothing_warns():
    with pytest.warns(UserWarning, match=r"Some donated buffers were not usable: float32\[3\]"):
        fungrad.jit(lambda x: x.sum(), donate_argnums=0)(jnp.ones(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fungrad.jit(lambda x, y: (y, x * 2), donate_argnums=0)(jnp.ones(3), jnp.ones(4))


# -- classes of errors -------------------------------------------------------------------------------------------------


def test_errors_have_the_bases_that_programs_catch():
    errors = fungrad.errors
    assert issubclass(errors.KeyReuseError, errors.JAXTypeError) and issubclass(errors.KeyReuseError, TypeError)
    assert issubclass(errors.NonConcreteBooleanIndexError, errors.JAXIndexError)
    with fungrad.debug_key_reuse(), pytest.raises(errors.KeyReuseError):
        fungrad.jit(lambda k: random.normal(k) + random.normal(k))(random.key(0))


def test_arrays_and_devices_say_where_they_are():
    x = jnp.ones((2, 3))
    device = fungrad.devices()[0]
    assert x.sharding.device_set == {device} and not x.committed and x.on_device_size_in_bytes() == 24
    assert tuple(fungrad.typeof(x).sharding.spec) == (None, None)
    assert fungrad.ShapeDtypeStruct((2,), "float32").sharding is None
    assert fungrad.core.ShapedArray((2,), np.dtype("float32"), sharding=None) is fungrad.typeof(jnp.ones(2))
    assert device.client.platform == "cpu" and device.memory_stats() is None
    with pytest.raises(AttributeError, match="typeof"):
        fungrad.jit(lambda x: x.sharding)(x)


def test_reductions_are_weak_if_all_their_operands_are():
    weak, strong = jnp.broadcast_to(jnp.asarray(1.0), (3,)), jnp.ones(3)
    for computation in (lax.add, lax.mul, lax.max):
        for x, init, wanted in ((weak, 0.0, True), (weak, jnp.float32(0), False), (strong, 0.0, False)):
            assert lax.reduce(x, init, computation, (0,)).weak_type is wanted
            assert fungrad.jit(lambda x, i, c=computation: lax.reduce(x, i, c, (0,)))(x, init).weak_type is wanted


def test_structures_of_reductions_are_values():
    x = jnp.ones(3)
    with pytest.raises(ValueError, match="structure"):
        lax.reduce({"x": x}, {"y": 0.0}, lambda a, b: a, [0])
    with pytest.raises(ValueError, match="scalar"):
        lax.reduce({"x": x}, {"x": jnp.ones(2)}, lambda a, b: {"x": a["x"] + b["x"]}, [0])
    with pytest.raises(ValueError, match="structure"):
        lax.reduce_window(x, 0.0, lambda a, b: [a + b], (1,), (1,), "VALID")


def test_broadcast_in_dim_may_permute():
    x = jnp.arange(6.0).reshape(2, 3)
    wanted = np.broadcast_to(np.asarray(x).T[:, None], (3, 4, 2))
    call = lambda x: lax.broadcast_in_dim(x, (3, 4, 2), (2, 0))  # noqa: E731
    for got in (call(x), fungrad.jit(call)(x), fungrad.vmap(call)(x[None])[0]):
        np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(fungrad.grad(lambda x: (call(x) * wanted).sum())(x), 4 * np.asarray(x))
    with pytest.raises(TypeError, match="increase"):
        lax.broadcast_in_dim(x, (3, 3), (1, 1))
    with pytest.raises(TypeError, match="negative"):
        lax.broadcast_shapes((2,), (-1,))


def test_right_hand_sides_for_many_factors():
    factors = jnp.stack([jnp.eye(4) * s for s in (1.0, 2.0, 3.0)])
    b = jnp.arange(8.0).reshape(4, 2)
    x = scipy_linalg.cho_solve((factors, True), b)
    np.testing.assert_allclose(x, np.asarray(b)[None] / np.array([1.0, 4.0, 9.0])[:, None, None], rtol=1e-6)
    assert scipy_linalg.cho_solve((factors, True), jnp.ones((3, 4))).shape == (3, 4)  # vectors, one for each
    with pytest.raises(ValueError, match="one dimension"):
        scipy_linalg.convolution_matrix(jnp.array(5.0), 3)


def test_norms_and_determinants_at_the_edges():
    assert float(jnp.linalg.vector_norm(jnp.zeros(0), ord=np.inf)) == 0
    with pytest.raises(ValueError, match="no elements"):
        jnp.linalg.vector_norm(jnp.zeros(0), ord=-np.inf)
    a = np.random.default_rng(0).standard_normal((2, 4, 4)).astype(np.float32)
    for x in (a, a + 1j * a.mT):
        for got, wanted in zip(jnp.linalg.slogdet(x, method="qr"), np.linalg.slogdet(x), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    slope = fungrad.grad(lambda x: jnp.linalg.slogdet(x, method="qr")[1])(a[0])
    np.testing.assert_allclose(slope, np.linalg.inv(a[0]).T, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "float16", "bfloat16", "float32", "complex64", "bool"])
def test_bytes_in_the_other_order(dtype):
    x = jnp.asarray(np.arange(-3, 3), dtype).reshape(2, 3)
    wanted = np.asarray(x).tobytes()
    part = np.asarray(x.real).dtype.itemsize
    reverse = np.frombuffer(wanted, np.uint8).reshape(-1, part)[:, ::-1].tobytes()
    for got in (x.byteswap(), fungrad.jit(lambda x: x.byteswap())(x)):
        assert got.dtype == x.dtype and got.shape == x.shape
        assert np.asarray(got).tobytes() == reverse
    assert x.unsafe_buffer_pointer() == np.asarray(x).ctypes.data != jnp.array(x, copy=True).unsafe_buffer_pointer()
    with pytest.raises(TypeError, match="unsafe_buffer_pointer"):
        fungrad.jit(lambda x: x.unsafe_buffer_pointer())(x)


def test_files_of_bfloat16(tmp_path):
    x = jnp.array([1.5, -2.0, np.inf], "bfloat16")
    jnp.save(tmp_path / "x.npy", x)
    y = jnp.load(tmp_path / "x.npy")
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(y, x)
    with pytest.raises(TypeError, match="float8"):
        jnp.save(tmp_path / "x.npy", x.astype("float8_e4m3fn"))


@pytest.mark.parametrize("kind", ["jvp", "vjp"])
def test_functions_with_rules_are_evaluated_at_compile_time(kind):
    def f(x):
        assert x == 0.0
        return x + 1

    f = getattr(fungrad, f"custom_{kind}")(f)
    f.defjvp(lambda p, t: (f(*p), t[0])) if kind == "jvp" else f.defvjp(lambda x: (f(x), None), lambda _, g: (g,))

    @fungrad.jit
    def g(y):
        with fungrad.ensure_compile_time_eval():
            return y * int(f(0.0))

    assert g(3.0) == 3.0


def test_arrays_of_float0():
    float0 = fungrad.float0
    for make in (jnp.zeros, jnp.ones, jnp.empty):
        assert make((2, 3), dtype=float0).shape == (2, 3) and make(2, float0).dtype == float0
    for like in (jnp.zeros_like, jnp.ones_like, jnp.empty_like):
        assert like(np.zeros(2, float0)).dtype == float0 and like(jnp.ones(3), dtype=float0).shape == (3,)
        assert like(np.zeros(2, float0), dtype=int).dtype == jnp.int32

    @fungrad.custom_vjp
    def f(x):
        return x

    f.defvjp(lambda x: (x, None), lambda _, g: ((2.0, jnp.zeros((), float0)),))
    for run in (f, lambda x: lax.scan(lambda c, _: (f(c), None), x, length=1)[0]):
        gradients = fungrad.grad(lambda x, n: run((x, n))[0], (0, 1), allow_int=True)(2.0, 3)
        assert gradients[0] == 2.0 and gradients[1].dtype == float0


def test_gradients_of_integers_come_out_of_compiled_functions_as_they_come_out_of_others():
    gradient = fungrad.grad(lambda x, i: x[i], argnums=(0, 1), allow_int=True)
    compiled = fungrad.jit(gradient)
    for call in (gradient, compiled, compiled, compiled):
        _, zero = call(jnp.ones(2), 1)
        assert type(zero) is np.ndarray and zero == np.zeros((), fungrad.dtypes.float0)
    both = fungrad.jit(lambda n: {"a": fungrad.jit(gradient)(jnp.ones(2), n), "b": n})(1)
    assert type(both["a"][1]) is np.ndarray and int(both["b"]) == 1


def test_compiled_functions_take_types_within_eval_shape():
    inner = fungrad.jit(lambda x, y: x + y)
    sds = fungrad.ShapeDtypeStruct((3,), "float32")
    assert fungrad.eval_shape(lambda: inner(sds, 1.0)) == sds
    for call in (lambda: inner(sds, 1.0), lambda: fungrad.jit(lambda: inner(sds, 1.0))()):
        with pytest.raises(TypeError, match="fungrad.jit: an argument of .*lambda.* must be an array or a scalar"):
            call()


def test_device_put_copies_where_memory_may_not_be_shared():
    device = fungrad.devices()[0]
    x = fungrad.device_put(np.ones(2), device)
    assert fungrad.device_put(x, may_alias=True) is x is fungrad.device_put(x, device)
    for copied in (fungrad.device_put(x, may_alias=False), fungrad.device_put(x, device, may_alias=False)):
        assert copied is not x and copied.sharding == x.sharding and copied.committed
        assert copied.unsafe_buffer_pointer() != x.unsafe_buffer_pointer()
    with pytest.raises(ValueError, match="may_alias and donate cannot be True at the same time"):
        fungrad.device_put(x, may_alias=True, donate=True)


def test_copy_to_host_async_asks_leaves_of_other_libraries():
    class Remote:
        asked = 0

        def copy_to_host_async(self):
            self.asked += 1

    tree = [object(), 1, Remote(), jnp.ones(1)]
    assert fungrad.copy_to_host_async(tree) is tree and tree[2].asked == 1


def test_sequences_of_traced_positions_are_indices_within_a_tuple():
    x = np.arange(6.0).reshape(2, 3)
    reads = [
        lambda x, i: x[(i, 1), (0, i)],
        lambda x, i: x[[i, 1], 0],
        lambda x, i: x[((i, 1),)],
        lambda x, i: x[((i, 1), (0, i)), 0],
        lambda x, i: x[[[i, 1], [0, i]], [0, 1]],
    ]
    for read in reads:
        np.testing.assert_array_equal(fungrad.jit(read)(x, 1), read(x, 1))
    written = fungrad.jit(lambda x, i: x.at[(i, 0), (0, i)].set(9.0))(x, 1)
    np.testing.assert_array_equal(written, [[0.0, 9.0, 2.0], [9.0, 4.0, 5.0]])
    with pytest.raises(TypeError, match="a list is not a valid index"):
        fungrad.jit(lambda x, i: x[[i, 1]])(x, 1)
