"""Complex numbers in compiled code: functions of Annex G against NumPy, and whole programs without host steps."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.array import wrap
from fungrad.core.avals import ShapedArray
from fungrad.jit.kernels.complexmath import RULES, ComplexScalars, is_complex
from fungrad.jit.kernels.scalars import NumpyScalars
from fungrad.test_util import check_grads


def tanh(z):
    """NumPy's; at infinity the imaginary part is a zero with the sign of that of ``z``, the array API standard's."""
    w = np.array(np.tanh(z))
    w.imag = np.where(np.isinf(z.real), np.copysign(0, z.imag), w.imag)
    return w


def turned(z):
    """``i z``, with the signs of zeros."""
    w = np.empty_like(z)
    w.real, w.imag = -z.imag, z.real
    return w


REFERENCE = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": tanh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": lambda z: -turned(tanh(turned(z))),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "abs": np.abs,
    "sign": np.sign,
}
pytestmark = pytest.mark.usefixtures("keep_subnormals")

# What C99 leaves open (the sign of a zero or an infinity whose other part is NaN), and where NumPy gives NaN although
# the limit is known.
OPEN_SIGNS = ("exp", "sinh", "cosh", "sin", "cos")
NUMPY_IS_POOR = ("expm1", "log1p")


def run(name, *operands):
    """A rule evaluated by NumPy."""
    m = ComplexScalars(NumpyScalars())
    values = [m.complex(m.base.value(z.real.copy()), m.base.value(z.imag.copy())) for z in operands]
    with np.errstate(all="ignore"):
        w = RULES[name](m, *values)
    if not is_complex(w):
        return w.raw
    out = np.empty(np.shape(w.re.raw), operands[0].dtype)
    out.real, out.imag = w.re.raw, w.im.raw
    return out


def compiled(name, z):
    """The same in a compiled program."""
    return np.asarray(fungrad.jit(getattr(lax, name))(wrap(z, ShapedArray(z.shape, z.dtype))))


def reference(name, z):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return REFERENCE[name](z)


def spread(rng, n):
    """Complex numbers of many sizes in all directions."""

    def part():
        return rng.normal(size=n) * 10.0 ** rng.uniform(-6, 3, n)

    return part() + 1j * part()


@pytest.mark.parametrize("name", REFERENCE)
def test_single_precision_errors(name):
    z = spread(np.random.default_rng(0), 20_000).astype(np.complex64)
    wide = reference(name, z.astype(np.complex128))
    if name == "log1p":
        # NumPy takes the logarithm of the rounded sum.
        z, wide = z[np.abs(z) > 1e-3], wide[np.abs(z) > 1e-3]
    representable = np.isfinite(wide) & (np.abs(wide) < 1e38)
    for got in (run(name, z), compiled(name, z)):
        error = np.abs(got[representable] - wide[representable]) / np.maximum(np.abs(wide[representable]), 1e-37)
        assert error.max() < 4e-7


@pytest.mark.parametrize("name", REFERENCE)
def test_double_precision_errors(name):
    mpmath = pytest.importorskip("mpmath")
    z = spread(np.random.default_rng(1), 300)
    z = z[np.abs(z.real) < 300]
    z = z[np.abs(z.imag) < 300]
    exact = {"abs": abs, "sign": mpmath.sign}.get(name) or getattr(mpmath, name)
    with mpmath.workdps(40):
        expected = [exact(mpmath.mpc(v)) for v in z]
        for got in (run(name, z), compiled(name, z)):
            errors = [abs(mpmath.mpmathify(g) - e) / abs(e) for g, e in zip(got.tolist(), expected, strict=True)]
            assert max(errors) < 8e-16


def same(a, b, signs):
    """Equal parts, with NaN equal to NaN, and the signs of zeros unless they are open."""
    zero = (a == b) & ((np.signbit(a) == np.signbit(b)) | (not signs))
    close = np.isfinite(a) & np.isfinite(b) & (a != 0) & (np.abs(a - b) <= 1e-5 * np.abs(b))
    return (np.isnan(a) & np.isnan(b)) | zero | close


@pytest.mark.parametrize("name", [n for n in REFERENCE if n not in NUMPY_IS_POOR])
def test_special_values(name):
    parts = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, np.inf, -np.inf, np.nan, 1e-30, 3e37, -1e30]
    z = np.array([complex(a, b) for a, b in itertools.product(parts, parts)], np.complex64)
    expected = reference(name, z)
    for got in (run(name, z), compiled(name, z)):
        with np.errstate(invalid="ignore"):
            ok = np.ones(z.shape, bool)
            for a, b, other in ((got.real, expected.real, expected.imag), (got.imag, expected.imag, expected.real)):
                open_sign = (~np.isfinite(other) | ~np.isfinite(b) | ~np.isfinite(z)) & (name in OPEN_SIGNS)
                ok &= same(a, b, True) | (open_sign & same(np.abs(a), np.abs(b), False))
        assert ok.all(), [(v, g, e) for v, g, e in zip(z[~ok], got[~ok], expected[~ok], strict=True)]


def test_accurate_near_zero_and_one():
    z = np.array([1e-9 + 2e-9j, -3e-12 + 1e-6j, 1e-20 - 1e-20j])
    for name, series in (("log1p", z - z * z / 2 + z**3 / 3), ("expm1", z + z * z / 2 + z**3 / 6)):
        np.testing.assert_allclose(compiled(name, z), series, rtol=1e-15)
        eager = getattr(lax, name)(wrap(z, ShapedArray(z.shape, z.dtype)))
        np.testing.assert_allclose(np.asarray(eager), series, rtol=1e-15)
    # |z| = 1 up to rounding: the logarithm is that rounding.
    unit = np.array([0.6 + 0.8j, np.exp(1j), np.exp(2.5j)])
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        expected = [float(mpmath.log(mpmath.mpc(v)).real) for v in unit]
    np.testing.assert_allclose(compiled("log", unit).real, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_division_does_not_overflow(dtype):
    big = np.finfo(dtype).max / 4
    x = np.array([big + big * 1j, 1e-30 + 1e-30j, 3 + 4j, 1 + 0j, 0j], dtype)
    y = np.array([big - big * 1j, 1e-30 - 1e-30j, 5j, 0j, 1j], dtype)
    wrapped = [wrap(v, ShapedArray(v.shape, v.dtype)) for v in (x, y)]
    got = np.asarray(fungrad.jit(lax.div)(*wrapped))
    np.testing.assert_allclose(got[[0, 1, 2, 4]], [1j, 1j, 0.8 - 0.6j, 0], rtol=1e-6)
    assert np.isinf(got[3].real)


# -- programs ----------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(2)
X = (RNG.normal(size=(9, 13)) + 1j * RNG.normal(size=(9, 13))).astype(np.complex64)
Y = X[::-1].copy()
ROWS = np.array([3, 4, 3, 0])

PROGRAMS = {
    "arithmetic": lambda x, y: (x * y - x / (y + 3) + 2j, -x, x == y, x != y, jnp.conj(x) * jnp.real(y) + jnp.imag(x)),
    "powers": lambda x, y: (x**2, x**3, x**-2, x**y, jnp.square(x), lax.rsqrt(x), x**0.5),
    "sums": lambda x, y: (jnp.sum(x * y), jnp.sum(x, 0), jnp.sum(x, 1), jnp.mean(x, 0), jnp.var(x), jnp.std(x, 1)),
    "products": lambda x, y: (jnp.prod(x, 0), jnp.prod(x, 1), jnp.prod(x[:2, :3])),
    "extrema": lambda x, y: (jnp.max(x, 0), jnp.min(x, 1)),
    "running": lambda x, y: (
        [f(x, a) for f in (jnp.cumsum, jnp.cumprod) for a in (0, 1)]
        + [lax.cumsum(x, 1, reverse=True), lax.cumprod(x, 0, reverse=True)]
    ),
    "selection": lambda x, y: (jnp.where(jnp.abs(x) > 1, x, y), lax.select_n(jnp.real(x) > 0, x, y)),
    "casts": lambda x, y: (x.real.astype("complex64"), x.astype("complex128"), x.astype(bool), jnp.array(2) * x),
    "movement": lambda x, y: (x.T, x[::-1], jnp.concatenate([x, y]), jnp.pad(x, 2), x[2:5, ::2], jnp.roll(x, 3, 1)),
    "indexing": lambda x, y: (x[ROWS], x.at[ROWS].add(y[:4]), x.at[ROWS].multiply(y[:4]), x.at[1, 2].set(2j)),
    "matmul": lambda x, y: (x @ y.T, jnp.einsum("ij,kj->ik", x, y), jnp.vdot(x, y), x[:2, :2] @ y[:2, :2]),
    "angles": lambda x, y: (jnp.angle(x), jnp.sign(x), jnp.abs(x), jnp.exp(1j * jnp.angle(x))),
    "scan": lambda x, y: lax.scan(lambda c, v: (c * 0.5 + v, c - v), x[0], y),
    "scalar_scan": lambda x, y: lax.scan(lambda c, v: (c * 0.5j + v, c - v), x[0, 0], y[0]),
    "while": lambda x, y: lax.while_loop(lambda z: jnp.abs(z) < 50, lambda z: z * (1.5 + 0.2j) + 0.1, x[0, 0]),
    "cond": lambda x, y: lax.cond(x[0, 0].real > 0, lambda: x @ y.T, lambda: y @ x.T),
    "small_cond": lambda x, y: lax.cond(x[0, 0].real > 0, lambda z: z * 1j, lambda z: z, y[0, 0]),
    "running_logs": lambda x, y: (lax.cumlogsumexp(x, 0), lax.cumlogsumexp(x, 1, reverse=True)),
    "iteration": lambda x, y: lax.fori_loop(0, 5, lambda _, z: z * z * 0.1 + x, y),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_native(name):
    f = fungrad.jit(PROGRAMS[name])
    x, y = jnp.asarray(X), jnp.asarray(Y)
    assert "host" not in f.lower(x, y).as_text("steps")
    expected, got = (fungrad.tree.leaves(g(x, y)) for g in (PROGRAMS[name], f))
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0), (2, 1, 5)])
def test_shapes(shape):
    x = (RNG.normal(size=shape) + 1j * RNG.normal(size=shape)).astype(np.complex64)

    def f(x):
        return x * x + 1, jnp.sum(x), jnp.prod(x), jnp.exp(x), jnp.real(x)

    for a, b in zip(fungrad.jit(f)(x), f(jnp.asarray(x)), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5)


def test_vmapped_while_loop_counts_like_numpy():
    c = (np.linspace(-2, 1, 40)[None] + 1j * np.linspace(-1.2, 1.2, 30)[:, None]).astype(np.complex64)

    def escape(c):
        def inside(state):
            z, n = state
            return (jnp.real(z) ** 2 + jnp.imag(z) ** 2 < 4) & (n < 50)

        return lax.while_loop(inside, lambda s: (s[0] * s[0] + c, s[1] + 1), (jnp.zeros_like(c), 0))[1]

    f = fungrad.jit(fungrad.vmap(fungrad.vmap(escape)))
    assert "host" not in f.lower(c).as_text("steps")
    z, count = np.zeros_like(c), np.zeros(c.shape, int)
    with np.errstate(all="ignore"):
        for _ in range(50):
            inside = z.real**2 + z.imag**2 < 4
            count += inside
            z = np.where(inside, z * z + c, z)
    # Points where rounding decides may differ.
    assert (np.asarray(f(c)) != count).mean() < 0.01


def test_gradients_in_compiled_code():
    x = jnp.asarray(X[:2, :3], "complex128")

    def f(x):
        w = jnp.exp(x * 0.3j) * jnp.sqrt(x + 5) / (x + 4)
        return jnp.sum(jnp.abs(w) ** 2) + jnp.real(jnp.prod(x))

    check_grads(fungrad.jit(f), (x,), order=2, modes=("fwd",))
    gradient = fungrad.jit(fungrad.grad(f))
    assert "host" not in gradient.lower(x).as_text("steps")
    np.testing.assert_allclose(np.asarray(gradient(x)), np.asarray(fungrad.grad(f)(x)), rtol=1e-12)
