"""``x[idx]`` and ``x.at[idx]``: values against NumPy, behaviour out of bounds and derivatives against JAX."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

import fungrad
import fungrad.numpy as fnp
from fungrad.config import strict_index
from fungrad.core.check import check_jaxpr
from fungrad.core.ir import eval_jaxpr
from fungrad.errors import NonConcreteBooleanIndexError
from fungrad.numpy.indexing import rewriting_take
from fungrad.transforms.api import grad, jvp, vjp
from fungrad.transforms.inspection import make_jaxpr
from fungrad.transforms.mapping import vmap


def sequence(*shape, dtype=np.float32):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


# -- index expressions -------------------------------------------------------------------------------------------------


@st.composite
def slices(draw, size):
    end = st.none() | st.integers(-size - 2, size + 2)
    step = draw(st.none() | st.integers(-3, 3).filter(bool))
    return slice(draw(end), draw(end), step)


@st.composite
def expressions(draw, *, basic=False, outside=False, max_rank=4):
    """A shape and an index of it; index arrays broadcast."""
    shape = draw(st.lists(st.integers(1, 4), max_size=max_rank).map(tuple))
    group = draw(st.sampled_from([(), (2,), (3, 1), (0,)]))
    kinds = ["int", "slice", "skip"] + ([] if basic else ["array", "array", "numpy int"])
    kinds = [draw(st.sampled_from(kinds)) for _ in shape]
    reach = 3 if outside else 0
    parts = []
    for kind, n in zip(kinds, shape, strict=True):
        if kind == "int":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "numpy int":
            parts.append(np.int64(draw(st.integers(-n, n - 1))))
        elif kind == "array":
            own = draw(st.sampled_from([group, group[-1:], (1,) * len(group), ()]))
            # A 0-d ndarray is a static integer, which must be in range.
            numbers = st.integers(-n - reach, n - 1 + reach) if own else st.integers(-n, n - 1)
            values = [draw(numbers) for _ in range(int(np.prod(own)))]
            parts.append(np.array(values, np.int32).reshape(own))
        else:
            parts.append(draw(slices(n)) if kind == "slice" else slice(None))
    # Trailing full slices may be left out, and an ellipsis may stand for a stretch of them.
    while parts and isinstance(parts[-1], slice) and parts[-1] == slice(None) and draw(st.booleans()):
        parts.pop()
    if draw(st.booleans()):
        full = [i for i, p in enumerate(parts) if isinstance(p, slice) and p == slice(None)]
        if full and len(parts) == len(shape):
            parts[draw(st.sampled_from(full))] = Ellipsis
        elif len(parts) < len(shape) or draw(st.booleans()):
            parts.append(Ellipsis)
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), None)
    return shape, parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


def traced(x, idx, **options):
    """``x[idx]`` by the operations that tracing records."""
    return rewriting_take(fnp.asarray(x), idx, **options)


def as_arrays(idx):
    """The index with fungrad arrays in place of NumPy's."""
    change = lambda p: fnp.asarray(p) if isinstance(p, np.ndarray) else p  # noqa: E731
    return tuple(map(change, idx)) if isinstance(idx, tuple) else change(idx)


def dynamic_parts(idx):
    """The integer arrays of an index, and a function that puts others in their place."""
    parts = list(idx) if isinstance(idx, tuple) else [idx]
    places = [n for n, p in enumerate(parts) if isinstance(p, np.ndarray)]

    def rebuild(*arrays):
        out = list(parts)
        for n, a in zip(places, arrays, strict=True):
            out[n] = a
        return tuple(out)

    return [parts[n] for n in places], rebuild


def same(actual, expected):
    actual = np.asarray(actual)
    assert actual.shape == np.shape(expected)
    np.testing.assert_array_equal(actual, expected)


# -- reading -----------------------------------------------------------------------------------------------------------


@given(expressions())
@settings(max_examples=200)
def test_values_are_those_of_numpy(case):
    shape, idx = case
    x = sequence(*shape)
    expected = x[idx]
    out = fnp.asarray(x)[idx]
    same(out, expected)
    assert np.asarray(out).flags.c_contiguous
    same(fnp.asarray(x)[as_arrays(idx)], expected)
    same(traced(x, idx), expected)
    same(traced(x, as_arrays(idx)), expected)


@given(expressions())
@settings(max_examples=60)
def test_traced_arrays_and_indices(case):
    shape, idx = case
    x = sequence(*shape)
    arrays, rebuild = dynamic_parts(idx)
    jaxpr = make_jaxpr(lambda x, *i: x[rebuild(*i)])(x, *arrays)
    check_jaxpr(jaxpr)
    (out,) = eval_jaxpr(jaxpr, jaxpr.consts, x, *arrays)
    same(out, x[idx])


