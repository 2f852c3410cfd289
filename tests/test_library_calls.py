"""Calls of functions in compiled libraries: eagerly, in the interpreter of loops, and in native code."""

import loop_interpreter as interpret
import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import jit, lax, vmap
from fungrad.core import lapack, library_calls
from fungrad.core.library_calls import Constant, Function, Items, LibraryCall, Operand, Result, Value, Work
from fungrad.core.primitive import Primitive


class Called(Primitive):
    """A primitive of tests that is one library call with a result like its operand."""

    quiet = True

    def __init__(self, name, call):
        super().__init__(name)
        self.call = call

    def abstract_eval(self, x):
        return x

    def impl(self, x):
        out = np.empty(x.shape, x.dtype)
        self.call.run([x], [out])
        return out

    def lower(self, ctx, x):
        return ctx.library(self.call, [x], [x.aval])[0]


def scaled(items=False, work=()):
    """Doubles rows of 3, all rows of a run at once if `items`."""
    count = Items() if items else Value(3)
    dscal = Function("blas_dscal", (count, Value(2.0, "double"), Result(0), Value(1)))
    return LibraryCall("dscal", (dscal,), ((0, 0),), work, cost=3.0, together=items)


def copied_through_work():
    """Copies rows of 3 into a workspace and from there into the result."""
    functions = (
        Function("blas_dcopy", (Value(3), Operand(0), Value(1), Work(1), Value(1))),
        Function("blas_dcopy", (Value(3), Work(1), Value(1), Result(0), Value(1))),
    )
    return LibraryCall("dcopy", functions, (), (8, 24), cost=50_000.0)


