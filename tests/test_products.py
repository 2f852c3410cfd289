"""Matrix products of compiled programs against NumPy: sizes around the edges of tiles, layouts, threads."""

import ctypes

import numpy as np
import pytest

import fungrad
from fungrad.jit.front import load as runtime
from fungrad.jit.ir import loop_check
from fungrad.jit.ir.loops import Buffer, Call, Program, View
from fungrad.jit.ir.machine import Machine
from fungrad.jit.products import driver, kernels
from fungrad.jit.runtime import native

SIZES = (0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 129)
DEPTHS = (0, 1, 16, 33, 257)


@pytest.fixture(scope="module", params=[("f32", 16), ("f32", 32), ("f32", 64), ("f64", 16), ("f64", 32), ("f64", 64)])
def routine(request):
    """The product for one element type and one width of vectors, as a function of arrays."""
    suffix, vector_bytes = request.param
    session = native.session()
    code = session.compile(driver.module(kernels.shape(suffix, vector_bytes), Machine()))
    loaded = session.link(code, {}, f"fg_product_{suffix}")
    matrix = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    prototype = ctypes.CFUNCTYPE(None, *matrix, *matrix, ctypes.c_void_p, *[ctypes.c_int64] * 5)
    call = prototype(loaded.addresses[f"fg_product_{suffix}"])

    def run(a, b, c, add=0):
        call(
            a.ctypes.data, *a.strides, b.ctypes.data, *b.strides, c.ctypes.data, c.strides[0], *c.shape, a.shape[1], add
        )

    run.loaded, run.dtype = loaded, {"f32": np.float32, "f64": np.float64}[suffix]
    return run


def matrix(rng, m, n, turned, dtype):
    x = rng.standard_normal((n, m) if turned else (m, n)).astype(dtype)
    return x.T if turned else x


@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_every_size_and_layout(routine, turned):
    rng = np.random.default_rng(0)
    tolerance = 1e-4 if routine.dtype == np.float32 else 1e-12
    for m in SIZES:
        for n in SIZES:
            for k in DEPTHS:
                a, b = matrix(rng, m, k, turned[0], routine.dtype), matrix(rng, k, n, turned[1], routine.dtype)
                around = np.full((m + 1, n + 3), 7, routine.dtype)
                c = around[:m, :n]
                routine(a, b, c)
                expected = a.astype(np.float64) @ b.astype(np.float64)
                np.testing.assert_allclose(c, expected, rtol=tolerance, atol=tolerance * max(k, 1) ** 0.5)
                # nothing beyond the result is touched
                assert (around[m:] == 7).all() and (around[:, n:] == 7).all()


@pytest.mark.parametrize("turned", [False, True])
def test_adds_to_the_result(routine, turned):
    rng = np.random.default_rng(1)
    for m, n, k in ((5, 7, 3), (64, 33, 257), (300, 10, 600)):
        a, b = matrix(rng, m, k, False, routine.dtype), matrix(rng, k, n, turned, routine.dtype)
        c = rng.standard_normal((m, n)).astype(routine.dtype)
        expected = c + a @ b
        routine(a, b, c, 1)
        np.testing.assert_allclose(c, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("turned", [False, True])
def test_a_row_does_not_depend_on_its_neighbours(routine, turned):
    """Parts of a product have the same bits as the whole: the number of threads changes nothing."""
    rng = np.random.default_rng(2)
    a, b = matrix(rng, 67, 600, False, routine.dtype), matrix(rng, 600, 77, turned, routine.dtype)
    whole = np.empty((67, 77), routine.dtype)
    routine(a, b, whole)
    for first, last in ((0, 1), (3, 20), (20, 67)):
        part = np.empty((last - first, 77), routine.dtype)
        routine(a[first:last], b, part)
        np.testing.assert_array_equal(part, whole[first:last])
        part = np.empty((67, last - first), routine.dtype)
        routine(a, b[:, first:last], part)
        np.testing.assert_array_equal(part, whole[:, first:last])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_special_values_reach_their_row_and_column_only(routine, value):
    a, b = np.ones((20, 40), routine.dtype), np.ones((40, 50), routine.dtype)
    a[3, 39] = value
    c = np.empty((20, 50), routine.dtype)
    routine(a, b, c)
    np.testing.assert_array_equal(c[3], np.full(50, value + 39))
    np.testing.assert_array_equal(np.delete(c, 3, 0), np.full((19, 50), 40))
    b[0, 0] = 0 if np.isinf(value) else 1
    a[3, 0] = value
    routine(a, b, c)
    assert np.isnan(c[3, 0])


def product_program(shape, dtype, turned, batch=()):
    """A program with one product, and a function that makes its inputs."""
    m, n, k = shape

    def operand(name, rows, columns, turn):
        stride = [rows * columns * int(np.prod(batch[d + 1 :])) for d in range(len(batch))]
        return View(name, (*batch, rows, columns), 0, (*stride, *((1, rows) if turn else (columns, 1))))

    buffers = [
        Buffer("a", dtype, (*batch, *((k, m) if turned[0] else (m, k))), "input"),
        Buffer("b", dtype, (*batch, *((n, k) if turned[1] else (k, n))), "input"),
        Buffer("c", dtype, (*batch, m, n), "output"),
    ]
    call = Call("gemm", [operand("a", m, k, turned[0]), operand("b", k, n, turned[1])], [View("c", (*batch, m, n))])
    program = Program("product", buffers, [call], ["a", "b"], ["c"])
    loop_check.check(program)
    return program


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(
    "shape,batch",
    [((128, 300, 70), ()), ((300, 20, 200), ()), ((33, 65, 257), ()), ((40, 40, 40), (7,)), ((64, 96, 50), (2, 3))],
)
def test_one_and_two_threads_give_the_same_bits(dtype, turned, shape, batch):
    rng = np.random.default_rng(3)
    m, n, k = shape
    a = rng.standard_normal((*batch, *((k, m) if turned[0] else (m, k)))).astype(dtype)
    b = rng.standard_normal((*batch, *((n, k) if turned[1] else (k, n)))).astype(dtype)
    executable = runtime.load(product_program(shape, dtype, turned, batch))
    results = []
    for threads in (1, 2):
        with fungrad.config.override("threads", threads):
            results.append(executable.run([a, b])[0])
    np.testing.assert_array_equal(results[0], results[1])
    x, y = (v.swapaxes(-1, -2) if t else v for v, t in zip((a, b), turned, strict=True))
    np.testing.assert_allclose(results[0], x @ y, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("m,n", [(2, 3000), (3000, 2), (2, 2), (17, 33)])
def test_thin_products_under_jit(m, n):
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((m, 90)).astype("f4"), rng.standard_normal((90, n)).astype("f4")
    f = fungrad.jit(lambda a, b: a @ b)
    np.testing.assert_allclose(f(a, b), a @ b, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(f(a, b[:, ::-1].copy()[:, ::-1]), a @ b, rtol=1e-4, atol=1e-4)