@given(expressions(basic=True))
@settings(max_examples=60)
def test_basic_indices_need_no_gather(case):
    shape, idx = case
    jaxpr = make_jaxpr(lambda x: x[idx])(sequence(*shape))
    used = {e.primitive.name for e in jaxpr.eqns}
    assert used <= {"slice", "rev", "squeeze", "broadcast_in_dim"}


def names(fun, *args):
    return [e.primitive.name for e in make_jaxpr(fun)(*args).eqns]


def test_operations_of_common_indices():
    x = sequence(3, 4)
    assert names(lambda x: x[1], x) == ["slice", "squeeze"]
    assert names(lambda x: x[:, 1:3], x) == ["slice"]
    assert names(lambda x: x[::-1], x) == ["rev"]
    assert names(lambda x: x[...], x) == [] == names(lambda x: x[:], x)
    assert names(lambda x: x[None], x) == ["broadcast_in_dim"]
    assert "dynamic_slice" in names(lambda x, i: x[i, 1:], x, 1)
    assert "gather" not in names(lambda x, i: x[i, ::-2], x, 1)
    assert names(lambda x, i: x[i], x, np.array([1, 2]))[-1] == "gather"
    assert names(lambda x: x[np.array([1, 2])], x) == ["gather"]


@pytest.mark.parametrize(
    "idx",
    [
        (np.array([True, False, True]),),
        np.array([[True, False, True, False]] * 3),
        (slice(None), np.array([True, False, True, True])),
        (np.array([True, False, True]), 1),
        (np.array([True, True, False]), np.array([0, 3])),
        (np.array([True, False, True]), slice(1, 3)),
        np.zeros(3, bool),
        True,
        False,
        (None, True),
        (True, np.array([0, 1])),
        (slice(None), True, np.array([0, 1])),
        (False, 1),
        np.True_,
        np.array(True),
        (Ellipsis, np.array([0, 1])),
        (np.array([0, 1]), Ellipsis, np.array([0, 1])),
        ([0, 2], 1),
        ([True, False, True],),
        ([[0, 1], [1, 2]], None),
        ([], 0),
        (),
        np.uint8(2),
        np.array(2),
    ],
    ids=str,
)
def test_masks_and_other_indices(idx):
    x = sequence(3, 4)
    same(fnp.asarray(x)[idx], x[idx])
    same(traced(x, idx), x[idx])
    if not isinstance(idx, (list, bool)):
        same(fnp.asarray(x)[as_arrays(idx)], x[idx])
    changed = x.copy()
    changed[idx] = -1.0
    same(fnp.asarray(x).at[idx].set(-1.0), changed)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "int64", "uint64"])
def test_index_dtypes(dtype):
    x = np.arange(300, dtype=np.float32)
    idx = fnp.asarray(np.array([0, 100, 127]), dtype=dtype)
    expected = x[[0, 100, 127]]
    same(fnp.asarray(x)[idx], expected)
    same(traced(x, idx), expected)
    if np.dtype(dtype).kind == "i":
        same(fnp.asarray(x)[-idx], x[[0, -100, -127]])
        same(traced(x, -idx), x[[0, -100, -127]])


def test_scalars_and_weak_types():
    one = fnp.asarray(1.0)
    assert one[...].weak_type and one[None].weak_type and one[()].weak_type
    assert grad(lambda x: x[None][0])(2.0) == 1.0
    for idx in (0, (None, 0)):
        with pytest.raises(IndexError, match="0-dimensional, but 1 dimensions were indexed"):
            one[idx]


def test_views_do_not_change_with_their_base():
    x = fnp.asarray(sequence(3, 4))
    row = x[1]
    x.at[1].set(0.0)
    same(row, [4, 5, 6, 7])
    with pytest.raises(TypeError, match="immutable"):
        x[1] = 0.0


def test_random_keys_are_indexed_like_numbers():
    keys = fungrad.random.split(fungrad.random.key(0), 4)
    words = lambda keys: np.asarray(fungrad.random.key_data(keys))  # noqa: E731
    idx = fnp.asarray([3, 1])
    same(words(keys[idx]), words(keys)[[3, 1]])
    same(words(vmap(lambda i: keys[i])(idx)), words(keys)[[3, 1]])
    changed = words(keys).copy()
    changed[[3, 1]] = changed[2]
    same(words(keys.at[idx].set(keys[2])), changed)
    with pytest.raises(TypeError):
        keys.at[idx].add(keys[2])


def test_subclasses_of_int_and_index_objects():
    class Index:
        def __index__(self):
            return 2

    x = sequence(4)
    same(fnp.asarray(x)[Index()], 2.0)
    same(fnp.asarray(x)[Index() :], x[2:])


