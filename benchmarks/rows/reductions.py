"""Reductions, running sums and sorting."""

import numpy as np

from benchmarks.registry import data, row


def _jitted(name, function, shape, numpy_function=None, **facts):
    @row(name, **facts)
    def made(lib):
        x = lib.asarray(data(shape))
        f = lib.jit(function(lib))
        return lambda: lib.done(f(x))

    if numpy_function is not None:

        @made.variant("numpy")
        def _(lib):
            x = data(shape)
            return lambda: numpy_function(x)


_jitted("reduce/sumsq_1e7", lambda lib: lambda x: lib.np.sum(x * x), (10**7,), lambda x: np.dot(x, x), bytes=4e7)
_jitted(
    "reduce/mean_var_axis1_4096sq",
    lambda lib: lambda x: (lib.np.mean(x, axis=1), lib.np.var(x, axis=1)),
    (4096, 4096),
    lambda x: (x.mean(axis=1), x.var(axis=1)),
    bytes=4.0 * 4096**2,
)
_jitted(
    "reduce/mean_var_axis0_4096sq",
    lambda lib: lambda x: (lib.np.mean(x, axis=0), lib.np.var(x, axis=0)),
    (4096, 4096),
    lambda x: (x.mean(axis=0), x.var(axis=0)),
    bytes=4.0 * 4096**2,
)
_jitted("reduce/logsumexp_4096sq", lambda lib: lambda x: lib.nn.logsumexp(x, axis=1), (4096, 4096), bytes=4.0 * 4096**2)
_jitted(
    "reduce/argmax_4096sq", lambda lib: lambda x: lib.np.argmax(x, axis=1), (4096, 4096), lambda x: x.argmax(axis=1)
)
_jitted("reduce/cumsum_1e7", lambda lib: lib.np.cumsum, (10**7,), np.cumsum, tolerance=1e-2)
_jitted(
    "reduce/cumsum_axis0_2048sq",
    lambda lib: lambda x: lib.np.cumsum(x, axis=0),
    (2048, 2048),
    lambda x: x.cumsum(axis=0),
    tolerance=1e-2,
)
_jitted("sort/sort_1e6", lambda lib: lib.np.sort, (10**6,), np.sort)
_jitted("sort/argsort_1e6", lambda lib: lib.np.argsort, (10**6,), lambda x: np.argsort(x, kind="stable"))
