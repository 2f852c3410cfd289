"""``gather`` and the scatter family: values against plain loops and JAX, derivatives, batching, modes, errors."""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optable_base import array

import fungrad
from fungrad.config import strict_index
from fungrad.control.scatter_apply import scatter_apply
from fungrad.ops.elementwise import mul
from fungrad.ops.foundation import reduce_sum
from fungrad.ops.indexing import GatherDimensionNumbers, ScatterDimensionNumbers, gather, scatter_add
from fungrad.ops.scatter import scatter, scatter_max, scatter_min, scatter_mul, scatter_sub
from fungrad.transforms.api import grad, jvp, vjp
from fungrad.transforms.mapping import vmap

MODES = ["clip", "fill", "promise_in_bounds"]
SCATTERS = {
    "scatter": (scatter, lambda old, new: new),
    "scatter_add": (scatter_add, np.add),
    "scatter_sub": (scatter_sub, np.subtract),
    "scatter_mul": (scatter_mul, np.multiply),
    "scatter_min": (scatter_min, np.minimum),
    "scatter_max": (scatter_max, np.maximum),
}


class Case(NamedTuple):
    """Shapes and dimension numbers of a gather; those of a scatter are the same."""

    operand: tuple
    indices: tuple
    sizes: tuple
    offset: tuple
    collapsed: tuple
    index_map: tuple
    batching: tuple
    indices_batching: tuple

    @property
    def numbers(self):
        return self.offset, self.collapsed, self.index_map, self.batching, self.indices_batching

    @property
    def window_shape(self):
        """Shape of the result of a gather and of the updates of a scatter."""
        kept = iter([s for d, s in enumerate(self.sizes) if d not in self.collapsed + self.batching])
        groups = iter(self.indices[:-1])
        rank = len(self.indices) - 1 + len(self.offset)
        return tuple(next(kept) if d in self.offset else next(groups) for d in range(rank))


@st.composite
def cases(draw, max_rank=4):
    rank = draw(st.integers(0, max_rank))
    roles = [draw(st.sampled_from(["collapsed", "window", "full", "batching"])) for _ in range(rank)]
    operand = [draw(st.integers(1, 4) if r == "collapsed" else st.integers(0, 4)) for r in roles]
    sizes = []
    for role, n in zip(roles, operand, strict=True):
        sizes.append({"collapsed": 1, "full": n, "batching": min(1, n)}.get(role, None))
        if role == "window":
            sizes[-1] = draw(st.integers(0, n))
    dims = lambda *names: tuple(d for d, r in enumerate(roles) if r in names)  # noqa: E731
    candidates = draw(st.permutations(dims("collapsed", "window", "full")))
    index_map = tuple(candidates[: draw(st.integers(0, len(candidates)))])
    batching = dims("batching")
    groups = [operand[d] for d in batching] + draw(st.lists(st.integers(0, 3), max_size=2))
    order = draw(st.permutations(range(len(groups))))
    indices_batching = tuple(order.index(i) for i in range(len(batching)))
    indices = (*[groups[i] for i in order], len(index_map))
    n_window = len(dims("window", "full"))
    places = draw(st.permutations(range(len(groups) + n_window)))
    offset = tuple(sorted(places[:n_window]))
    return Case(tuple(operand), indices, tuple(sizes), offset, dims("collapsed"), index_map, batching, indices_batching)


def positions(case, indices, clip):
    """For each element of the window array its place there, and its place in the operand (None outside)."""
    kept = [d for d in range(len(case.operand)) if d not in case.collapsed + case.batching]
    number_dims = [d for d in range(len(case.window_shape)) if d not in case.offset]
    for place in itertools.product(*map(range, case.window_shape)):
        number = tuple(place[d] for d in number_dims)
        start = [0] * len(case.operand)
        for k, d in enumerate(case.index_map):
            start[d] = int(indices[(*number, k)])
        limits = [n - s for n, s in zip(case.operand, case.sizes, strict=True)]
        if clip:
            start = [min(max(s, 0), limit) for s, limit in zip(start, limits, strict=True)]
        inside = all(0 <= s <= limit for s, limit in zip(start, limits, strict=True))
        for d, i in zip(case.batching, case.indices_batching, strict=True):
            start[d] = number[i]
        for d, o in zip(kept, case.offset, strict=True):
            start[d] += place[o]
        yield place, tuple(start) if inside else None