# -- out of bounds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("idx, axis, size", [(3, 0, 3), (-4, 0, 3), ((1, 4), 1, 4), ((slice(None), -5), 1, 4)])
def test_static_integers_out_of_range_are_errors(idx, axis, size):
    x = fnp.asarray(sequence(3, 4))
    bad = idx if isinstance(idx, int) else idx[-1]
    words = f"index {bad} is out of bounds for axis {axis} of size {size}"
    for fun in (
        lambda: x[idx],
        lambda: traced(x, idx),
        lambda: x.at[idx].set(1.0),
        lambda: x.at[idx].get(),
        lambda: x.at[idx].get(mode="promise_in_bounds"),
        lambda: make_jaxpr(lambda x: x[idx])(x),
        lambda: grad(lambda x: x[idx].sum())(x),
        lambda: x[:, None][idx] if isinstance(idx, int) else x[(*idx[:-1], None, bad, None)],
    ):
        with pytest.raises(IndexError, match="out of bounds for axis"):
            fun()
    with pytest.raises(IndexError, match=words):
        x[idx]


def test_modes_of_static_integers():
    x = fnp.asarray(sequence(3, 4))
    for idx in (3, -4, (1, 9)):
        same(x.at[idx].get(mode="fill"), np.nan if isinstance(idx, tuple) else np.full(4, np.nan))
        same(x.at[idx].set(5.0, mode="drop"), x)
    same(x.at[3].get(mode="clip"), x[2])
    same(x.at[-4].get(mode="clip"), x[0])
    same(x.at[-4].get(mode="fill", fill_value=2), np.full(4, 2.0))
    same(x.at[-1].get(mode="fill", wrap_negative_indices=False), np.full(4, np.nan))
    same(x.at[3].set(0.0, mode="clip"), np.asarray(x) * [[1], [1], [0]])
    same(x.at[-4].set(0.0, mode="clip"), np.asarray(x) * [[0], [1], [1]])


def test_arrays_out_of_range_are_moved_inside_or_dropped():
    x = fnp.asarray(sequence(3))
    idx = fnp.asarray([5, -1, -5, 1])
    for read in (x[idx], traced(x, idx), x.at[idx].get(), x.at[idx].get(mode="clip")):
        same(read, [2, 2, 0, 1])
    same(x.at[idx].get(mode="fill"), np.float32([np.nan, 2, np.nan, 1]))
    same(x.at[idx].get(mode="fill", fill_value=-1), [-1, 2, -1, 1])
    same(x.at[idx].add(10.0), [0, 11, 12])
    same(x.at[idx].add(10.0, mode="clip"), [10, 11, 22])
    same(x[fnp.asarray(7)], 2.0)
    same(x[fnp.asarray(-7)], 0.0)
    same(make_and_run(lambda x, i: x[i], x, 7), 2.0)
    same(make_and_run(lambda x, i: x.at[i].set(9.0), x, 7), x)
    # What was dropped has no gradient, and neither has what was read from inside instead.
    same(grad(lambda x: x[np.array([5, 1])].sum())(x), [0, 1, 0])


def make_and_run(fun, *args):
    jaxpr = make_jaxpr(fun)(*args)
    return eval_jaxpr(jaxpr, jaxpr.consts, *args)[0]


def test_strict_index():
    x = fnp.asarray(sequence(3, 4))
    idx = fnp.asarray([0, 3])
    with strict_index():
        for fun in (
            lambda: x[idx],
            lambda: x[:, fnp.asarray([4])],
            lambda: x[fnp.asarray(3)],
            lambda: traced(x, idx),
            lambda: traced(x, fnp.asarray(-4)),
            lambda: x.at[idx].set(0.0),
            lambda: x.at[idx].add(0.0),
            lambda: make_and_run(lambda x, i: x[i], x, 3),
            lambda: vmap(lambda i: x[i])(idx),
        ):
            with pytest.raises(IndexError, match="is out of bounds for axis .*strict_index is on"):
                fun()
        same(x[fnp.asarray([0, -3])], np.asarray(x)[[0, 0]])
        same(x.at[idx].get(mode="clip"), np.asarray(x)[[0, 2]])
        same(x.at[idx].set(0.0, mode="drop"), np.asarray(x) * [[0], [1], [1]])


