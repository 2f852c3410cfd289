"""``ops``: reductions by segment."""

import numpy as np
import pytest

import fungrad as fg
from fungrad import ops
from fungrad.test_util import check_grads

NAMES = ["segment_sum", "segment_prod", "segment_max", "segment_min"]
RNG = np.random.default_rng(0)
IDS = np.array([0, 2, 2, -1, 5, 0, 9, 3], np.int32)


@pytest.mark.parity
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "bfloat16"])
@pytest.mark.parametrize("shape", [(8,), (8, 3), (8, 2, 0)])
@pytest.mark.parametrize(
    "options", [{}, {"num_segments": 4}, {"num_segments": 4, "mode": "clip"}, {"num_segments": 6, "bucket_size": 3}]
)
def test_values_are_those_of_jax(name, dtype, shape, options):
    jax = pytest.importorskip("jax")
    x = (RNG.uniform(1, 4, shape)).astype(jax.numpy.dtype(dtype))
    wanted = np.asarray(getattr(jax.ops, name)(x, IDS, **options))
    function = getattr(ops, name)
    results = [function(x, IDS, **options)]
    if "num_segments" in options:
        results.append(fg.jit(lambda x, i: function(x, i, **options))(x, IDS))
    for result in results:
        assert result.dtype == wanted.dtype
        np.testing.assert_allclose(
            np.asarray(result, np.float64), wanted.astype(np.float64), rtol=2e-2 if dtype == "bfloat16" else 1e-6
        )


@pytest.mark.parametrize("name", ["segment_sum", "segment_max", "segment_min"])
def test_derivatives(name):
    x = RNG.permutation(24).reshape(8, 3) / 8
    check_grads(lambda x: fg.numpy.sin(getattr(ops, name)(x, np.abs(IDS), 10)[np.abs(IDS)]), (x,), 2, atol=2e-2)
    ids = np.arange(8)[::-1]
    check_grads(lambda x: ops.segment_prod(x, ids, 9, unique_indices=True), (x,), 2, atol=2e-2)


def test_vmap():
    x = RNG.normal(size=(8, 5)).astype(np.float32)
    batched = fg.vmap(lambda x: ops.segment_sum(x, IDS, 6), in_axes=1)(x)
    np.testing.assert_allclose(batched, ops.segment_sum(x, IDS, 6).T, rtol=1e-6)
    ids = RNG.integers(0, 4, (3, 8))
    batched = fg.vmap(lambda i: ops.segment_max(x, i, 4))(ids)
    np.testing.assert_allclose(batched, np.stack([ops.segment_max(x, i, 4) for i in ids]), rtol=1e-6)


def test_large_sums_are_right_with_any_number_of_threads():
    x = RNG.integers(0, 9, (100_000, 3)).astype(np.float32)
    ids = RNG.integers(0, 50, 100_000)
    wanted = np.zeros((50, 3), np.float32)
    np.add.at(wanted, ids, x)
    for threads in (1, 2):
        with fg.threads(threads):
            np.testing.assert_array_equal(fg.jit(lambda x, i: ops.segment_sum(x, i, 50))(x, ids), wanted)


def test_no_segments():
    assert ops.segment_sum(np.ones((0, 2)), np.ones(0, np.int32)).shape == (0, 2)
    assert ops.segment_sum(np.ones(2), np.array([-1, -2])).shape == (0,)


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ((np.ones(3), np.array([0, 1])), ValueError, "one entry per row of data"),
        ((np.ones((2, 2)), np.array(0)), ValueError, "one entry per row of data"),
        ((np.ones(3), np.ones(3), 3), TypeError, "signed integer"),
        ((np.ones(3), np.arange(3), -1), ValueError, "must not be negative"),
        ((np.ones(3), np.arange(3), 3, False, False, 0), ValueError, "bucket_size must be positive"),
    ],
)
def test_errors(arguments, error, text):
    with pytest.raises(error, match=text):
        ops.segment_sum(*arguments)


def test_the_number_of_segments_must_be_known():
    with pytest.raises(fg.errors.ConcretizationTypeError, match="pass it as num_segments"):
        fg.jit(ops.segment_sum)(np.ones(3, np.float32), np.arange(3))


@pytest.mark.parametrize(
    "shape, ids",
    [((), [0, 1, 1, 2]), ((1,), [0, 1, 1, 2]), ((1, 3), [0, 1, 1, 2]), ((3,), [[0, 1, 2], [0, 0, 0]]),
     ((2, 2, 3), [[0, 1], [1, 2]]), ((2, 1, 3), [[0, 1], [1, 1]])],
)  # fmt: skip
def test_data_of_other_shapes_are_broadcast_to_one_row_per_entry(shape, ids):
    data, ids = np.random.default_rng(0).standard_normal(shape).astype(np.float32), np.array(ids)
    full = np.broadcast_to(data, (*ids.shape, *shape[1:])).reshape(ids.size, *shape[1:])
    expected = np.zeros((4, *shape[1:]), np.float32)
    np.add.at(expected, ids.reshape(-1), full)
    np.testing.assert_allclose(ops.segment_sum(data, ids, 4), expected, rtol=1e-6)
    run = fg.jit(lambda d: ops.segment_max(d, ids, 3))
    expected = np.stack([full[ids.reshape(-1) == k].max(0, initial=-np.inf) for k in range(3)])
    np.testing.assert_array_equal(run(data), expected)
    check_grads(lambda d: ops.segment_sum(d, ids, 4) ** 2, (data,), order=1)


def test_data_that_do_not_fit():
    for shape, ids in [((2, 3), [0, 1, 2]), ((4, 2), 1), ((0, 2), [0, 1])]:
        with pytest.raises(ValueError, match="one entry per row of data"):
            ops.segment_sum(np.ones(shape, np.float32), np.array(ids), 4)
