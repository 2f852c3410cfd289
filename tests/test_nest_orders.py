"""Loops in another order than that of the result: transpositions, scatters of rows, memory of large results."""

import mmap
import os

import numpy as np
import pytest

import fungrad
import fungrad.numpy as fnp
from fungrad.jit.runtime.pool import aligned


@pytest.mark.parametrize("perm", [(2, 1, 0), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2)])
@pytest.mark.parametrize("shape", [(40, 33, 150), (64, 8, 256), (3, 300, 70)])
def test_transpositions_of_three_axes(shape, perm):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    got = fungrad.jit(lambda x: fnp.transpose(x, perm) * 2)(x)
    assert np.array_equal(got, np.transpose(x, perm) * 2)


@pytest.mark.parametrize("shape", [(1024, 1024), (1030, 1024), (1024, 1000)])
def test_transpositions_with_rows_of_whole_pages(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    assert np.array_equal(fungrad.jit(lambda x: x.T + 1)(x), x.T + 1)


def test_transposition_orders_keep_a_reduction_whole():
    x = np.random.default_rng(0).integers(0, 9, (40, 30, 64)).astype(np.float32)
    assert np.array_equal(fungrad.jit(lambda x: fnp.transpose(x, (2, 1, 0)).sum(axis=1))(x), x.sum(axis=1).T)


@pytest.mark.parametrize("window", [(), (5,), (64,), (3, 40)])
@pytest.mark.parametrize("mode", ["drop", "clip"])
def test_scattered_rows_meet(window, mode):
    """Rows that are added to several times, and rows outside."""
    rng = np.random.default_rng(1)
    x = rng.integers(-9, 9, (30, *window)).astype(np.float32)
    i = rng.integers(-40, 50, 400).astype(np.int32)
    u = rng.integers(-9, 9, (400, *window)).astype(np.float32)
    got = fungrad.jit(lambda x, i, u: x.at[i].add(u, mode=mode))(x, i, u)
    want = x.copy()
    place = np.where(i < 0, i + 30, i)
    keep = (place >= 0) & (place < 30) if mode == "drop" else np.ones(400, bool)
    np.add.at(want, np.clip(place, 0, 29)[keep], u[keep])
    assert np.array_equal(got, want)


def test_scattered_windows_overlap():
    """Windows at computed positions along the axis that they extend in."""
    x = np.zeros(50, np.float32)
    starts = np.array([3, 5, 4, 40], np.int32)
    positions = starts[:, None] + np.arange(6)
    got = fungrad.jit(lambda x, p: x.at[p].add(1.0))(x, positions)
    want = x.copy()
    np.add.at(want, positions, 1.0)
    assert np.array_equal(got, want)


@pytest.mark.parametrize("size", [1000, 300_000])
def test_sums_scattered_into_few_and_many_bins(size):
    """Few bins get copies for the pieces of the loop, many do not; counts are exact either way."""
    i = np.random.default_rng(2).integers(0, size, 400_000).astype(np.int32)
    got = fungrad.jit(lambda i: fnp.zeros(size).at[i].add(1.0))(i)
    assert np.array_equal(got, np.bincount(i, minlength=size))


@pytest.mark.parametrize("nbytes", [1, 1000, 1 << 20, 1 << 21, (1 << 22) + 8])
def test_memory_is_aligned_and_writable(nbytes):
    memory = aligned(nbytes)
    assert memory.nbytes == nbytes and memory.ctypes.data % 64 == 0
    memory[:] = 7
    assert memory[-1] == 7


@pytest.mark.skipif(not hasattr(os, "fork") or not hasattr(mmap, "MADV_HUGEPAGE"), reason="needs fork")
def test_large_memory_is_not_shared_with_a_child():
    memory = aligned(1 << 22)
    memory[:] = 1
    child = os.fork()
    if child == 0:
        memory[:] = 2
        os._exit(0)
    os.waitpid(child, 0)
    assert np.all(memory == 1)


def test_logarithm_of_one_plus_exponential_is_one_function():
    """Joined where nothing else uses the exponential; then it does not overflow."""
    x = np.array([-1e4, -200, -20, -1, -0.0, 0, 1e-3, 3, 20, 200, 1e4, np.inf, -np.inf, np.nan], np.float32)
    with np.errstate(all="ignore"):
        want = np.logaddexp(x.astype(float), 0)
    got = np.asarray(fungrad.jit(lambda x: fnp.log1p(fnp.exp(x)))(x))
    assert np.allclose(got, want, rtol=3e-7, atol=1e-45, equal_nan=True)
    both = fungrad.jit(lambda x: (fnp.log1p(fnp.exp(x)), fnp.exp(x)))
    y, z = both(x[1:9])
    assert np.allclose(y, np.logaddexp(x[1:9].astype(float), 0), rtol=3e-7, atol=0)
    assert np.allclose(z, np.exp(x[1:9].astype(float)), rtol=3e-7, atol=0)


@pytest.mark.parametrize("size", [1, 15, 16, 33, 1000])
def test_joined_functions_of_all_sizes(size):
    x = fnp.asarray(np.linspace(-30, 30, size), np.float64)
    got = fungrad.jit(lambda x: fnp.sum(fnp.logaddexp(x, 1.0)))(x)
    assert np.allclose(np.asarray(got), np.logaddexp(np.asarray(x), 1.0).sum(), rtol=1e-13)


@pytest.mark.parametrize("size", [12_000_000, 12_000_005])
def test_large_results_written_past_the_cache(size):
    """Every element is there, whether the size is a multiple of a cache line or not."""
    x = np.arange(size, dtype=np.float32)
    f = fungrad.jit(lambda x, y: (x + y, x - 1))
    a, b = (np.asarray(r) for r in f(x, x))
    assert np.array_equal(a, x + x) and np.array_equal(b, x - 1)
    if "vmovups" in f.lower(x, x).as_text("asm"):
        assert ("vmovntps" in f.lower(x, x).as_text("asm")) == (size % 16 == 0)


def test_donated_memory_is_written_like_any_other():
    """It may start anywhere."""
    n = 1 << 24
    x = np.ndarray(n, np.float32, np.empty(4 * n + 4, np.uint8).data, 4)
    x[:] = 1
    f = fungrad.jit(lambda x, y: x + y + y * y, donate_argnums=0)
    assert np.all(np.asarray(f(fnp.asarray(x), x)) == 3)


@pytest.mark.parametrize("shape", [(3, 300), (200, 512), (33, 4096), (5, 40_000)])
def test_rows_read_in_several_loops(shape):
    """The last loop over a row asks for the next one, also where there is none."""
    x = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    got = np.asarray(fungrad.jit(lambda x: fungrad.nn.logsumexp(x, axis=1))(x))
    assert np.allclose(got, np.log(np.exp(x.astype(float)).sum(axis=1)), rtol=1e-6)
    mean, var = fungrad.jit(lambda x: (fnp.mean(x, axis=1), fnp.var(x, axis=1)))(x)
    assert np.allclose(np.asarray(mean), x.astype(float).mean(axis=1), atol=1e-6)
    assert np.allclose(np.asarray(var), x.astype(float).var(axis=1), rtol=1e-5)


def test_statements_before_a_loop_do_not_hinder_tiling():
    def lower(x, scale):
        return fnp.where(fnp.arange(300)[:, None] >= fnp.arange(300), x.T, 0) * scale[:, None]

    x, scale = np.arange(90_000, dtype=np.float32).reshape(300, 300), np.arange(300, dtype=np.float32)
    assert " tile " in fungrad.jit(lower).lower(x, scale).as_text("steps")
    np.testing.assert_array_equal(fungrad.jit(lower)(x, scale), np.tril(x.T) * scale[:, None])