@pytest.mark.parametrize(
    "idx, error, words",
    [
        ([0, 1], TypeError, "a list is not a valid index, got \\[0, 1\\]"),
        (range(2), TypeError, "a range is not a valid index"),
        (1.0, TypeError, "must have integer or boolean dtype, got 1.0 of dtype float"),
        (np.array([1.0]), TypeError, "must have integer or boolean dtype.* of dtype float64"),
        ((0, 1j), TypeError, "must have integer or boolean dtype"),
        ("a", TypeError, "arrays have no fields, got the index 'a'"),
        ({}, IndexError, "only integers, slices"),
        (object(), IndexError, "only integers, slices"),
        ((0, 0, 0), IndexError, "2-dimensional, but 3 dimensions were indexed"),
        ((0, Ellipsis, 0, 0), IndexError, "2-dimensional, but 3 dimensions were indexed"),
        ((Ellipsis, Ellipsis), IndexError, "single ellipsis"),
        (slice(0.0, 2), TypeError, "ends of a slice must be integers or None"),
        (slice(0, 2, 0), ValueError, "step of a slice must not be 0"),
        (np.array([True, False]), IndexError, "must have the shape .*got \\(2,\\) for dimensions \\(0,\\)"),
        (np.ones((4, 3), bool), IndexError, "got \\(4, 3\\) for dimensions \\(0, 1\\)"),
        ((np.array([0, 1]), np.arange(3)), IndexError, "must broadcast to one shape, got shapes \\(2,\\), \\(3,\\)"),
    ],
)
def test_wrong_indices(idx, error, words):
    x = fnp.asarray(sequence(3, 4))
    for fun in (lambda: x[idx], lambda: traced(x, idx), lambda: x.at[idx].set(0.0), lambda: x.at[idx].get()):
        with pytest.raises(error, match=f"fungrad.Array.*{words}"):
            fun()


def test_traced_slices_and_masks_say_what_to_use_instead():
    x = sequence(4)
    with pytest.raises(IndexError, match="dynamic_slice"):
        make_jaxpr(lambda x, i: x[i:])(x, 1)
    with pytest.raises(NonConcreteBooleanIndexError, match="fungrad.numpy.where"):
        make_jaxpr(lambda x: x[x > 1])(x)
    with pytest.raises(NonConcreteBooleanIndexError):
        vmap(lambda x: x[x > 1])(x[None])
    with pytest.raises(TypeError, match="fungrad.numpy.array"):
        make_jaxpr(lambda x, i: x[[i, i]])(x, 1)
    # Derivatives of concrete arrays know their masks.
    same(grad(lambda x: (x[x > 1] ** 2).sum())(x), [0, 0, 4, 6])


def test_empty_dimensions():
    x = fnp.zeros((0, 3))
    same(x[fnp.asarray([], dtype="int32")], np.zeros((0, 3)))
    same(x[:, 1], np.zeros(0))
    same(traced(x, (slice(None), np.array([0, 2]))), np.zeros((0, 2)))
    for idx in (0, fnp.asarray(0), fnp.asarray([0])):
        for fun in (lambda i=idx: x[i], lambda i=idx: traced(x, i)):
            with pytest.raises(IndexError, match="out of bounds for axis 0 of size 0"):
                fun()


# -- updates -----------------------------------------------------------------------------------------------------------

UPDATES = {
    "set": None,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "power": np.power,
    "min": np.minimum,
    "max": np.maximum,
}


@pytest.mark.parametrize("name", UPDATES)
@given(expressions(), st.integers(0, 9))
@settings(max_examples=80)
def test_updates_are_those_of_numpy(name, case, seed):
    shape, idx = case
    rng = np.random.default_rng(seed)
    x = rng.uniform(1, 2, shape).astype(np.float32)
    selected = x[idx]
    y = rng.uniform(1, 2, np.broadcast_shapes(selected.shape[rng.integers(0, selected.ndim + 1) :])).astype(np.float32)
    expected = x.copy()
    if UPDATES[name] is None:
        expected[idx] = y
    else:
        UPDATES[name].at(expected, idx, y)
    out = getattr(fnp.asarray(x).at[idx], name)(y)
    np.testing.assert_allclose(out, expected, rtol=2e-5)
    arrays, rebuild = dynamic_parts(idx)
    out = make_and_run(lambda x, y, *i: getattr(x.at[rebuild(*i)], name)(y), x, y, *arrays)
    np.testing.assert_allclose(out, expected, rtol=2e-5)


@given(expressions())
@settings(max_examples=80)
def test_apply_is_repeated_as_ufunc_at(case):
    shape, idx = case
    x = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    expected = x.copy()
    np.negative.at(expected, idx)
    same(fnp.asarray(x).at[idx].apply(fnp.negative), expected)
    arrays, rebuild = dynamic_parts(idx)
    same(make_and_run(lambda x, *i: x.at[rebuild(*i)].apply(fnp.negative), x, *arrays), expected)