CALLS = {
    "in place": (Called("test_scaled", scaled()), (5, 3), 2),
    "together": (Called("test_scaled_together", scaled(items=True)), (5,), 2),
    "workspaces": (Called("test_copied", copied_through_work()), (37, 3), 1),
    "no items": (Called("test_scaled_none", scaled()), (0, 3), 2),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_does_the_same_everywhere(name):
    primitive, shape, factor = CALLS[name]
    with fungrad.enable_x64(True):
        x = np.arange(np.prod(shape), dtype=float).reshape(shape)
        before = x.copy()

        def f(x):
            return primitive.bind(x + 1) - 1

        wanted = (x + 1) * factor - 1
        np.testing.assert_array_equal(f(jnp.asarray(x)), wanted)
        compiled = jit(f)
        np.testing.assert_array_equal(compiled(x), wanted)
        np.testing.assert_array_equal(x, before)
        lowered = compiled.lower(x)
        assert "host" not in lowered.as_text("steps")


def test_the_interpreter_of_loops_calls_libraries():
    primitive, shape, _ = CALLS["workspaces"]
    with fungrad.enable_x64(True):
        x = np.random.default_rng(0).normal(size=shape)
        program = _program(lambda x: primitive.bind(x) * 3, x)
        np.testing.assert_allclose(interpret.run(program, [x])[0], x * 3)


def _program(f, *args):
    from fungrad.jit.formulas.lowering import lower_jaxpr
    from fungrad.jit.fusion.build import build_program
    from fungrad.jit.passes import run_passes

    graph = lower_jaxpr(run_passes(fungrad.make_jaxpr(f)(*args)))
    return build_program(graph, graph.outputs, "test")


def test_calls_stand_in_loops_and_on_threads():
    with fungrad.enable_x64(True):
        rng = np.random.default_rng(1)
        a = rng.normal(size=(300, 24, 24))
        a = a @ a.swapaxes(1, 2) + np.eye(24)
        wanted = np.linalg.cholesky(a)
        np.testing.assert_allclose(jit(lax.linalg.cholesky)(a), wanted, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(jit(vmap(lax.linalg.cholesky))(a), wanted, rtol=1e-10, atol=1e-10)

        def step(carry, a):
            factor = lax.linalg.cholesky(a)
            return carry + factor.sum(), factor

        total, factors = jit(lambda a: lax.scan(step, 0.0, a))(a)
        np.testing.assert_allclose(factors, wanted, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(total, wanted.sum(), rtol=1e-10)


def test_operands_are_read_where_they_are_and_never_written():
    with fungrad.enable_x64(True):
        a = np.stack([np.eye(3) * k for k in (4.0, 9.0, 16.0)])
        kept, factor = jit(lambda a: (a, lax.linalg.cholesky(a[1:])))(a)
        np.testing.assert_array_equal(kept, a)
        np.testing.assert_allclose(factor, np.sqrt(a[1:]))


def test_a_function_that_the_library_lacks_is_named():
    with pytest.raises(RuntimeError, match="the library of 'lapack' has no function 'dnothing'"):
        library_calls.address("lapack_dnothing")


def test_lapack_of_scipy_serves_where_numpy_has_none():
    own, other = lapack.library(), lapack._of_scipy()
    assert other.integer == np.int32
    assert own.find("dgetrf") and other.find("dgetrf") and not other.find("dnothing")
    # a factorisation by address, with the integers of that library
    import ctypes

    a = np.array([[4.0, 2], [2, 5]])
    n, info = ctypes.c_int(2), ctypes.c_int(7)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5)(other.find("dpotrf"))
    letter = ctypes.c_char(b"U")
    call(ctypes.addressof(letter), ctypes.addressof(n), a.ctypes.data, ctypes.addressof(n), ctypes.addressof(info))
    assert info.value == 0
    np.testing.assert_allclose(np.tril(a), [[2, 0], [1, 2]])


def test_constants_are_bytes():
    assert lapack.integer(3).data == np.array(3, lapack.library().integer).tobytes()
    assert lapack.function("dpotrf", "U", 2, Result(0), 2, Result(1)).arguments[0] == Constant(b"U")


def test_an_operand_may_serve_several_items():
    # y := a x + y for one of two `a` per three items
    gemv = Function("blas_daxpy", (Value(1), Value(1.0, "double"), Operand(0), Value(1), Result(0), Value(1)))
    call = LibraryCall("daxpy", (gemv,), ((1, 0),), cost=30_000.0)
    shared, own = np.array([[10.0], [20.0]]), np.arange(6.0)[:, None]
    wanted = own + np.repeat(shared, 3, axis=0)

    class Added(Called):
        def abstract_eval(self, x, y):
            return y

        def impl(self, x, y):
            out = np.empty(y.shape, y.dtype)
            self.call.run([x, y], [out])
            return out

        def lower(self, ctx, x, y):
            return ctx.library(self.call, [x, y], [y.aval])[0]

    primitive = Added("test_shared", call)
    with fungrad.enable_x64(True):
        np.testing.assert_array_equal(primitive.bind(shared, own), wanted)
        np.testing.assert_array_equal(jit(primitive.bind)(shared, own), wanted)
        program = _program(primitive.bind, shared, own)
        np.testing.assert_array_equal(interpret.run(program, [shared, own])[0], wanted)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_small_items_in_the_interpreter_and_in_lanes(dtype):
    with fungrad.enable_x64(True):
        rng = np.random.default_rng(2)
        x = rng.normal(size=(19, 3, 3)) + (1j * rng.normal(size=(19, 3, 3)) if dtype == "complex128" else 0)
        positive = x @ x.conj().swapaxes(-1, -2) + np.eye(3)
        for f, operand in ((lambda x: lax.linalg.lu(x)[0], x), (lax.linalg.cholesky, positive)):
            assert "library" not in jit(f).lower(operand).as_text("steps")
            wanted = f(operand)
            np.testing.assert_allclose(jit(f)(operand), wanted, rtol=1e-12, atol=1e-12)
            (interpreted,) = interpret.run(_program(f, operand), [operand])
            np.testing.assert_allclose(interpreted, wanted, rtol=1e-12, atol=1e-12)
