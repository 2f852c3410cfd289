"""Fourier transforms: the native kernels of all lengths and layouts, and what the op table does not look at."""

import loop_interpreter as interpret
import numpy as np
import pytest
from optable_base import array

import fungrad as fg
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.jit.front.program import compile_jaxpr
from fungrad.jit.ir import fourier

# Error of a transform relative to the root of the mean square of its results.
ERROR = {np.complex64: 3e-6, np.complex128: 1e-14}


def sample(shape, dtype=np.complex64, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)


def assert_transforms(y, x, axis=-1, inverse=False):
    wide = x.astype(np.complex128)
    wanted = np.fft.ifft(wide, axis=axis) if inverse else np.fft.fft(wide, axis=axis)
    assert y.dtype == x.dtype and y.shape == wanted.shape
    error = np.abs(np.asarray(y) - wanted).max() / np.sqrt(np.mean(np.abs(wanted) ** 2))
    assert error < ERROR[x.dtype.type], error


def native(function, x):
    """The result of a compiled function that has no step in Python."""
    x = array(x)
    compiled = fg.jit(function).lower(x).compile()
    assert " host " not in compiled.as_text("steps")
    return compiled(x)


# Lengths of each kind: one stage, several of each radix, two steps, primes with and without code of their own.
LENGTHS = (1, 2, 3, 5, 8, 9, 12, 13, 16, 31, 32, 37, 60, 64, 77, 100, 128, 257, 286, 323, 961, 1000, 1024)


@pytest.mark.parametrize("n", LENGTHS)
def test_rows(n):
    for rows, dtype in ((1, np.complex64), (3, np.complex128), (9, np.complex64), (20, np.complex128)):
        x = sample((rows, n), dtype)
        assert_transforms(native(jnp.fft.fft, x), x)
    x = sample((9, n))
    assert_transforms(native(jnp.fft.ifft, x), x, inverse=True)


@pytest.mark.parametrize(
    "shape", [(6, 9), (32, 1), (15, 16), (2, 8, 17), (3, 37, 9), (2, 100, 3), (2048, 8), (4096, 8)]
)
def test_columns(shape):
    for dtype in (np.complex64, np.complex128):
        x = sample(shape, dtype)
        assert_transforms(native(lambda x: jnp.fft.fft(x, axis=-2), x), x, axis=-2)
    assert_transforms(native(lambda x: jnp.fft.ifft(x, axis=-2), x), x, axis=-2, inverse=True)


@pytest.mark.parametrize("n", [6000, 16807, 4099, 1 << 16, 1_000_000, 1 << 22, (1 << 22) + (1 << 20)])
def test_long_rows(n):
    x = sample((n,))
    assert_transforms(native(jnp.fft.fft, x), x)


def test_many_long_rows():
    x = sample((10, 12_000), np.complex128)
    assert_transforms(native(jnp.fft.ifft, x), x, inverse=True)
    x = sample((10, 6000))
    assert_transforms(native(jnp.fft.fft, x), x)


@pytest.mark.parametrize("n", [*range(1, 18), 34, 63, 74, 100, 1000, 1001, 8192, 100_000])
def test_real(n):
    rng = np.random.default_rng(n)
    for dtype, tolerance in ((np.float32, 3e-6), (np.float64, 1e-14)):
        x = rng.normal(size=(3, n)).astype(dtype)
        half = np.fft.rfft(x.astype(np.float64))
        y = native(jnp.fft.rfft, x)
        assert y.dtype == np.result_type(dtype, np.complex64)
        scale = np.sqrt(np.mean(np.abs(half) ** 2))
        assert np.abs(np.asarray(y) - half).max() < tolerance * scale
        # imaginary parts that the inverse must not read
        half[:, 0] += 5j
        half[:, -1] += 0 if n % 2 else 3j
        z = native(lambda h: jnp.fft.irfft(h, n), half.astype(y.dtype))
        assert z.dtype == dtype
        assert np.abs(np.asarray(z) - x).max() < 10 * tolerance


