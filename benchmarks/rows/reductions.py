"""Reductions, running sums and sorting."""

import numpy as np

from benchmarks.registry import row
from benchmarks.rows.elementwise import sum_of_exponentials

SQUARE = (4096, 4096)
SQUARE_BYTES = 4.0 * 4096**2

sumsq = row("reduce/sumsq_1e7", (10**7,), bytes=4e7)(lambda lib: lambda x: lib.np.sum(x * x))
sumsq.variant("torch", "torchc")(lambda lib: lambda x: (x * x).sum())
sumsq.variant("numpy")(lambda lib: lambda x: np.dot(x, x))


def _mean_var(axis):
    made = row(f"reduce/mean_var_axis{axis}_4096sq", SQUARE, bytes=SQUARE_BYTES, tolerance=1e-3)(
        lambda lib: lambda x: (lib.np.mean(x, axis=axis), lib.np.var(x, axis=axis))
    )
    made.variant("numpy")(lambda lib: lambda x: (x.mean(axis=axis), x.var(axis=axis)))
    made.variant("torch", "torchc")(lambda lib: lambda x: (x.mean(axis), x.var(axis, correction=0)))
    return made


@_mean_var(1).variant("numba")
def _(lib):
    f32, prange = lib.f32, lib.prange

    @lib.summing
    def mean_var(x):
        s, q, first = f32(0), f32(0), x[0]
        for j in range(x.size):
            d = x[j] - first
            s += d
            q += d * d
        mean = s / f32(x.size)
        return first + mean, q / f32(x.size) - mean * mean

    @lib.kernel
    def run(x, mean, var):
        for i in prange(x.shape[0]):
            mean[i], var[i] = mean_var(x[i])

    return lib.into(run, np.zeros(4096, np.float32), np.zeros(4096, np.float32))


@_mean_var(0).variant("numba")
def _(lib):
    f32, prange, width = lib.f32, lib.prange, 512

    @lib.serial
    def block(x, mean, var, start):
        """Columns start to start + width, shifted by their first row."""
        s, q, first = np.zeros(width, np.float32), np.zeros(width, np.float32), x[0, start : start + width]
        for i in range(x.shape[0]):
            line = x[i, start : start + width]
            for j in range(width):
                d = line[j] - first[j]
                s[j] += d
                q[j] += d * d
        for j in range(width):
            m = s[j] / f32(x.shape[0])
            mean[start + j] = first[j] + m
            var[start + j] = q[j] / f32(x.shape[0]) - m * m

    @lib.kernel
    def run(x, mean, var):
        for b in prange(x.shape[1] // width):
            block(x, mean, var, b * width)

    return lib.into(run, np.zeros(4096, np.float32), np.zeros(4096, np.float32))


logsumexp = row("reduce/logsumexp_4096sq", SQUARE, bytes=SQUARE_BYTES)(
    lambda lib: lambda x: lib.nn.logsumexp(x, axis=1)
)
logsumexp.variant("torch", "torchc")(lambda lib: lambda x: lib.logsumexp(x, 1))


@logsumexp.variant("numpy")
def _(lib):
    def f(x):
        m = x.max(axis=1)
        return m + np.log(np.exp(x - m[:, None]).sum(axis=1))

    return f


@logsumexp.variant("numba")
def _(lib):
    row_maximum, log, prange, sum_exp = lib.row_maximum, lib.log, lib.prange, sum_of_exponentials(lib)

    @lib.kernel
    def run(x, out):
        for i in prange(x.shape[0]):
            m = row_maximum(x[i])
            out[i] = m + log(sum_exp(x[i], m))

    return lib.into(run, np.zeros(4096, np.float32))


def _simple(name, shape, function, numpy_function, torch_function, **facts):
    """A row of one function of one array."""
    made = row(name, shape, **facts)(function)
    made.variant("numpy")(lambda lib: numpy_function)
    made.variant("torch", "torchc")(lambda lib: torch_function)


_simple(
    "reduce/argmax_4096sq",
    SQUARE,
    lambda lib: lambda x: lib.np.argmax(x, axis=1),
    lambda x: x.argmax(axis=1),
    lambda x: x.argmax(1),
    bytes=SQUARE_BYTES,
)
_simple(
    "reduce/cumsum_1e7",
    (10**7,),
    lambda lib: lib.np.cumsum,
    np.cumsum,
    lambda x: x.cumsum(0),
    bytes=8e7,
    tolerance=1e-2,
)
_simple(
    "reduce/cumsum_axis0_2048sq",
    (2048, 2048),
    lambda lib: lambda x: lib.np.cumsum(x, axis=0),
    lambda x: x.cumsum(axis=0),
    lambda x: x.cumsum(0),
    bytes=8.0 * 2048**2,
    tolerance=1e-2,
)
_simple("sort/sort_1e6", (10**6,), lambda lib: lib.np.sort, np.sort, lambda x: x.sort()[0], bytes=8e6)
_simple(
    "sort/argsort_1e6",
    (10**6,),
    lambda lib: lib.np.argsort,
    lambda x: np.argsort(x, kind="stable"),
    lambda x: x.argsort(stable=True),
    bytes=8e6,
)
