"""Sorting in compiled code: every dtype and length against the eager operations, and no step in Python."""

import functools

import loop_interpreter as interpret
import numpy as np
import pytest

import fungrad as fg
import fungrad.numpy as fnp
from fungrad import lax
from fungrad.jit.front.program import compile_jaxpr
from fungrad.jit.llvm.sorting import exchanges

DTYPES = ("float32", "float64", "float16", "bfloat16", "int32", "uint32", "int64", "uint64", "int8", "uint16", "bool")
# Shape and axis: rows alone and together, shorter and longer than a register, odd in number and length.
SHAPES = [
    ((0,), 0), ((1,), 0), ((5,), 0), ((33,), 0), ((65,), 0), ((300,), 0), ((1025,), 0), ((3, 4), 0), ((0, 3), 1),
    ((20, 7), 1), ((20, 32), 1), ((17, 33), 1), ((9, 100), 1), ((9, 2, 40), 2), ((40, 9, 2), 0), ((3, 50, 5), 1),
    ((12, 16), 1),
]  # fmt: skip


@pytest.fixture(autouse=True)
def x64():
    with fg.enable_x64(True):
        yield


def sample(rng, dtype, shape):
    """Numbers with many ties, both zeros, infinities and NaN of either sign."""
    dtype = fnp.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) > 0.5
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        wide = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
        return np.where(rng.random(shape) > 0.5, wide, rng.integers(0, 5, shape).astype(dtype))
    if dtype.kind == "c":
        parts = [sample(rng, np.float64, shape) for _ in range(2)]
        x = np.empty(shape, dtype)
        x.real, x.imag = parts
        return x
    x = np.asarray(np.round(rng.normal(size=shape) * 4) / 4)
    flat = x.reshape(-1)
    for value in (np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0):
        if flat.size:
            flat[rng.integers(0, flat.size, max(1, flat.size // 12))] = value
    return flat.reshape(shape).astype(dtype)


def assert_same(actual, wanted):
    """Equal values of one type, zeros with the same sign."""
    for a, b in zip(actual, wanted, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype.kind in "fV":
            a, b = a.astype(np.float64), b.astype(np.float64)
            number = ~np.isnan(b)
            np.testing.assert_array_equal(np.signbit(a)[number], np.signbit(b)[number])
        np.testing.assert_array_equal(a, b)


def host_steps(compiled, *args):
    return compiled.lower(*args).compile().as_text("steps").count(" host ")


@pytest.mark.parametrize("dtype", [*DTYPES, "complex64", "complex128"])
def test_sort_and_argsort(dtype):
    rng = np.random.default_rng(1)
    for shape, axis in SHAPES:
        x = sample(rng, dtype, shape)
        for function in (lambda x: [lax.sort(x, axis)], lambda x: [fnp.argsort(x, axis=axis)]):
            compiled = fg.jit(function).lower(x).compile()
            assert_same(compiled(x), function(x))
            assert " host " not in compiled.as_text("steps")


@pytest.mark.parametrize("dtype", DTYPES)
def test_top_k(dtype):
    rng = np.random.default_rng(2)
    for shape, axis in SHAPES:
        x = sample(rng, dtype, shape)
        numbers = [k for k in (0, 1, 3, 16, 17, 40) if k <= shape[axis]]

        def tops(x, numbers=numbers, axis=axis):
            return [y for k in numbers for y in lax.top_k(x, k, axis=axis)]

        compiled = fg.jit(tops).lower(x).compile()
        assert_same(compiled(x), tops(x))
        assert " host " not in compiled.as_text("steps")


@pytest.mark.parametrize("num_keys", [1, 2, 3])
def test_several_operands(num_keys):
    rng = np.random.default_rng(3)
    for shape, axis in SHAPES:
        xs = [rng.integers(-2, 2, shape).astype(np.int8), sample(rng, np.float64, shape), sample(rng, bool, shape)]

        def ordered(*xs, axis=axis):
            return lax.sort(xs, axis, num_keys=num_keys)

        assert_same(fg.jit(ordered)(*xs), ordered(*xs))


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "bool"])
def test_order_is_that_of_jax(dtype):
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(4)
    for shape in ((200,), (20, 31)):
        x = sample(rng, dtype, shape)
        wanted = np.asarray(jax.numpy.argsort(x, axis=-1))
        np.testing.assert_array_equal(fg.jit(lambda x: fnp.argsort(x, axis=-1))(x), wanted)
        values, places = jax.lax.top_k(np.where(x == x, x, 0), 5)
        for a, b in zip(fg.jit(lambda x: lax.top_k(x, 5))(np.where(x == x, x, 0)), (values, places), strict=True):
            np.testing.assert_array_equal(a, np.asarray(b))


def test_the_network_sorts_every_pattern_of_zeros_and_ones():
    # Then it sorts anything.
    for n in range(13):
        steps = exchanges(n)
        for pattern in range(1 << n):
            x = [pattern >> k & 1 for k in range(n)]
            for i, j in steps:
                x[i], x[j] = min(x[i], x[j]), max(x[i], x[j])
            assert x == sorted(x)


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_are_shared_between_threads(threads):
    x = np.random.default_rng(5).normal(size=(3001, 37)).astype(np.float32)
    with fg.threads(threads):
        np.testing.assert_array_equal(fg.jit(lambda x: fnp.sort(x, axis=1))(x), np.sort(x, 1))
        wanted = np.argsort(-x, axis=1, kind="stable")[:, :6]
        np.testing.assert_array_equal(fg.jit(lambda x: lax.top_k(x, 6)[1])(x), wanted)


def test_a_scan_over_sorts_is_native():
    x = np.random.default_rng(6).normal(size=(10, 50)).astype(np.float32)

    def run(x):
        def step(carry, row):
            ordered = fnp.sort(row + carry)
            return ordered[25], (ordered, lax.top_k(row, 3)[1])

        return fg.lax.scan(step, np.float32(0), x)

    compiled = fg.jit(run)
    for a, b in zip(fg.tree.leaves(compiled(x)), fg.tree.leaves(run(x)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert host_steps(compiled, x) == 0


def test_long_rows_are_left_to_numpy():
    x = np.random.default_rng(7).normal(size=100_000).astype(np.float32)
    compiled = fg.jit(fnp.sort)
    np.testing.assert_array_equal(compiled(x), np.sort(x))
    assert host_steps(compiled, x) == 1


def test_sorted_parts_fuse_with_slices():
    x = np.random.default_rng(8).normal(size=(4, 5, 40)).astype(np.float32)
    compiled = fg.jit(lambda x: lax.top_k(x[1, 2:4], 2)[0] + fnp.sort(x[3, :, ::2], axis=0)[:2, :2])
    wanted = -np.sort(-x[1, 2:4], -1)[:, :2] + np.sort(x[3, :, ::2], 0)[:2, :2]
    np.testing.assert_allclose(compiled(x), wanted, rtol=1e-6)


@pytest.mark.parametrize("n", [3, 40, 200])
def test_derivatives_of_compiled_sorts(n):
    x = np.random.default_rng(9).normal(size=(3, n))

    def loss(x):
        weights = fnp.arange(n, dtype=np.float64)
        return (fnp.sort(x, axis=1) * weights).sum() + lax.top_k(x, 2)[0].sum()

    gradient = fg.grad(loss)
    np.testing.assert_allclose(fg.jit(gradient)(x), gradient(x))


FUNCTIONS = {
    "median": lambda x: fnp.median(x, axis=1),
    "nanmedian": lambda x: fnp.nanmedian(x, axis=1),
    "quantile": lambda x: fnp.quantile(x, 0.3, axis=0),
    "percentile": lambda x: fnp.percentile(x, 30.0, axis=1),
    "nanpercentile": lambda x: fnp.nanpercentile(x, 30.0, axis=1),
    "partition": lambda x: fnp.partition(x, 3, axis=1),
    "argpartition": lambda x: fnp.argpartition(x, 3, axis=1),
    "lexsort": lambda x: fnp.lexsort((x[0], x[1])),
    "searchsorted": lambda x: fnp.searchsorted(fnp.sort(x[0]), x[1]),
    "digitize": lambda x: fnp.digitize(x[0], np.array([-1.0, 0.0, 1.0])),
    "histogram": lambda x: fnp.histogram(x, bins=5)[0],
    "unique": lambda x: fnp.unique(fnp.round(x), size=7),
    "union1d": lambda x: fnp.union1d(fnp.round(x[0]), fnp.round(x[1]), size=9),
    "isin": lambda x: fnp.isin(fnp.round(x[0]), fnp.round(x[1])),
    "sort_key_val": lambda x: lax.sort_key_val(x[0], x[1]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_made_of_sorts_are_native(name):
    x = np.random.default_rng(10).normal(size=(5, 40))
    function = FUNCTIONS[name]
    compiled = fg.jit(function)
    for a, b in zip(fg.tree.leaves(compiled(x)), fg.tree.leaves(function(x)), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-12)
    assert host_steps(compiled, x) == 0


@pytest.mark.parametrize("function", [fnp.sort, fnp.argsort, lambda x: lax.top_k(x, 4)])
def test_the_interpreter_agrees(function):
    x = sample(np.random.default_rng(11), np.float32, (9, 21))
    program = compile_jaxpr(fg.make_jaxpr(function)(x)).program
    for a, b in zip(interpret.run(program, [x]), fg.tree.leaves(function(x)), strict=True):
        np.testing.assert_array_equal(a, np.asarray(b))


@pytest.mark.parity
@pytest.mark.parametrize("name", ["approx_max_k", "approx_min_k"])
def test_approximate_extremes_are_exact_as_in_jax(name):
    jax = pytest.importorskip("jax")
    x = np.random.default_rng(12).normal(size=(6, 9)).astype(np.float32)
    for axis, options in ((1, {}), (-2, {}), (1, {"aggregate_to_topk": False})):
        function = functools.partial(getattr(lax, name), k=4, reduction_dimension=axis, **options)
        wanted = getattr(jax.lax, name)(x, 4, axis, **options)
        if axis == -2:
            # JAX returns all elements there.
            wanted = [w[:4] for w in wanted]
        for result in (function(x), fg.jit(function)(x)):
            for a, b in zip(result, wanted, strict=True):
                np.testing.assert_array_equal(a, np.asarray(b))
    with pytest.raises(ValueError, match=f"{name}: k must be in"):
        getattr(lax, name)(x, 10)
    with pytest.raises(TypeError, match=f"{name}: the operand must have a dtype of kind floating"):
        getattr(lax, name)(np.arange(3), 1)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "float16", "uint32", "int16", "float64", "int64"])
@pytest.mark.parametrize("shape,k", [((1000,), 33), ((133,), 33), ((4, 257), 64), ((2, 4097), 1024), ((100,), 33)])
def test_more_of_the_greatest_than_registers_hold(shape, k, dtype):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(shape) * 300).astype(dtype)
    if x.dtype.kind == "f":
        x.flat[3] = x.flat[9] = np.nan
        x.flat[7] = -np.inf
    with fg.enable_x64(x.dtype.itemsize == 8):
        for y in (x, np.sort(x), np.sort(x)[..., ::-1].copy()):
            values, places = fg.jit(lambda x: lax.top_k(x, k))(y)
            wanted = lax.top_k(y, k)
            np.testing.assert_array_equal(places, wanted[1])
            np.testing.assert_array_equal(values, wanted[0])


def test_many_of_the_greatest_are_no_host_step():
    text = fg.jit(lambda x: lax.top_k(x, 64)).lower(np.zeros(1_000_000, np.float32)).as_text("steps")
    assert "topk" in text and "host" not in text