@pytest.mark.parametrize("mode", [None, "clip"])
def test_apply_at_traced_positions(mode):
    x = fnp.asarray(sequence(5))
    idx = fnp.asarray([1, 1, -1, 9, 1, 4])
    f = lambda x, i: x.at[i].apply(lambda v: fnp.sin(v) * v, mode=mode)  # noqa: E731
    expected = f(x, idx)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-6)
    close(fungrad.jit(f)(x, idx), expected)
    loss = lambda x, i: (f(x, i) * fnp.arange(1.0, 6.0)).sum()  # noqa: E731
    close(fungrad.jit(grad(loss))(x, idx), grad(loss)(x, idx))
    # Every example repeats other positions.
    rows = fnp.stack([idx, fnp.roll(idx, 1) % 3, fnp.zeros(6, int)])
    close(fungrad.vmap(f, (None, 0))(x, rows), np.stack([f(x, i) for i in rows]))
    close(fungrad.vmap(grad(loss), (None, 0))(x, rows), np.stack([grad(loss)(x, i) for i in rows]))
    # A type that the function changes comes back as that of the array.
    assert fungrad.jit(lambda x, i: x.at[i].apply(lambda v: v.astype(int)))(x, idx).dtype == np.float32
    assert fungrad.jit(f)(x[:0], idx[:0]).shape == (0,)


def test_apply():
    x = fnp.asarray(sequence(4))
    idx = fnp.asarray([1, 1, 3, 9])
    same(x.at[idx].apply(lambda v: v + 1), [0, 3, 2, 4])
    same(x.at[idx].apply(lambda v: v + 1, mode="clip"), [0, 3, 2, 5])
    same(grad(lambda x: x.at[idx].apply(fnp.square).sum())(x), [1, 4, 1, 6])
    same(make_and_run(lambda x, i: x.at[i].apply(fnp.exp, unique_indices=True), x, np.array([0])), [1, 1, 2, 3])
    same(make_and_run(lambda x: x.at[np.array([1, 1])].apply(lambda v: v * 2.0), x), [0, 4, 2, 3])
    with pytest.raises(TypeError, match="must keep the shape"):
        x.at[1:].apply(lambda v: v.sum())


def test_aliases_and_repr():
    x = fnp.asarray(sequence(2))
    same(x.at[0].mul(3.0), x.at[0].multiply(3.0))
    assert repr(x.at) == "IndexUpdateHelper(Array([0., 1.], dtype=float32))"
    assert repr(x.at[0]) == "IndexUpdateRef(Array([0., 1.], dtype=float32), 0)"
    assert x.at[0].set.__name__ == "set" and "replaced by values" in x.at[0].set.__doc__


def test_static_updates_replace_a_box():
    x = sequence(3, 4)
    assert names(lambda x: x.at[1].set(0.0), x)[-1] == "dynamic_update_slice"
    assert names(lambda x: x.at[1:, 0].set(0.0), x)[-1] == "dynamic_update_slice"
    assert "scatter" in names(lambda x: x.at[::2].set(0.0), x)
    assert "scatter-add" in names(lambda x: x.at[1].add(1.0), x)


def test_updates_broadcast():
    x = fnp.zeros((3, 4))
    same(x.at[:, None, 1:3].set(np.arange(2.0)), np.array([[0, 0, 1, 0]] * 3))
    same(x.at[1].set([1, 2, 3, 4]), np.array([[0] * 4, [1, 2, 3, 4], [0] * 4]))
    for values in (np.ones(3), np.ones((2, 4)), np.ones((1, 4))):
        with pytest.raises(ValueError, match="do not broadcast to the shape \\(4,\\)"):
            x.at[0].set(values)


@pytest.mark.parametrize(
    "dtype, value, warns",
    [
        ("float32", 1, False),
        ("float32", True, False),
        ("float32", np.float64(2), False),
        ("int32", 2.5, True),
        ("int32", np.float32(2.5), True),
        ("bfloat16", np.float32(2), True),
        ("float32", 2j, True),
        ("bool", 1, True),
        ("int8", 3, False),
    ],
)
@pytest.mark.parametrize("name", ["set", "add"])
def test_dtype_of_updates_is_that_of_the_array(dtype, value, warns, name):
    if name == "add" and dtype == "bool":
        pytest.skip("booleans do not add")
    x = fnp.asarray(np.ones(3), dtype=dtype)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        out = getattr(x.at[0], name)(value)
    assert any(w.category is FutureWarning for w in seen) == warns
    assert out.dtype == x.dtype
    expected = value if name == "set" else value + 1
    assert np.asarray(out)[0] == np.real(np.asarray(expected)).astype(out.dtype)


def test_division_promotes():
    assert fnp.arange(3).at[1:].divide(2).dtype == np.float32
    assert fnp.arange(3).at[1:].power(2).dtype == np.int32


# -- derivatives and vmap ----------------------------------------------------------------------------------------------


