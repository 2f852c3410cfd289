"""Primitives of one's own whose native code numba compiled."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import errors, lax
from fungrad.core.primitive import Primitive
from fungrad.extend import Elementwise, ShapedArray, core, numba_array_kernel, numba_kernel
from fungrad.jit.kernels.scalars import NumpyScalars
from fungrad.test_util import check_grads

numba = pytest.importorskip("numba")
ROOT = Path(__file__).parent.parent


def soft(x, y):
    return y * np.tanh(x / y) if y > 0 else np.exp(-x * x)


def soft_numpy(x, y):
    with np.errstate(all="ignore"):
        return np.where(y > 0, y * np.tanh(x / y), np.exp(-x * x))


def slope(g, z, x, y):
    return g * jnp.where(y > 0, 1 - jnp.square(jnp.tanh(x / y)), -2 * x * jnp.exp(-x * x))


SOFT = numba_kernel(numba.njit(soft))
soft_p = Elementwise("test_soft", SOFT.impl, "f", (slope, None), scalar=SOFT, arity=2)
del Primitive.instances["test_soft"]  # other tests go through all primitives of the library


def ema(x, out):
    for i in range(x.shape[0]):
        state = 0.0
        for j in range(x.shape[1]):
            state = 0.5 * state + x[i, j]
            out[i, j] = state


EMA = numba_array_kernel(ema)


class Ema(core.Primitive):
    def abstract_eval(self, x):
        return ShapedArray(x.shape, x.dtype)

    def impl(self, x):
        return EMA.impl([x], [x])[0]

    def lower(self, ctx, x):
        return ctx.kernel(EMA, [x])[0]

    def jvp(self, primals, tangents):
        return self.bind(*primals), self.bind(*tangents)

    def transpose(self, ct, x):
        return (self.bind(ct[:, ::-1])[:, ::-1],)

    def batch(self, axis, args, dims):
        x = jnp.moveaxis(args[0], dims[0], 0)
        return self.bind(x.reshape(-1, x.shape[-1])).reshape(x.shape), 0


ema_p = Ema("test_ema")


def samples(shape, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=shape), dtype)


def steps(f, *args):
    return fungrad.jit(f).lower(*args).as_text("steps")


# -- elementwise -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 37), (100, 101)])
def test_elementwise_kernels_equal_numpy(shape, dtype):
    x, y = samples(shape, dtype), samples(shape, dtype, 1)
    expected = soft_numpy(np.asarray(x, "float64"), np.asarray(y, "float64"))
    rtol = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-6, "float64": 1e-14}[dtype]
    for f in (soft_p.bind, fungrad.jit(soft_p.bind)):
        got = f(x, y)
        assert got.dtype == dtype and got.shape == shape
        np.testing.assert_allclose(np.asarray(got, "float64"), expected, rtol=rtol, atol=rtol)


def test_kernels_fuse_with_what_is_around():
    x, y = samples((50, 30)), samples((50, 30), seed=1)

    def f(x, y):
        return jnp.sum(jnp.exp(soft_p.bind(x * 2, y)) + 1, axis=1)

    text = steps(f, x, y)
    assert text.count("nest") == 1 and "host" not in text and "= test_soft " in text
    expected = np.sum(np.exp(soft_numpy(np.asarray(x) * 2, np.asarray(y))) + 1, axis=1)
    np.testing.assert_allclose(np.asarray(fungrad.jit(f)(x, y)), expected, rtol=1e-5)


def test_mathematical_functions_are_those_of_the_library():
    def wave(x):
        return math.erf(x) + np.sin(x) * np.exp(-x) + math.atan2(x, 2.0) + x**0.3

    kernel = numba_kernel(wave)
    p = Elementwise("test_wave", kernel.impl, "f", scalar=kernel)
    for dtype, rtol in (("float32", 1e-6), ("float64", 1e-14)):
        x = np.linspace(0.1, 3, 77).astype(dtype)
        np.testing.assert_allclose(
            np.asarray(fungrad.jit(p.bind)(jnp.asarray(x, dtype))), [wave(v) for v in x], rtol=rtol
        )
    from fungrad.jit.llvm.linking import MODULES, external

    modules = [m for name, m in MODULES.items() if "elementary.erf" in m or "elementary.atan2" in m or "vector" in m]
    assert all(not set(external(m)) & {"erf", "erff", "atan2", "sin", "exp"} for m in modules)


def test_every_transformation():
    x, y = samples((4, 5), "float64"), samples((4, 5), "float64", 1)
    check_grads(lambda x: soft_p.bind(x, y), (x,), order=2)
    check_grads(fungrad.jit(lambda x: soft_p.bind(x, y)), (x,), order=2)
    mapped = fungrad.jit(fungrad.vmap(soft_p.bind, in_axes=(0, None)))(x, y[0])
    np.testing.assert_allclose(np.asarray(mapped), soft_numpy(np.asarray(x), np.asarray(y[0])), rtol=1e-14)

    def scanned(x):
        return lax.scan(lambda c, v: (soft_p.bind(c, v), c), x[0], y)[0].sum()

    assert "host" not in steps(fungrad.grad(scanned), x)
    check_grads(fungrad.jit(scanned), (x,), order=1)
    doubled = fungrad.jit(lambda a: lax.while_loop(lambda v: v < 2, lambda v: v + soft_p.bind(v, v) + 0.1, a))
    assert float(doubled(jnp.float32(0.3))) >= 2


def test_static_parameters_follow_the_operands():
    def power(x, exponent, offset):
        return x**exponent + offset

    kernel = numba_kernel(power)
    p = Elementwise("test_power", kernel.impl, "f", scalar=kernel)
    x = samples(9, "float64")
    for f in (lambda x: p.bind(x, exponent=3, offset=0.5), fungrad.jit(lambda x: p.bind(x, offset=0.5, exponent=3))):
        np.testing.assert_allclose(np.asarray(f(x)), np.asarray(x) ** 3 + 0.5, rtol=1e-13)
    with pytest.raises(errors.KernelError, match=r"its parameters after 1 operands are \['exponent', 'offset'\]"):
        fungrad.jit(lambda x: p.bind(x, exponent=3))(x)


def test_integers_and_truth_values():
    def collatz(n):
        count = 0
        while n > 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            count += 1
        return count

    kernel = numba_kernel(collatz)
    p = Elementwise("test_collatz", kernel.impl, "i", scalar=kernel)
    n = np.arange(1, 40, dtype=np.int32)
    expected = [collatz(int(v)) for v in n]
    for f in (p.bind, fungrad.jit(p.bind)):
        got = np.asarray(f(n))
        assert got.dtype == np.int32
        np.testing.assert_array_equal(got, expected)

    inside = numba_kernel(lambda x, flag: x > 0 and flag, result="bool", name="inside")
    q = Elementwise(
        "test_inside", inside.impl, "fb", scalar=inside, arity=2, mixed=True, result=lambda *d: np.dtype(bool)
    )
    x, flag = samples(33), np.arange(33) % 2 == 0
    for f in (q.bind, fungrad.jit(q.bind)):
        np.testing.assert_array_equal(np.asarray(f(x, flag)), (np.asarray(x) > 0) & flag)


def test_the_numpy_builder_runs_the_kernel_too():
    m = NumpyScalars()
    x, y = np.float32([0.5, -1, 2]), np.float32([1, -1, 0.5])
    np.testing.assert_allclose(SOFT(m, m.value(x), m.value(y)).raw, soft_numpy(x, y), rtol=1e-6)


# -- arrays ------------------------------------------------------------------------------------------------------------


def test_array_kernels_are_native_steps():
    x = samples((6, 11), "float64")
    f = fungrad.jit(lambda x: jnp.sum(jnp.sin(ema_p.bind(x * 2))))
    text = f.lower(x).as_text("steps")
    assert "= kernel" in text and "host" not in text
    np.testing.assert_allclose(float(f(x)), float(np.sum(np.sin(np.asarray(ema_p.bind(x * 2))))), rtol=1e-13)
    check_grads(f, (x,), order=2)
    mapped = fungrad.jit(fungrad.vmap(ema_p.bind))(jnp.stack([x, -x]))
    np.testing.assert_allclose(np.asarray(mapped[1]), -np.asarray(ema_p.bind(x)), rtol=1e-14)
    carried = fungrad.jit(lambda x: lax.scan(lambda c, _: (ema_p.bind(c) * 0.4, None), x, None, 3)[0])
    expected = x
    for _ in range(3):
        expected = ema_p.bind(expected) * 0.4
    np.testing.assert_allclose(np.asarray(carried(x)), np.asarray(expected), rtol=1e-13)


def test_an_exception_in_an_array_kernel_ends_the_program():
    def picky(x, out):
        for i in range(x.size):
            if x[i] < 0:
                raise ValueError("negative")
            out[i] = x[i] ** 0.5

    kernel = numba_array_kernel(picky)

    class Picky(core.Primitive):
        def abstract_eval(self, x):
            return x

        def impl(self, x):
            return kernel.impl([x], [x])[0]

        def lower(self, ctx, x):
            return ctx.kernel(kernel, [x])[0]

    f = fungrad.jit(Picky("test_picky").bind)
    np.testing.assert_allclose(np.asarray(f(np.float32([4, 9]))), [2, 3])
    with pytest.raises(errors.KernelError, match="numba kernel 'picky' .*raised an exception"):
        f(np.float32([4, -9]))
    np.testing.assert_allclose(np.asarray(f(np.float32([1, 16]))), [1, 4])


# -- errors ------------------------------------------------------------------------------------------------------------


def _primitive(fn, name):
    kernel = numba_kernel(fn)
    return Elementwise(name, kernel.impl, "f", scalar=kernel)


def test_errors_name_the_primitive():
    def untyped(x):
        return x.no_such_attribute

    p = _primitive(untyped, "test_untyped")
    for f in (p.bind, fungrad.jit(p.bind)):
        with pytest.raises(
            errors.KernelError, match=r"primitive 'test_untyped': numba kernel 'untyped' \(.*test_extend"
        ):
            f(np.float32(1.0))

    def raising(x):
        if x < 0:
            raise ValueError("negative")
        return x

    with pytest.raises(errors.KernelError, match="may raise an exception"):
        fungrad.jit(_primitive(raising, "test_raising").bind)(np.float32(1.0))

    def text(x):
        return "one"

    with pytest.raises(errors.KernelError, match="must return a real number"):
        fungrad.jit(_primitive(text, "test_text").bind)(np.float32(1.0))
    with pytest.raises(TypeError, match="expected a Python function"):
        numba_kernel(np.sin)


# -- processes and threads ---------------------------------------------------------------------------------------------


def test_calls_from_many_threads():
    x, y = samples(300_000), samples(300_000, seed=1)
    f = fungrad.jit(lambda x, y: soft_p.bind(x, y) + 1)
    expected = np.asarray(f(x, y))
    found = []
    threads = [threading.Thread(target=lambda: found.append(np.asarray(f(x, y)))) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 6
    for out in found:
        np.testing.assert_array_equal(out, expected)


PROGRAM = """
import sys
import numpy as np
import fungrad
from fungrad.extend import Elementwise, numba_kernel
fungrad.jit(lambda x: x * 2)(np.float32(1))
assert "numba" not in sys.modules
TABLE = np.array([FACTOR, 2.0, 4.0])
def scaled(x):
    return np.exp(x) * TABLE[0] + TABLE.sum()