def loop_gather(x, indices, case, mode, fill):
    out = np.empty(case.window_shape, x.dtype)
    for place, source in positions(case, indices, mode != "fill"):
        out[place] = fill if source is None else x[source]
    return out


def loop_scatter(x, indices, updates, case, mode, combine):
    out = x.copy()
    for place, target in positions(case, indices, mode == "clip"):
        if target is not None:
            out[target] = combine(out[target], updates[place])
    return out


def sample(case, seed, *, inside=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=case.operand).astype(np.float32)
    updates = rng.normal(size=case.window_shape).astype(np.float32)
    indices = rng.integers(-2, 5, size=case.indices).astype(np.int32)
    if inside:
        limits = [case.operand[d] - case.sizes[d] for d in case.index_map]
        indices = np.clip(indices, 0, np.asarray(limits, np.int32).reshape(-1))
    return x, indices, updates


def run_gather(case, x, indices, mode="fill", **options):
    return gather(x, indices, GatherDimensionNumbers(*case.numbers), case.sizes, mode=mode, **options)


def run_scatter(fun, case, x, indices, updates, mode="drop", **options):
    return fun(x, indices, updates, ScatterDimensionNumbers(*case.numbers), mode=mode, **options)


# -- values ------------------------------------------------------------------------------------------------------------


@given(cases(), st.sampled_from(MODES), st.integers(0, 99))
@settings(max_examples=150)
def test_gather_equals_a_loop(case, mode, seed):
    x, indices, _ = sample(case, seed)
    out = run_gather(case, x, indices, mode)
    np.testing.assert_array_equal(out, loop_gather(x, indices, case, mode, np.nan))
    assert np.asarray(out).flags.c_contiguous


@pytest.mark.parametrize("name", SCATTERS)
@given(cases(), st.sampled_from(MODES), st.integers(0, 99))
@settings(max_examples=50)
def test_scatter_equals_a_loop(name, case, mode, seed):
    x, indices, updates = sample(case, seed)
    fun, combine = SCATTERS[name]
    out = run_scatter(fun, case, x, indices, updates, mode)
    expected = loop_scatter(x, indices, updates, case, mode, combine)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SCATTERS)
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32", "float16", "bfloat16", "float64", "complex64"])
def test_scatter_dtypes(name, dtype):
    dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
    fun, combine = SCATTERS[name]
    x, updates = np.array([1, 2, 3]).astype(dtype), np.array([2, 1, 5, 1]).astype(dtype)
    indices = np.array([[0], [2], [0], [7]])
    numbers = ScatterDimensionNumbers((), (0,), (0,))
    if (dtype.kind == "b" and name not in ("scatter", "scatter_min", "scatter_max")) or (
        dtype.kind == "c" and name in ("scatter_min", "scatter_max")
    ):
        with pytest.raises(TypeError, match=f"fungrad.lax.{name}: operand 0 must have a dtype of kind"):
            fun(array(x), indices, array(updates), numbers)
        return
    out = fun(array(x), indices, array(updates), numbers)
    expected = x.copy()
    for i, u in zip(indices[:3, 0], updates, strict=False):
        expected[i] = combine(expected[i], u)
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, expected)


