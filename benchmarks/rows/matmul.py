"""Matrix products."""

import numpy as np

from benchmarks.registry import data, row


def _matmul(name, a_shape, b_shape, scale=1.0, **facts):
    @row(name, **facts)
    def made(lib):
        a, b = lib.asarray(data(a_shape)), lib.asarray(data(b_shape, seed=1))
        f = lib.jit(lib.np.matmul)
        return lambda: lib.done(f(a, b))

    @made.variant("numpy")
    def _(lib):
        a, b = data(a_shape), data(b_shape, seed=1)
        return lambda: np.matmul(a, b)

    @made.variant("torch")
    def _(lib):
        a, b = lib.from_numpy(data(a_shape)), lib.from_numpy(data(b_shape, seed=1))
        return lambda: lib.matmul(a, b)


for _n in (256, 1024, 2048):
    _matmul(f"matmul/f32_{_n}", (_n, _n), (_n, _n), flops=2.0 * _n**3, tolerance=1e-3)
_matmul("matmul/batched_64x128x128", (64, 128, 128), (64, 128, 128), flops=2.0 * 64 * 128**3, tolerance=1e-3)
_matmul("matmul/matvec_4096", (4096, 4096), (4096,), bytes=4.0 * 4096**2, tolerance=1e-3)
_matmul("matmul/small_1000x8x8", (1000, 8, 8), (1000, 8, 8), flops=2.0 * 1000 * 8**3)