@given(expressions(max_rank=3), st.integers(0, 9))
@settings(max_examples=60)
def test_reading_is_linear_and_its_transpose_adds(case, seed):
    shape, idx = case
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape).astype(np.float32)
    out, tangent = jvp(lambda x: x[idx], (x,), (x,))
    same(tangent, out)
    ct = rng.normal(size=out.shape).astype(np.float32)
    expected = np.zeros_like(x)
    np.add.at(expected, idx, ct)
    (ct_x,) = vjp(lambda x: x[idx], x)[1](ct)
    np.testing.assert_allclose(ct_x, expected, rtol=1e-5, atol=1e-5)


@given(expressions(max_rank=3), st.integers(0, 9))
@settings(max_examples=60)
def test_gradients_of_set(case, seed):
    shape, idx = case
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape).astype(np.float32)
    y = rng.normal(size=x[idx].shape).astype(np.float32)
    weight = rng.normal(size=shape).astype(np.float32)
    gx, gy = grad(lambda x, y: (x.at[idx].set(y) * weight).sum(), (0, 1))(x, y)
    kept = np.ones(shape, np.float32)
    kept[idx] = 0
    np.testing.assert_allclose(gx, weight * kept, rtol=1e-6)
    # Only the last update of an element counts.
    number = np.zeros(shape, np.int64)
    number[idx] = np.arange(y.size).reshape(y.shape)
    wins = number[idx] == np.arange(y.size).reshape(y.shape)
    np.testing.assert_allclose(gy, weight[idx] * wins, rtol=1e-6)


@given(expressions(max_rank=3), st.data())
@settings(max_examples=80)
def test_vmap_equals_a_loop(case, data):
    shape, idx = case
    arrays, rebuild = dynamic_parts(idx)
    size = data.draw(st.integers(1, 3))
    rng = np.random.default_rng(0)
    x_dim = data.draw(st.none() | st.integers(0, len(shape)))
    dims = [data.draw(st.none() | st.integers(0, a.ndim)) for a in arrays]
    assume(x_dim is not None or any(d is not None for d in dims))
    xs = [rng.normal(size=shape).astype(np.float32) for _ in range(size)]
    if x_dim is None:
        xs = xs[:1] * size
    indices = [[rng.permutation(a.ravel()).reshape(a.shape) if d is not None else a for _ in range(size)]
               for a, d in zip(arrays, dims, strict=True)]  # fmt: skip
    batch = xs[0] if x_dim is None else np.stack(xs, x_dim)
    batches = [i[0] if d is None else np.stack(i, d) for i, d in zip(indices, dims, strict=True)]
    read = vmap(lambda x, *i: x[rebuild(*i)], in_axes=(x_dim, *dims))(batch, *batches)
    written = vmap(lambda x, *i: x.at[rebuild(*i)].add(1.0), in_axes=(x_dim, *dims))(batch, *batches)
    for n in range(size):
        own = rebuild(*[i[n] for i in indices])
        same(np.asarray(read)[n], xs[n][own])
        expected = xs[n].copy()
        np.add.at(expected, own, 1.0)
        np.testing.assert_allclose(np.asarray(written)[n], expected, rtol=1e-5)


def test_second_derivatives_through_indexing():
    x = fnp.asarray(np.random.default_rng(1).normal(size=5).astype(np.float32))
    idx = np.array([0, 3, 3])
    fun = lambda x: (x[idx] ** 3).sum() + (x.at[idx].set(x[:3] ** 2)[1:] ** 2).sum()  # noqa: E731
    slope = lambda x: (grad(fun)(x) ** 2).sum()  # noqa: E731
    eps = 1e-3
    got = np.asarray(grad(slope)(x))
    for i in range(5):
        step = np.zeros(5, np.float32)
        step[i] = eps
        estimate = (float(slope(x + step)) - float(slope(x - step))) / (2 * eps)
        np.testing.assert_allclose(got[i], estimate, rtol=2e-2, atol=2e-2)


# -- parity ------------------------------------------------------------------------------------------------------------


@pytest.mark.parity
@given(expressions(outside=True, max_rank=3), st.sampled_from([None, "clip", "fill", "promise_in_bounds"]))
@settings(max_examples=40)
def test_out_of_bounds_as_jax(case, mode):
    jax = pytest.importorskip("jax")
    shape, idx = case
    x = sequence(*shape) + 1
    theirs, pull = jax.vjp(lambda x: x.at[idx].get(mode=mode), x)
    mine, my_pull = vjp(lambda x: x.at[idx].get(mode=mode), x)
    same(mine, theirs)
    ct = np.ones(theirs.shape, np.float32)
    same(my_pull(ct)[0], pull(ct)[0])
    write = "drop" if mode == "fill" else mode
    for name in ("set", "add", "min"):
        values = np.float32(0.5)
        expected = getattr(jax.numpy.asarray(x).at[idx], name)(values, mode=write)
        same(getattr(fnp.asarray(x).at[idx], name)(values, mode=write), expected)