@given(cases(), st.sampled_from(MODES), st.integers(0, 99))
@settings(max_examples=50)
def test_scatter_apply_equals_a_loop(case, mode, seed):
    x, indices, updates = sample(case, seed)
    numbers = ScatterDimensionNumbers(*case.numbers)
    out = scatter_apply(x, indices, lambda v: mul(v, 2.0), numbers, update_shape=case.window_shape, mode=mode)
    expected = loop_scatter(x, indices, updates, case, mode, lambda old, new: 2 * old)
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_sums_of_half_precision_updates_are_accumulated_in_float32():
    ones = array(np.ones(4096, np.float16))
    numbers = ScatterDimensionNumbers((), (0,), (0,))
    out = scatter_add(array(np.zeros(1, np.float16)), np.zeros((4096, 1), np.int32), ones, numbers)
    assert float(out.item()) == 4096.0


@pytest.mark.parametrize(
    "dtype, fill",
    [
        ("float32", np.nan),
        ("bfloat16", np.nan),
        ("complex64", np.nan),
        ("int8", -128),
        ("uint8", 255),
        ("int64", np.iinfo(np.int64).min),
        ("bool", True),
    ],
)
def test_default_fill_values(dtype, fill):
    dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
    numbers = GatherDimensionNumbers((), (0,), (0,))
    out = gather(array(np.ones(3, dtype)), np.array([[1], [5]]), numbers, (1,))
    assert out.dtype == dtype
    expected = np.array([fill]).astype(dtype)
    if dtype.name == "bfloat16":
        out, expected = np.asarray(out).astype(np.float32), expected.astype(np.float32)
    np.testing.assert_array_equal(np.asarray(out)[1:], expected)


def test_fill_value():
    numbers = GatherDimensionNumbers((), (0,), (0,))
    out = gather(np.arange(3), np.array([[-1], [1]]), numbers, (1,), fill_value=7)
    np.testing.assert_array_equal(out, [7, 1])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("mode", MODES)
def test_index_dtypes(dtype, mode):
    x = np.arange(300, dtype=np.float32)
    largest = np.iinfo(dtype).max
    indices = array(np.array([[0], [100], [largest]], dtype))
    out = gather(x, indices, GatherDimensionNumbers((), (0,), (0,)), (1,), mode=mode)
    last = float(largest) if largest < 300 else np.nan if mode == "fill" else 299.0
    np.testing.assert_array_equal(out, np.float32([0, 100, last]))
    out = scatter_add(np.zeros(300), indices, np.ones(3), ScatterDimensionNumbers((), (0,), (0,)), mode=mode)
    expected = np.zeros(300, np.float32)
    expected[[0, 100]] = 1
    if largest < 300 or mode == "clip":
        expected[min(largest, 299)] = 1
    np.testing.assert_array_equal(out, expected)


# -- derivatives -------------------------------------------------------------------------------------------------------


@given(cases(), st.sampled_from(MODES), st.integers(0, 99))
@settings(max_examples=50)
def test_gather_is_linear_and_transposes_to_its_adjoint(case, mode, seed):
    # A broken promise reads inside but is dropped by the transpose, as in JAX.
    x, indices, ct = sample(case, seed, inside=mode == "promise_in_bounds")
    fun = lambda x: run_gather(case, x, indices, mode)  # noqa: E731
    out, tangent = jvp(fun, (x,), (x,))
    np.testing.assert_array_equal(np.nan_to_num(out), tangent)
    (ct_x,) = vjp(fun, x)[1](ct)
    expected = loop_scatter(np.zeros_like(x), indices, ct, case, "clip" if mode == "clip" else "drop", np.add)
    np.testing.assert_allclose(ct_x, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["scatter", "scatter_add", "scatter_sub"])
@given(cases(), st.sampled_from(MODES), st.integers(0, 99))
@settings(max_examples=40)
def test_linear_scatters_have_adjoint_transposes(name, case, mode, seed):
    x, indices, updates = sample(case, seed)
    fun = SCATTERS[name][0]
    whole = lambda x, u: run_scatter(fun, case, x, indices, u, mode)  # noqa: E731
    out, tangent = jvp(whole, (x, updates), (x, updates))
    np.testing.assert_allclose(tangent, out, rtol=1e-5, atol=1e-5)
    ct = np.random.default_rng(seed + 1).normal(size=x.shape).astype(np.float32)
    ct_x, ct_updates = vjp(whole, x, updates)[1](ct)
    forward = np.vdot(ct, out)
    np.testing.assert_allclose(np.vdot(ct_x, x) + np.vdot(ct_updates, updates), forward, rtol=1e-3, atol=1e-3)


