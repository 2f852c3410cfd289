"""Matrix products."""

import numpy as np

from benchmarks.registry import row


def _matmul(name, a, b, bytes, flops=0.0):
    made = row(name, a, b, bytes=4.0 * bytes, flops=2.0 * flops, tolerance=1e-3)(lambda lib: lib.np.matmul)
    made.variant("numpy")(lambda lib: np.matmul)
    made.variant("torch", "torchc")(lambda lib: lib.matmul)


for _n in (256, 512, 1024, 2048):
    _matmul(f"matmul/f32_{_n}", (_n, _n), (_n, _n), 3 * _n**2, _n**3)
_matmul("matmul/batched_64x128x128", (64, 128, 128), (64, 128, 128), 3 * 64 * 128**2, 64 * 128**3)
_matmul("matmul/matvec_4096", (4096, 4096), (4096,), 4096**2, 4096**2)
_matmul("matmul/small_1000x8x8", (1000, 8, 8), (1000, 8, 8), 3000 * 8**2, 1000 * 8**3)