@pytest.mark.parity
@pytest.mark.parametrize("mode", [None, "fill", "clip", "wrap"])
def test_take_as_jax(mode):
    jnp = pytest.importorskip("jax").numpy
    x = sequence(3, 5)
    idx = np.array([[0, 7], [-1, -9]])
    for axis in (None, 0, 1, -1):
        same(fnp.take(x, idx, axis, mode=mode), jnp.take(x, idx, axis, mode=mode))
        same(fnp.asarray(x).take(1, axis, mode=mode), jnp.take(x, 1, axis, mode=mode))
    same(fnp.take(x, np.array([99]), fill_value=3), jnp.take(x, np.array([99]), fill_value=3))
    same(fnp.take(np.arange(4), np.array([99])), jnp.take(np.arange(4), np.array([99])))


@pytest.mark.parity
@pytest.mark.parametrize("mode", [None, "fill", "clip"])
def test_take_along_axis_as_jax(mode):
    jnp = pytest.importorskip("jax").numpy
    x = sequence(2, 3)
    for idx, axis in (
        (np.array([[0, 5, -1, -9]]), 1),
        (np.array([[0], [1]]), -1),
        (np.array([[1, 0, 1]]), 0),
        (np.array([5, 0, -1, 7]), None),
    ):
        same(fnp.take_along_axis(x, idx, axis, mode=mode), jnp.take_along_axis(x, idx, axis, mode=mode))
    one = np.ones((1, 3), np.float32)
    idx = np.zeros((4, 2), int)
    same(fnp.take_along_axis(one, idx, 1, mode=mode), jnp.take_along_axis(one, idx, 1, mode=mode))


# -- functions ---------------------------------------------------------------------------------------------------------


def test_take_along_axis_undoes_argsort_and_put_along_axis_undoes_it():
    x = np.random.default_rng(2).normal(size=(3, 4, 5)).astype(np.float32)
    for axis in (0, 1, -1):
        order = np.argsort(x, axis)
        same(fnp.take_along_axis(x, order, axis), np.take_along_axis(x, order, axis))
        expected = np.zeros_like(x)
        np.put_along_axis(expected, order, x, axis)
        same(fnp.put_along_axis(fnp.zeros(x.shape), order, x, axis, inplace=False), expected)
        (ct,) = vjp(lambda x, o=order, a=axis: fnp.take_along_axis(x, o, a), x)[1](x)
        same(ct, expected)


def test_errors_of_functions():
    x = fnp.asarray(sequence(2, 3))
    with pytest.raises(TypeError, match="fungrad.numpy.take: indices must have integer dtype, got f32"):
        fnp.take(x, np.array([0.0]))
    with pytest.raises(TypeError, match="fungrad.numpy.take: indices must be an array"):
        fnp.take(x, [0])
    with pytest.raises(NotImplementedError, match="mode 'raise' is not supported"):
        fnp.take(x, 0, mode="raise")
    with pytest.raises(ValueError, match="axis 2 is out of bounds"):
        fnp.take(x, 0, axis=2)
    with pytest.raises(IndexError, match="size 0"):
        fnp.take(fnp.zeros((0, 3)), 0, axis=0)
    with pytest.raises(ValueError, match="indices must have the rank of the array"):
        fnp.take_along_axis(x, np.array([0]), 1)
    with pytest.raises(ValueError, match="must be 1-dimensional"):
        fnp.take_along_axis(x, np.array([[0]]), None)
    with pytest.raises(ValueError, match="must broadcast with the array outside of the axis"):
        fnp.take_along_axis(x, np.zeros((3, 2), int), 1)
    calls = {
        "put": (x, 0, 1.0),
        "put_along_axis": (x, np.array([[0]]), 1.0, 1),
        "fill_diagonal": (x, 1.0),
        "place": (x, x > 1, 1.0),
    }
    for name, args in calls.items():
        with pytest.raises(ValueError, match=f"fungrad.numpy.{name}: arrays are immutable"):
            getattr(fnp, name)(*args)


def test_unravel_and_ravel():
    shape = (3, 4, 2)
    flat = np.arange(24)
    for mine, expected in zip(fnp.unravel_index(flat, shape), np.unravel_index(flat, shape), strict=True):
        same(mine, expected)
    for order in "CF":
        index = np.unravel_index(flat, shape, order)
        same(fnp.ravel_multi_index(index, shape, order=order), flat)
    wild = (np.array([0, 5, -3]), np.array([-3, 9, 1]), np.array([0, 1, 7]))
    for mode in ("clip", "wrap"):
        same(fnp.ravel_multi_index(wild, shape, mode), np.ravel_multi_index(wild, shape, mode))
    with pytest.raises(ValueError, match="position 5 in multi_index\\[0\\] is out of range for size 3"):
        fnp.ravel_multi_index(wild, shape)
    with pytest.raises(ValueError, match="one array for each of the 3 dims, got 2"):
        fnp.ravel_multi_index(wild[:2], shape)
    with pytest.raises(fungrad.errors.FungradTypeError, match="mode='raise' needs the values"):
        make_jaxpr(lambda i: fnp.ravel_multi_index((i,), (3,)))(1)
    same(fnp.unravel_index(fnp.asarray([-1, -12, -13, 12], dtype="int8"), (3, 4))[0], [2, 0, 0, 2])
    same(fnp.unravel_index(fnp.asarray([7], dtype="int8"), (30, 40))[1], [7])
    assert fnp.unravel_index(0, ()) == ()