def total(x):
    return reduce_sum(mul(x, mul(x, x)), tuple(range(x.ndim)))


def numerical(fun, x, eps=1e-6):
    out = np.zeros(x.shape)
    for i in np.ndindex(*x.shape):
        step = np.zeros(x.shape)
        step[i] = eps
        out[i] = (float(fun(array(x + step))) - float(fun(array(x - step)))) / (2 * eps)
    return out


@pytest.mark.parametrize("name", SCATTERS)
@pytest.mark.parametrize("unique", [False, True])
def test_gradients_to_order_two(name, unique):
    if name == "scatter_mul" and not unique:
        pytest.skip("has no derivative by the updates")
    fun = SCATTERS[name][0]
    rng = np.random.default_rng(1)
    x, updates = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    indices = np.array([[3], [1], [7], [0], [2 if unique else 1]])
    numbers = ScatterDimensionNumbers((1,), (0,), (0,))

    def loss(x, u):
        return total(fun(x, indices, u, numbers, unique_indices=unique))

    def slope(x, u):
        gx, gu = grad(loss, (0, 1))(x, u)
        return fungrad.ops.foundation.add_any(total(gx), total(gu))

    for scalar in (loss, slope):
        gx, gu = grad(scalar, (0, 1))(array(x), array(updates))
        np.testing.assert_allclose(gx, numerical(lambda x, f=scalar: f(x, array(updates)), x), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(gu, numerical(lambda u, f=scalar: f(array(x), u), updates), rtol=1e-5, atol=1e-5)


def test_gradient_of_gather_to_order_two():
    x = np.random.default_rng(2).normal(size=(4, 3))
    indices = np.array([[1, 0], [1, 0], [3, 2], [9, 9]])
    numbers = GatherDimensionNumbers((1, 2), (), (0, 1))
    loss = lambda x: total(gather(x, indices, numbers, (1, 1), fill_value=0))  # noqa: E731
    slope = lambda x: total(grad(loss)(x))  # noqa: E731
    for fun in (loss, slope):
        np.testing.assert_allclose(grad(fun)(array(x)), numerical(fun, x), rtol=1e-5, atol=1e-5)


def test_only_the_last_of_several_updates_has_a_gradient():
    numbers = ScatterDimensionNumbers((), (0,), (0,))
    fun = lambda x, u: scatter(x, np.array([[1], [1], [0]]), u, numbers)  # noqa: E731
    gx, gu = vjp(fun, np.zeros(3), np.ones(3))[1](np.float32([1, 2, 3]))
    np.testing.assert_array_equal(gx, [0, 0, 3])
    np.testing.assert_array_equal(gu, [0, 2, 1])


def test_ties_share_the_gradient_of_extremes():
    numbers = ScatterDimensionNumbers((), (0,), (0,))
    fun = lambda x, u: scatter_max(x, np.array([[0], [0], [1]]), u, numbers)  # noqa: E731
    gx, gu = vjp(fun, np.float32([2, 5]), np.float32([2, 2, 1]))[1](np.float32([3, 1]))
    np.testing.assert_array_equal(gx, [1, 1])
    np.testing.assert_array_equal(gu, [1, 1, 0])


def test_products_of_repeated_updates_have_no_gradient():
    numbers = ScatterDimensionNumbers((), (0,), (0,))
    fun = lambda u: reduce_sum(scatter_mul(np.ones(3), np.array([[0], [0]]), u, numbers), (0,))  # noqa: E731
    with pytest.raises(NotImplementedError, match="unique_indices=True"):
        grad(fun)(np.ones(2))


def test_integer_operands_have_no_tangent():
    numbers = ScatterDimensionNumbers((), (0,), (0,))
    loss = lambda x: reduce_sum(mul(x, fungrad.lax.convert_element_type(  # noqa: E731
        scatter_add(np.arange(3), np.array([[1]]), np.array([5]), numbers), np.float32)), (0,))  # fmt: skip
    np.testing.assert_array_equal(grad(loss)(np.ones(3)), [0, 6, 2])


# -- vmap --------------------------------------------------------------------------------------------------------------


def batched(x, dim, size, rng):
    """A batch of arrays like ``x`` with the batch in ``dim``, and its examples."""
    if dim is None:
        return x, [x] * size
    if x.dtype.kind == "i":
        examples = [rng.permutation(x.reshape(-1)).reshape(x.shape) for _ in range(size)]
    else:
        examples = [rng.normal(size=x.shape).astype(x.dtype) for _ in range(size)]
    empty = np.empty((*x.shape[:dim], 0, *x.shape[dim:]), x.dtype)
    return (np.stack(examples, dim) if size else empty), examples


@given(cases(3), st.sampled_from(MODES), st.integers(0, 3), st.data())
@settings(max_examples=150)
def test_vmap_of_gather_equals_a_loop(case, mode, size, data):
    x, indices, _ = sample(case, 0)
    rng = np.random.default_rng(3)
    dims = [data.draw(st.none() | st.integers(0, a.ndim)) for a in (x, indices)]
    if dims == [None, None]:
        dims[0] = 0
    (xs, x_list), (ns, n_list) = (batched(a, d, size, rng) for a, d in zip((x, indices), dims, strict=True))
    out = vmap(lambda x, i: run_gather(case, x, i, mode), in_axes=tuple(dims))(xs, ns)
    assert out.shape == (size, *case.window_shape)
    for got, a, i in zip(np.asarray(out), x_list, n_list, strict=True):
        np.testing.assert_array_equal(got, loop_gather(a, i, case, mode, np.nan))


@pytest.mark.parametrize("name", SCATTERS)
@given(cases(3), st.sampled_from(MODES), st.integers(0, 3), st.data())
@settings(max_examples=40)
def test_vmap_of_scatter_equals_a_loop(name, case, mode, size, data):
    fun, combine = SCATTERS[name]
    operands = sample(case, 0)
    rng = np.random.default_rng(4)
    dims = [data.draw(st.none() | st.integers(0, a.ndim)) for a in operands]
    if dims == [None] * 3:
        dims[2] = 0
    pairs = [batched(a, d, size, rng) for a, d in zip(operands, dims, strict=True)]
    out = vmap(lambda x, i, u: run_scatter(fun, case, x, i, u, mode), in_axes=tuple(dims))(*[p[0] for p in pairs])
    assert out.shape == (size, *case.operand)
    for got, x, i, u in zip(np.asarray(out), *[p[1] for p in pairs], strict=True):
        np.testing.assert_allclose(got, loop_scatter(x, i, u, case, mode, combine), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dims", [d for d in itertools.product([None, 0, 1], repeat=3) if d != (None, None, None)])
@pytest.mark.parametrize("name", SCATTERS)
def test_vmap_of_scatter_gradients(name, dims):
    fun = SCATTERS[name][0]
    rng = np.random.default_rng(5)
    numbers = ScatterDimensionNumbers((1,), (0,), (0,))
    shapes = ((4, 2), (3, 1), (3, 2))
    args = [rng.normal(size=(*s[:d], 2, *s[d:]) if d is not None else s).astype(np.float32)
            for s, d in zip(shapes, dims, strict=True)]  # fmt: skip
    index = np.array([[0], [2], [1]], np.int32)
    args[1] = index if dims[1] is None else np.stack([index, 3 - index], dims[1])
    both = grad(lambda x, i, u: total(fun(x, i, u, numbers, unique_indices=True)), (0, 2))
    out = vmap(both, in_axes=dims)(*args)
    for n in range(2):
        example = [a if d is None else np.take(a, n, d) for a, d in zip(args, dims, strict=True)]
        for got, expected in zip(out, both(*example), strict=True):
            np.testing.assert_allclose(np.asarray(got)[n], expected, rtol=1e-5, atol=1e-6)


# -- errors ------------------------------------------------------------------------------------------------------------


ROWS = GatherDimensionNumbers((1,), (0,), (0,))


@pytest.mark.parametrize(
    "numbers, sizes, words",
    [
        (ROWS, (1, 5), "windows of size 5 do not fit dimension 1"),
        (ROWS, (1,), "slice_sizes must have one entry per operand dimension"),
        (ROWS, (2, 4), "window size must be 1 in dimensions of collapsed_slice_dims"),
        (ROWS._replace(offset_dims=(0, 1)), (1, 4), "offset_dims must have one entry for each operand dimension"),
        (ROWS._replace(offset_dims=(5,)), (1, 4), "offset_dims must be distinct and in \\[0, 2\\)"),
        (ROWS._replace(start_index_map=(0, 1)), (1, 4), "the indices must have one entry for each of the 2"),
        (ROWS._replace(start_index_map=(3,)), (1, 4), "start_index_map must be distinct and in \\[0, 2\\)"),
        (ROWS._replace(collapsed_slice_dims=(-1,)), (1, 4), "collapsed_slice_dims must be distinct"),
        (ROWS._replace(operand_batching_dims=(0,)), (1, 4), "and operand_batching_dims must be distinct"),
        (GatherDimensionNumbers((), (0,), (0,), (1,), (0,)), (1, 1), "batching dimensions must have the same size"),
        (GatherDimensionNumbers((), (0,), (0,), (1,), ()), (1, 1), "must pair dimensions"),
        (GatherDimensionNumbers((), (1, 0), (0,)), (1, 1), "collapsed_slice_dims must increase"),
    ],
)
def test_wrong_gathers(numbers, sizes, words):
    with pytest.raises(TypeError, match=f"fungrad.lax.gather: .*{words}"):
        gather(np.ones((3, 4)), np.zeros((2, 1), np.int32), numbers, sizes)


def test_nothing_can_be_read_from_an_empty_dimension():
    numbers = GatherDimensionNumbers((), (0,), (0,))
    for size, words in ((1, "do not fit dimension 0"), (0, "window size must be 1")):
        with pytest.raises(TypeError, match=words):
            gather(np.ones(0), np.array([[0]]), numbers, (size,))


def test_other_errors():
    with pytest.raises(TypeError, match="fungrad.lax.gather: operand 1 must have a dtype of kind signed integer"):
        gather(np.ones((3, 4)), np.zeros((2, 1)), ROWS, (1, 4))
    with pytest.raises(ValueError, match="mode must be 'clip', 'fill'"):
        gather(np.ones((3, 4)), np.zeros((2, 1), np.int32), ROWS, (1, 4), mode="wrap")
    numbers = ScatterDimensionNumbers((1,), (0,), (0,))
    x, i = np.ones((3, 4)), np.zeros((2, 1), np.int32)
    with pytest.raises(TypeError, match="operand and updates must have the same dtype, got f32.* and i32"):
        scatter_add(x, i, np.ones((2, 4), np.int32), numbers)
    with pytest.raises(TypeError, match="fungrad.lax.scatter: updates must have one dimension for each of \\(2,\\)"):
        scatter(x, i, np.ones((3, 4)), numbers)
    with pytest.raises(TypeError, match="windows of size 5 do not fit"):
        scatter(x, i, np.ones((2, 5)), numbers)
    with pytest.raises(TypeError, match="update_window_dims must be in \\[0, 1\\)"):
        scatter(x, i, np.ones(2), numbers)


def test_strict_index_makes_a_broken_promise_an_error():
    x, i = np.ones((3, 4)), np.array([[1], [3]])
    with strict_index():
        with pytest.raises(IndexError, match="fungrad.lax.gather: index 3 is out of bounds for axis 0 of size 3"):
            gather(x, i, ROWS, (1, 4), mode="promise_in_bounds")
        with pytest.raises(IndexError, match="fungrad.lax.scatter_add: index 3 is out of bounds for axis 0 of size 3"):
            scatter_add(x, i, np.ones((2, 4)), ScatterDimensionNumbers((1,), (0,), (0,)), mode="promise_in_bounds")
        # What was asked for is no error.
        assert gather(x, i, ROWS, (1, 4), mode="clip").shape == (2, 4)
        assert gather(x, i, ROWS, (1, 4), mode="fill").shape == (2, 4)


# -- parity ------------------------------------------------------------------------------------------------------------


@functools.cache
def jax_lax():
    return pytest.importorskip("jax").lax


@pytest.mark.parity
@given(cases(3), st.sampled_from(MODES), st.integers(0, 99))
@settings(max_examples=25)
def test_gather_as_jax(case, mode, seed):
    lax = jax_lax()
    x, indices, _ = sample(case, seed)
    numbers = lax.GatherDimensionNumbers(*case.numbers)
    if 0 in [case.operand[d] for d in case.batching]:
        return  # not accepted by JAX
    expected = lax.gather(x, indices, numbers, case.sizes, mode=mode)
    np.testing.assert_array_equal(run_gather(case, x, indices, mode), expected)


@pytest.mark.parity
@pytest.mark.parametrize("name", SCATTERS)
@given(cases(3), st.sampled_from(MODES), st.integers(0, 99))
@settings(max_examples=12)
def test_scatter_as_jax(name, case, mode, seed):
    lax = jax_lax()
    jax = pytest.importorskip("jax")
    # JAX divides by zero in the derivative of extremes where it has clipped an index, and gives dropped updates a
    # cotangent where the promise is broken.
    clipped = mode == "clip" and name in ("scatter_min", "scatter_max")
    x, indices, updates = sample(case, seed, inside=clipped or mode == "promise_in_bounds")
    if 0 in case.operand or 0 in case.window_shape or not case.index_map:
        return  # XLA rejects some of these
    numbers = lax.ScatterDimensionNumbers(*case.numbers)
    unique = name == "scatter_mul"
    options = {"mode": mode, "unique_indices": unique}
    theirs, pull = jax.vjp(lambda x, u: getattr(lax, name)(x, indices, u, numbers, **options), x, updates)
    mine, my_pull = vjp(lambda x, u: run_scatter(SCATTERS[name][0], case, x, indices, u, **options), x, updates)
    if unique:
        distinct = [p for _, p in positions(case, indices, mode == "clip") if p is not None]
        if len(set(distinct)) != len(distinct):
            return
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    for got, expected in zip(my_pull(np.ones(x.shape, np.float32)), pull(np.ones(x.shape, np.float32)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_compiled_update_of_a_window_at_a_known_place_is_a_plain_loop():
    def f(x, v):
        return x.at[1:-1, 2:4].add(v), x.at[0].multiply(2.0), x.at[-1].min(v[0, 0])

    x, v = np.arange(30, dtype=np.float32).reshape(5, 6), np.full((3, 2), -7, np.float32)
    compiled = fungrad.jit(f)
    text = compiled.lower(x, v).as_text("steps")
    assert "ordered" not in text and "where" not in text
    for got, wanted in zip(compiled(x, v), f(fungrad.numpy.asarray(x), v), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("columns", [(0, 1), (1, 0), (0, 1, 0), (2, 0, 1, 2)])
def test_compiled_positions_of_several_dimensions_are_computed_where_they_are_used(columns):
    rng = np.random.default_rng(0)
    shape, at = (9, 11, 8, 10)[: len(columns)], rng.integers(-8, 8, (1000, 3), np.int32)
    x = rng.standard_normal(shape).astype("float32")
    f = fungrad.jit(lambda x, at: x[tuple([at[:, c] for c in columns])])
    np.testing.assert_array_equal(f(x, at), x[tuple([at[:, c] for c in columns])])
    steps = f.lower(x, at).as_text("steps")
    assert steps.count("nest ") == 1 and "temp " not in steps


# Positions at both ends of the type and of the array, and one beyond each.
@pytest.mark.parametrize("size", [3, 127, 128, 255, 256, 40_000, 70_000])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_compiled_positions_of_all_types(dtype, size):
    ends = np.iinfo(dtype)
    wanted = [ends.min, ends.min + 1, -size - 1, -size, -1, 0, 1, size // 2, size - 1, size, ends.max - 1, ends.max]
    at = np.array([w for w in wanted if ends.min <= w <= ends.max] * 9, dtype)
    x = np.arange(1, size + 1, dtype="float32")
    exact = [int(a) for a in at]
    clipped = [x[min(max(a, 0), size - 1)] for a in exact]
    filled = [x[a] if 0 <= a < size else np.nan for a in exact]
    numbers = GatherDimensionNumbers((), (0,), (0,))
    with fungrad.enable_x64():
        for mode, want in (("clip", clipped), ("fill", filled)):
            got = fungrad.jit(lambda x, at, mode=mode: gather(x, at[:, None], numbers, (1,), mode=mode))(x, at)
            np.testing.assert_array_equal(got, np.array(want))
        added = np.zeros(size)
        np.add.at(added, [a for a in exact if 0 <= a < size], 1)
        ones = np.ones(len(at), "float32")
        numbers = ScatterDimensionNumbers((), (0,), (0,))
        add = fungrad.jit(lambda x, at, ones: scatter_add(x, at[:, None], ones, numbers, mode="fill"))
        np.testing.assert_array_equal(add(np.zeros(size, "float32"), at, ones), added)


@pytest.mark.parametrize("segments", [50, 20_000])
@pytest.mark.parametrize("name", ["add", "multiply", "min", "max"])
def test_rows_that_meet_do_not_depend_on_the_number_of_threads(name, segments):
    rng = np.random.default_rng(0)
    x = rng.uniform(0.9, 1.1, (20_000, 64)).astype(np.float32)
    places = rng.integers(-segments - 3, segments + 3, 20_000).astype(np.int32)

    def combined(x, places):
        return getattr(fungrad.numpy.ones((segments, 64), np.float32).at[places], name)(x)

    wanted = np.ones((segments, 64), np.float32)
    kept = (places >= -segments) & (places < segments)
    ufunc = {"min": np.minimum, "max": np.maximum}.get(name) or getattr(np, name)
    ufunc.at(wanted, places[kept], x[kept])
    results = []
    for threads in (1, 2, 3):
        with fungrad.threads(threads):
            results.append(np.asarray(fungrad.jit(combined)(x, places)))
    np.testing.assert_allclose(results[0], wanted, rtol=1e-4)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_promises_of_one_example_are_not_kept_for_a_batch():
    import fungrad.numpy as fnp

    p, k = fnp.array([1.0, 2.0]), fnp.array([0, 0])
    reads = {
        "take": lambda p, k: fnp.take(p, k),
        "index": lambda p, k: p[k],
        "get": lambda p, k: p.at[k].get(),
        "promised": lambda p, k: fnp.take(p, k[None], unique_indices=True, indices_are_sorted=True)[0],
    }
    for name, read in reads.items():
        f = lambda p, k, read=read: vmap(read, (None, 0))(p, k).sum()  # noqa: E731
        assert grad(f)(p, k).tolist() == [2, 0], name
        assert fungrad.jit(grad(f))(p, k).tolist() == [2, 0], name
        # A batch of batches, and an outer one of arrays with an inner one of positions.
        twice = lambda p, k, read=read: vmap(vmap(read, (None, 0)), (None, 0))(p, k).sum()  # noqa: E731
        assert grad(twice)(p, fnp.stack([k, k + 1])).tolist() == [2, 2], name
        outer = lambda p, k, f=f: vmap(f, (0, None))(p, k).sum()  # noqa: E731
        assert grad(outer)(fnp.stack([p, p]), k).tolist() == [[2, 0], [2, 0]], name