def test_threads_change_nothing():
    x = sample((200_000,)), sample((64, 1024)), sample((512, 512))
    several = [np.asarray(native(jnp.fft.fft, v)) for v in x] + [np.asarray(native(jnp.fft.fft2, x[2]))]
    before = fg.config.threads
    fg.config.threads = 1
    try:
        alone = [np.asarray(fg.jit(jnp.fft.fft)(v)) for v in x] + [np.asarray(fg.jit(jnp.fft.fft2)(x[2]))]
    finally:
        fg.config.threads = before
    for a, b in zip(several, alone, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(1, 8), (5, 12), (2, 40), (9, 300)])
def test_the_interpreter_agrees(shape):
    x = sample(shape, np.complex128)
    program = compile_jaxpr(fg.make_jaxpr(lambda x: jnp.fft.fft(jnp.fft.ifft(x, axis=0) * 2))(array(x))).program
    (y,) = interpret.run(program, [x])
    np.testing.assert_allclose(y, np.fft.fft(np.fft.ifft(x, axis=0) * 2), rtol=1e-12, atol=1e-12)


def test_in_loops_and_branches():
    x = array(sample((4, 30), np.complex128))

    def smoothed(x):
        def step(carry, row):
            carry = lax.cond(row[0].real > 0, lambda v: jnp.fft.fft(v), lambda v: jnp.fft.ifft(v), carry + row)
            return carry, jnp.abs(carry)

        return lax.scan(step, jnp.zeros(30, jnp.complex128), x)

    for a, b in zip(fg.tree.leaves(fg.jit(smoothed)(x)), fg.tree.leaves(smoothed(x)), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-12, atol=1e-12)


def test_a_donated_operand():
    x = sample((8192,))
    wanted = np.fft.fft(x)
    y = fg.jit(jnp.fft.fft, donate_argnums=0)(jnp.asarray(x))
    np.testing.assert_allclose(np.asarray(y), wanted, rtol=1e-4, atol=1e-2)


def test_nan_and_infinity_stay_in_their_row():
    x = np.ones((20, 96), np.complex64)
    x[3, 5], x[7, 0] = np.nan, np.inf
    y = np.asarray(native(jnp.fft.fft, x))
    bad = ~np.isfinite(y).all(1)
    assert bad.tolist() == [k in (3, 7) for k in range(20)]


def test_lengths_of_nothing():
    # A transform of no elements is nothing, or the sum of nothing.
    assert jnp.fft.fft(jnp.zeros((3, 0))).shape == (3, 0)
    assert np.asarray(jnp.fft.rfft(jnp.zeros((3, 0)))).tolist() == [[0], [0], [0]]
    assert jnp.fft.irfft(jnp.zeros((2, 1))).shape == (2, 0)
    assert np.asarray(fg.grad(lambda x: jnp.fft.rfft(x).real.sum())(jnp.zeros(0))).shape == (0,)
    assert np.asarray(fg.grad(lambda x: jnp.fft.irfft(x + 0j).sum())(jnp.ones(1))).tolist() == [0]


def test_plans():
    for n in range(1, 3000):
        assert all(np.prod(fourier.radices(n, registers)) == n for registers in (16, 32))
        parts = fourier.split(n)
        assert parts is None or parts[0] * parts[1] == n
    assert fourier.split(2**22) == (2048, 2048)