kernel = numba_kernel(scaled)
p = Elementwise("scaled", kernel.impl, "f", scalar=kernel)
f = fungrad.jit(p.bind)
out = f(np.float64([0.0, 1.0]))
from fungrad.jit.runtime import cache
print(float(out[0]), *sorted(k for k in __import__("os").listdir(cache.directory())))
"""


def test_the_disk_cache_follows_the_code_of_the_kernel(tmp_path):
    def run(factor):
        environment = {**os.environ, "FUNGRAD_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
        environment["PYTHONHASHSEED"] = str(len(results))
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.replace("FACTOR", factor)],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        value, *entries = done.stdout.split()
        results.append((float(value), set(entries)))

    results: list = []
    run("1.0")
    run("1.0")
    run("3.0")
    assert [v for v, _ in results] == [8.0, 8.0, 12.0]
    # The same program again adds nothing; another table of the kernel is another program.
    assert results[1][1] == results[0][1]
    assert len(results[2][1]) == len(results[0][1]) + 1


@pytest.mark.parametrize("shape", [(0,), (3, 0), (), (2, 3)])
def test_array_kernels_of_any_shape(shape):
    def doubled(x, out):
        for i in range(x.size):
            out.flat[i] = x.flat[i] * 2

    kernel = numba_array_kernel(doubled)

    class Doubled(core.Primitive):
        def abstract_eval(self, x):
            return x

        def impl(self, x):
            return kernel.impl([x], [x])[0]

        def lower(self, ctx, x):
            return ctx.kernel(kernel, [x])[0]

    p = Doubled("test_doubled")
    x = np.ones(shape, np.float32)
    for f in (p.bind, fungrad.jit(p.bind)):
        np.testing.assert_array_equal(np.asarray(f(x)), x * 2)


def test_kernels_call_other_functions():
    @numba.njit
    def factorial(n):
        result = 1.0
        for i in range(2, int(n) + 1):
            result *= i
        return result

    p = _primitive(lambda x: factorial(x) + 0.5, "test_factorial")
    x = np.float32([1, 2, 3, 4, 5])
    for f in (p.bind, fungrad.jit(p.bind)):
        np.testing.assert_allclose(np.asarray(f(x)), [1.5, 2.5, 6.5, 24.5, 120.5])


@pytest.mark.parametrize("value", [np.float32(3), 3.0, np.full((), 3, np.float32)])
def test_bind_converts_values_in_every_transformation(value):
    def divided(x):
        return lax.div_p.bind(value, x)

    x = jnp.float32(2)
    assert float(divided(x)) == float(fungrad.jit(divided)(x)) == float(fungrad.vmap(divided)(x[None])[0]) == 1.5
    for slope in (fungrad.grad(divided), fungrad.jacfwd(divided), fungrad.jit(fungrad.grad(divided))):
        assert float(slope(x)) == -0.75
    assert float(fungrad.jvp(divided, (x,), (x,))[1]) == float(fungrad.linearize(divided, x)[1](x)) == -1.5