def test_grids_of_indices():
    x = sequence(4, 5)
    for args in (([0, 2], [1, 3, 4]), ([0], [True, False, True, True, False])):
        args = [np.array(a) for a in args]
        for mine, expected in zip(fnp.ix_(*args), np.ix_(*args), strict=True):
            same(mine, expected)
        same(fnp.asarray(x)[fnp.ix_(*args)], x[np.ix_(*args)])
    with pytest.raises(ValueError, match="must be 1-dimensional"):
        fnp.ix_(x)
    for n, k, m in ((3, 0, None), (2, 1, 4), (4, -1, 2), (0, 0, None)):
        for name in ("tril_indices", "triu_indices"):
            for mine, expected in zip(getattr(fnp, name)(n, k, m), getattr(np, name)(n, k, m), strict=True):
                same(mine, expected)
        for name in ("tril_indices_from", "triu_indices_from"):
            arr = np.ones((n, n if m is None else m))
            for mine, expected in zip(getattr(fnp, name)(arr, k), getattr(np, name)(arr, k), strict=True):
                same(mine, expected)
    for mine, expected in zip(fnp.diag_indices(3, 3), np.diag_indices(3, 3), strict=True):
        same(mine, expected)
    for mine, expected in zip(fnp.mask_indices(3, fnp.triu, 1), np.mask_indices(3, np.triu, 1), strict=True):
        same(mine, expected)
    same(fnp.mask_indices(3, fnp.triu, 1, size=5)[0], [0, 0, 1, 0, 0])
    for wrong in (np.ones((2, 3)), np.ones(3)):
        with pytest.raises(ValueError, match="all of the same size"):
            fnp.diag_indices_from(wrong)


@pytest.mark.parametrize("mode", [None, "clip", "wrap"])
def test_put(mode):
    for idx, values in (([0, 2, 4], [1.0, 2.0]), ([7, -1, -9], [3.0]), ([1], [5.0, 6.0]), ([], [1.0]), ([1], [])):
        idx, values = np.array(idx, int), np.array(values)
        expected = sequence(2, 3)
        np.put(expected, idx, values, mode=mode or "clip")
        same(fnp.put(sequence(2, 3), idx, values, mode, inplace=False), expected)


def test_place_and_fill_diagonal():
    mask = np.array([[True, False, True], [True, True, False]])
    for values in ([1.0, 2.0], [7.0], [1.0, 2.0, 3.0, 4.0, 5.0]):
        expected = sequence(2, 3)
        np.place(expected, mask, values)
        same(fnp.place(sequence(2, 3), mask, np.array(values), inplace=False), expected)
        traced_place = lambda m, v: fnp.place(sequence(2, 3), m, v, inplace=False)  # noqa: E731
        same(make_and_run(traced_place, mask, np.array(values)), expected)
    for shape in ((3, 3), (5, 2), (2, 5), (3, 3, 3), (0, 0)):
        for wrap in (False, True):
            for values in (9.0, np.arange(2.0), np.arange(20.0)):
                expected = sequence(*shape)
                np.fill_diagonal(expected, values, wrap)
                same(fnp.fill_diagonal(sequence(*shape), values, wrap, inplace=False), expected)
    with pytest.raises(ValueError, match="all of the same size"):
        fnp.fill_diagonal(np.ones((2, 3, 2)), 1.0, inplace=False)


@pytest.mark.parametrize("method", ["set", "add", "multiply", "min", "max", "divide", "power"])
def test_updates_of_empty_dimensions_are_dropped(method):
    x, i = fnp.zeros((0, 3)), fnp.array([0, 1])
    for index in (i, (i, 0), fnp.array(0), (i[:, None], i)):
        update = lambda x, index=index: getattr(x.at[index], method)(1.0)  # noqa: E731
        assert update(x).shape == fungrad.jit(update)(x).shape == (0, 3)
    assert fungrad.vmap(lambda k: getattr(fnp.zeros(0).at[k], method)(1.0))(i).shape == (2, 0)
    assert x.at[i].apply(fnp.sin).shape == (0, 3)
    with pytest.raises(IndexError, match="size 0"):
        x[i]
