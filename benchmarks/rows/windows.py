"""Pooling over windows, gather and scatter, sorting of many short rows."""

import numpy as np

from benchmarks.registry import data, row

IMAGES = (32, 64, 64, 32)


def _pool(lib, x, window=2, stride=2, padding="VALID"):
    return lib.lax.reduce_window(x, -np.inf, lib.lax.max, (1, window, window, 1), (1, stride, stride, 1), padding)


row("cnn/maxpool_fwd", IMAGES, bytes=2.1e7)(lambda lib: lambda x: _pool(lib, x))
row("cnn/maxpool_grad", IMAGES, bytes=3.8e7)(lambda lib: lib.grad(lambda x: (_pool(lib, x) ** 2).sum()))
row("cnn/maxpool3_grad", IMAGES, bytes=3.8e7)(lambda lib: lib.grad(lambda x: (_pool(lib, x, 3, 2, "SAME") ** 2).sum()))
row("cnn/avgpool3_fwd", IMAGES, bytes=3.4e7)(
    lambda lib: lambda x: lib.lax.reduce_window(x, 0.0, lib.lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME")
)


@row("cnn/maxpool_grad_torch_layout", (32, 32, 64, 64), bytes=3.8e7)
def channels_first(lib):
    def pool(x):
        return lib.lax.reduce_window(x, -np.inf, lib.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    return lib.grad(lambda x: (pool(x) ** 2).sum())


# -- sorting -----------------------------------------------------------------------------------------------------------

rows_of_32 = row("sort/sort_10000x32", (10_000, 32))(lambda lib: lambda x: lib.np.sort(x, axis=1))
rows_of_32.variant("numpy")(lambda lib: lambda x: np.sort(x, axis=1))
rows_of_32.variant("torch")(lambda lib: lambda x: lib.sort(x, dim=1)[0])
argsort_of_32 = row("sort/argsort_10000x32", (10_000, 32))(lambda lib: lambda x: lib.np.argsort(x, axis=1))
argsort_of_32.variant("numpy")(lambda lib: lambda x: np.argsort(x, axis=1, kind="stable"))
row("sort/sort_4096x1000", (4096, 1000))(lambda lib: lambda x: lib.np.sort(x, axis=1))
top = row("sort/top10_of_4096x1000", (4096, 1000))(lambda lib: lambda x: lib.lax.top_k(x, 10))
top.variant("torch")(lambda lib: lambda x: lib.topk(x, 10))
top_of_one = row("sort/top64_of_1e6", (10**6,))(lambda lib: lambda x: lib.lax.top_k(x, 64))
top_of_one.variant("torch")(lambda lib: lambda x: lib.topk(x, 64))
row("sort/by_two_keys_1e5", (10**5,), (10**5,), (10**5,))(
    lambda lib: lambda x, y, z: lib.lax.sort((lib.np.round(x), y, z), num_keys=2)
)
row("sort/median_4096x100", (4096, 100))(lambda lib: lambda x: lib.np.median(x, axis=1))


# -- gather and scatter ------------------------------------------------------------------------------------------------


def _indexed(name, shape, indices, function, **facts):
    """A row of a function of an array and of integers."""

    @row(name, **facts)
    def made(lib):
        x, places = lib.asarray(data(shape)), lib.asarray(indices)
        f = lib.jit(function(lib))
        return lambda: lib.done(f(x, places))


def _places(n, *shape):
    return np.random.default_rng(1).integers(0, n, shape).astype(np.int32)


def _sums(lib):
    return lambda x, ids: lib.np.zeros((1000, *x.shape[1:]), x.dtype).at[ids].add(x)


TABLE = (32_000, 128)
_indexed("index/embedding", TABLE, _places(32_000, 8192), lambda lib: lambda w, ids: w[ids], bytes=8.4e6)
_indexed(
    "index/embedding_grad",
    TABLE,
    _places(32_000, 8192),
    lambda lib: lib.grad(lambda w, ids: (w[ids] ** 2).sum()),
    bytes=2.1e7,
)
_indexed("index/gather_1e6", (10**6,), _places(10**6, 10**6), lambda lib: lambda x, at: x[at], bytes=1.2e7)
_indexed(
    "index/gather2d_1e6",
    (1000, 1000),
    _places(1000, 10**6, 2),
    lambda lib: lambda x, at: x[at[:, 0], at[:, 1]],
    bytes=1.2e7,
)
_indexed("index/segment_sum_1e6", (10**6,), _places(1000, 10**6), _sums, bytes=8e6, tolerance=1e-3)
_indexed("index/segment_sum_sorted_1e6", (10**6,), np.sort(_places(1000, 10**6)), _sums, bytes=8e6, tolerance=1e-3)
_indexed("index/segment_sum_rows_1e5x64", (10**5, 64), _places(1000, 10**5), _sums, bytes=2.6e7, tolerance=1e-3)
