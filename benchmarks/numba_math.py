"""What the rows written by hand for numba share: decorators, and mathematical functions that vectorise.

numba calls the C library for ``math.exp`` and its like, one number at a time.  A patient author writes short
polynomials instead, as here, to about six digits in float32: the rows show what can be reached, not what one would
write first.
"""

import functools

import numba
import numpy as np
from numba import njit, prange

f32, i32 = np.float32, np.int32
FLAGS = {"contract", "nsz", "arcp", "afn"}

# Loops over arrays: threads, no checks for division by zero, no reassociation (it would break range reductions).
kernel = njit(parallel=True, fastmath=FLAGS, error_model="numpy")
# Sums within a kernel, which need reassociation to vectorise; and maxima, which need the absence of nan.
summing = njit(fastmath=FLAGS | {"reassoc"}, error_model="numpy")
maximum_of = njit(fastmath=True, error_model="numpy")
serial = njit(error_model="numpy")
scalar = njit(fastmath=FLAGS, error_model="numpy")


def into(run, *outputs):
    """A function of inputs that fills preallocated ``outputs`` and returns them."""

    @functools.wraps(run)
    def call(*inputs):
        run(*inputs, *outputs)
        return outputs if len(outputs) > 1 else outputs[0]

    return call


def mapped(expression):
    """A parallel loop ``out[i] = expression(x[i])`` over flat arrays."""
    f = scalar(expression)

    @kernel
    def run(x, out):
        for i in prange(x.size):
            out[i] = f(x[i])

    return run


def threads():
    """How many threads a parallel loop uses."""
    return numba.get_num_threads()


@scalar
def exp(x):
    """Taylor to degree 7 on half a binary order, scaled by a power of two put together from bits."""
    x = min(max(x, f32(-87)), f32(88))
    n = np.floor(x * f32(1.44269504) + f32(0.5))
    r = x - n * f32(0.693359375) + n * f32(2.12194440e-4)
    p = f32(1 / 720) + r * f32(1 / 5040)
    p = f32(1) + r * (f32(1) + r * (f32(0.5) + r * (f32(1 / 6) + r * (f32(1 / 24) + r * (f32(1 / 120) + r * p)))))
    return p * i32((i32(n) + i32(127)) << i32(23)).view(f32)


@scalar
def log(x):
    """The exponent from the bits, and a series in (m - 1) / (m + 1) for the mantissa m."""
    bits = f32(x).view(i32)
    e = f32((bits >> i32(23)) - i32(127))
    m = i32((bits & i32(0x7FFFFF)) | i32(0x3F800000)).view(f32)
    big = m > f32(1.41421356)
    m = m * f32(0.5) if big else m
    e = e + f32(1) if big else e
    s = (m - f32(1)) / (m + f32(1))
    z = s * s
    return e * f32(0.69314718) + f32(2) * s * (f32(1) + z * (f32(1 / 3) + z * (f32(0.2) + z * f32(1 / 7))))


@scalar
def sin(x):
    """Taylor on half a period."""
    n = np.floor(x * f32(0.318309886) + f32(0.5))
    r = x - n * f32(3.140625) - n * f32(9.67653589793e-4)
    z = r * r
    p = f32(-1 / 5040) + z * (f32(1 / 362880) - z * f32(1 / 39916800))
    p = r * (f32(1) + z * (f32(-1 / 6) + z * (f32(1 / 120) + z * p)))
    return -p if i32(n) & i32(1) else p


@scalar
def cos(x):
    return sin(x + f32(1.57079633))


@scalar
def tanh(x):
    e = exp(f32(2) * min(max(x, f32(-9)), f32(9)))
    return (e - f32(1)) / (e + f32(1))


@scalar
def erf(x):
    """Abramowitz and Stegun, 7.1.26."""
    a = abs(x)
    t = f32(1) / (f32(1) + f32(0.3275911) * a)
    p = f32(1.421413741) + t * (f32(-1.453152027) + t * f32(1.061405429))
    y = f32(1) - t * (f32(0.254829592) + t * (f32(-0.284496736) + t * p)) * exp(-a * a)
    return y if x > f32(0) else -y


@maximum_of
def row_maximum(x):
    """The largest element, in 64 lanes: numba does not vectorise the plain loop."""
    lanes = np.full(64, -np.inf, np.float32)
    for c in range(x.size // 64):
        part = x[c * 64 : (c + 1) * 64]
        for k in range(64):
            lanes[k] = max(lanes[k], part[k])
    m = f32(-np.inf)
    for k in range(64):
        m = max(m, lanes[k])
    for j in range(x.size // 64 * 64, x.size):
        m = max(m, x[j])
    return m