def test_roots_are_accurate():
    for n in (1, 3, 8, 1000, 2**20 + 7):
        k = np.arange(0, n, max(1, n // 1000))
        angle = 8 * np.arctan(np.longdouble(1)) * k / n
        assert np.abs(fourier.roots(n, k) - (np.cos(angle) - 1j * np.sin(angle))).max() < 2e-16


def test_numpy_calls_come_to_ours():
    x = jnp.arange(8.0)
    for name in ("fft", "rfft", "fftshift"):
        assert isinstance(getattr(np.fft, name)(x), fg.Array)
    gradient = fg.grad(lambda x: np.fft.irfft(np.fft.rfft(x) * 2.0).sum())(x)
    np.testing.assert_allclose(np.asarray(gradient), 2 * np.ones(8), rtol=1e-5)


def test_convolution_theorem_differentiates():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 3, 12))

    def through(x, y):
        return jnp.fft.irfft(jnp.fft.rfft(x, 23) * jnp.fft.rfft(y, 23), 23)

    def direct(x, y):
        return fg.vmap(jnp.convolve)(x, y)

    for order in (lambda f: f, lambda f: fg.jacrev(f, (0, 1)), lambda f: fg.jacfwd(fg.jacrev(f), 1)):
        a, b = order(through)(x, y), order(direct)(x, y)
        for u, v in zip(fg.tree.leaves(a), fg.tree.leaves(b), strict=True):
            np.testing.assert_allclose(np.asarray(u), np.asarray(v), rtol=1e-4, atol=1e-5)


@pytest.mark.parity
def test_types_and_gradients_are_those_of_jax():
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(2)
    for dtype in ("float16", "bfloat16", "int8", "int32", "bool", "float32", "complex64"):
        ours = jnp.fft.fft(jnp.ones(3, dtype))
        assert ours.dtype == jax.numpy.fft.fft(jax.numpy.ones(3, dtype)).dtype
    z = (rng.normal(size=(3, 5)) + 1j * rng.normal(size=(3, 5))).astype(np.complex64)

    def losses(lib):
        f = lib.numpy.fft
        return [
            lambda z: (lib.numpy.abs(f.fft(z)) ** 3).sum(),
            lambda z: (f.irfft(z, 8) ** 3).sum(),
            lambda z: (f.irfftn(z) ** 3).sum(),
            lambda z: (f.hfft(z, axis=0) ** 3).sum(),
            lambda z: (lib.numpy.abs(f.rfftn(z.real)) ** 3).sum(),
            lambda z: (lib.numpy.abs(f.ihfft(z.imag, 7)) ** 3).sum(),
        ]

    for ours, theirs in zip(losses(fg), losses(jax), strict=True):
        a, b = np.asarray(fg.grad(ours)(z)), np.asarray(jax.grad(theirs)(z))
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4 * np.abs(b).max())
        np.testing.assert_allclose(np.asarray(fg.jit(fg.grad(ours))(z)), b, rtol=2e-4, atol=2e-4 * np.abs(b).max())


def test_frequencies():
    for n, d in ((1, 1.0), (2, 0.5), (5, 2.0), (8, 0.1), (9, 3)):
        for name in ("fftfreq", "rfftfreq"):
            ours, wanted = getattr(jnp.fft, name)(n, d), getattr(np.fft, name)(n, d)
            assert ours.dtype == np.float32
            np.testing.assert_allclose(np.asarray(ours), wanted, rtol=1e-6)
            double = getattr(jnp.fft, name)(n, d, dtype="float64")
            np.testing.assert_allclose(np.asarray(double), wanted, rtol=1e-15)
    assert jnp.fft.fftfreq(0).shape == (0,)
    slope = fg.grad(lambda d: jnp.fft.fftfreq(4, d)[1])(2.0)
    np.testing.assert_allclose(float(slope), -1 / 16, rtol=1e-6)


def test_shifts_undo_each_other():
    x = jnp.arange(30).reshape(5, 6)
    for axes in (None, 0, -1, (0, 1), (1,)):
        np.testing.assert_array_equal(np.asarray(jnp.fft.fftshift(x, axes)), np.fft.fftshift(np.asarray(x), axes))
        assert jnp.array_equal(jnp.fft.ifftshift(jnp.fft.fftshift(x, axes), axes), x)
