"""Special functions of ``special_cases`` against SciPy and JAX; their derivatives against differences and mpmath."""

from __future__ import annotations

import itertools
import re
import warnings

import numpy as np
import pytest
from optable_base import array
from scipy import special as sp
from special_cases import CASES

import fungrad
import fungrad.numpy as jnp
from fungrad.scipy import special
from fungrad.test_util import check_grads

cases = pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
SHAPES = ((40,), (2, 3), (), (0,))


def call(case):
    function = getattr(special, case.function)
    return lambda *xs: function(*xs, **case.options)


def results(out):
    return out if isinstance(out, tuple) else (out,)


def reference(case, operands):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return results(case.reference(*[np.asarray(x, np.float64) for x in operands]))


@cases
def test_values(case):
    for shape, dtype, rtol in (
        *[(s, "float64", case.rtol) for s in SHAPES],
        *[(s, "float32", case.single * 1e-7) for s in SHAPES[:2]],
        (SHAPES[1], "float16", 3e-3),
        (SHAPES[1], "bfloat16", 2e-2),
    ):
        operands = case.sample(shape, dtype)
        for got, expected in zip(results(call(case)(*map(array, operands))), reference(case, operands), strict=True):
            assert got.dtype == jnp.dtype(dtype) and got.shape == expected.shape
            with np.errstate(over="ignore"):
                expected = expected.astype(got.dtype).astype(float)
            scale = np.max(np.abs(expected), initial=0)
            np.testing.assert_allclose(np.asarray(got).astype(float), expected, rtol=rtol, atol=rtol * min(scale, 1))


@pytest.mark.parametrize("case", [c for c in CASES if c.edges], ids=[c.name for c in CASES if c.edges])
def test_edges(case):
    operands = [np.array(x) for x in zip(*itertools.product(*case.edges), strict=True)]
    expected = reference(case, operands)
    for f in (call(case), fungrad.jit(call(case))):
        for got, e in zip(results(f(*map(array, operands))), expected, strict=True):
            np.testing.assert_allclose(np.asarray(got), e, rtol=max(1e-10, case.rtol), atol=1e-300)


@cases
def test_compiled_and_mapped(case):
    f = call(case)
    operands = [array(x) for x in case.sample((33,), "float32", 1)]
    compiled = fungrad.jit(f)
    assert set(re.findall(r"= host (\w+)", compiled.lower(*operands).as_text("steps"))) == set()
    eager, native, mapped = f(*operands), compiled(*operands), fungrad.vmap(f, 0, -1)(*operands)
    for e, n, m in zip(*map(results, (eager, native, mapped)), strict=True):
        np.testing.assert_allclose(np.asarray(n), np.asarray(e), rtol=case.single * 2e-7, atol=1e-6)
        np.testing.assert_allclose(np.asarray(m), np.asarray(e), rtol=case.single * 2e-7, atol=1e-6)


@cases
def test_derivatives(case):
    operands = case.sample((3,), "float64", 2)
    chosen = range(len(operands)) if case.diff is None else case.diff

    def restricted(*xs):
        full = [array(x) for x in operands]
        for i, x in zip(chosen, xs, strict=True):
            full[i] = x
        return call(case)(*full)

    xs = tuple(array(operands[i]) for i in chosen)
    loops = case.function.startswith("hyp")
    # Derivatives by parameters of hypergeometric functions are loops, which have no reverse mode of second order.
    check_grads(restricted, xs, order=1 if loops else 2, rtol=2e-4, atol=2e-5)
    if loops:
        last = len(operands) - 1
        fixed = [array(x) for x in operands[:last]]
        check_grads(lambda x: call(case)(*fixed, x), (array(operands[last]),), order=2, rtol=2e-4, atol=2e-5)


@pytest.mark.parity
@pytest.mark.parametrize("case", [c for c in CASES if c.jax != ""], ids=[c.name for c in CASES if c.jax != ""])
def test_values_are_those_of_jax(case):
    jax = pytest.importorskip("jax")
    operands = case.sample((20,), "float32", 3)
    theirs = getattr(jax.scipy.special, case.function)(*operands, **case.options)
    ours = call(case)(*operands)
    for a, b in zip(results(ours), results(theirs), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=case.jax_rtol, atol=case.jax_rtol)


# -- functions of other forms ---------------------------------------------------------------------------------------


def complex_points():
    rng = np.random.default_rng(0)
    near = rng.uniform(-7, 7, 300) + 1j * rng.uniform(-3, 7, 300)
    far = 10 ** rng.uniform(-6, 6, 300) * np.exp(1j * np.pi * rng.uniform(0, 1, 300))
    steps = np.arange(12) * np.sqrt(np.pi / 12) / 2
    return np.concatenate([near, far, steps, [0, 1j, -2j]])


def test_complex_values():
    z = complex_points()
    for function in (special.wofz, fungrad.jit(special.wofz)):
        np.testing.assert_allclose(function(array(z)), sp.wofz(z), rtol=1e-12)
        np.testing.assert_allclose(function(z.astype("complex64")), sp.wofz(z.astype("complex64")), rtol=2e-4)
    np.testing.assert_allclose(special.erfcx(array(-1j * z)), sp.wofz(z), rtol=1e-12)
    np.testing.assert_allclose(special.wofz(array(np.array(1e300 + 1e300j))), sp.wofz(1e300 + 1e300j), rtol=1e-12)
    assert special.wofz(np.float32(1)).dtype == np.complex64
    z = np.concatenate([z[:300], -z[:300]])
    for function in (special.loggamma, fungrad.jit(special.loggamma)):
        np.testing.assert_allclose(function(array(z)), sp.loggamma(z), rtol=1e-11)
    np.testing.assert_allclose(special.gamma(array(z)), sp.gamma(z), rtol=1e-10)
    assert np.isnan(special.loggamma(jnp.complex64(-2)).real)
    assert np.isnan(special.loggamma(np.float32([-1.5, 0]))).all()


def test_derivatives_of_complex_functions():
    z = array(np.array([0.3 + 0.2j, -1.2 + 0.7j, 2.0 - 0.4j, 8.0 + 9j, 0.1 + 12j]))
    for f in (special.wofz, special.loggamma):
        check_grads(f, (z,), order=2, rtol=1e-4, atol=1e-5)


def test_derivatives_where_formulas_would_cancel():
    mp = pytest.importorskip("mpmath")
    functions = {
        "erfcx": lambda t: mp.exp(t * t) * mp.erfc(t),
        "dawsn": lambda t: mp.sqrt(mp.pi) / 2 * mp.exp(-t * t) * mp.erfi(t),
        "log_ndtr": lambda t: mp.log(mp.erfc(-t / mp.sqrt(2)) / 2),
    }
    with mp.workdps(60):
        for name, function in functions.items():
            for at in (0.4, 3.5, 9.0, 25.0) if name != "log_ndtr" else (1.0, -3.0, -9.0, -40.0):
                first = fungrad.grad(getattr(special, name))
                second = fungrad.grad(first)
                for order, f in ((1, first), (2, second)):
                    exact = float(mp.diff(function, at, order))
                    np.testing.assert_allclose(float(f(array(np.float64(at)))), exact, rtol=1e-10)
                    np.testing.assert_allclose(float(f(jnp.float32(at))), exact, rtol=1e-4)


def test_far_values_of_expn():
    x = array(np.array([0.0, -1.0, np.nan, 2.0, 2.0]))
    n = array(np.array([1.0, 2.0, 2.0, -1.0, 1.5]))
    for f in (special.expn, fungrad.jit(special.expn)):
        np.testing.assert_array_equal(f(n, x), [np.inf, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(fungrad.grad(special.expn, 1)(0.0, 2.0), -np.exp(-2) * 0.75, rtol=1e-5)


def test_bernoulli():
    from fractions import Fraction

    with fungrad.enable_x64():
        numbers = np.asarray(special.bernoulli(120))
        np.testing.assert_allclose(numbers[:121], sp.bernoulli(120), rtol=1e-11)
        assert numbers[12] == float(Fraction(-691, 2730))
    for n in range(4):
        assert special.bernoulli(n).shape == (n + 1,)


def test_legendre_functions():
    z = np.linspace(-0.95, 0.95, 7)
    values, slopes = special.lpmn(4, 4, array(z))
    assert values.shape == slopes.shape == (5, 5, 7)
    for m, l in itertools.product(range(5), range(5)):
        np.testing.assert_allclose(values[m, l], sp.lpmv(m, l, z) if l >= m else 0 * z, atol=1e-12)
    jacobian = fungrad.vmap(fungrad.jacfwd(lambda z: special.lpmn_values(4, 4, z[None], False)[..., 0]))(array(z))
    np.testing.assert_allclose(np.moveaxis(np.asarray(jacobian), 0, -1), slopes, rtol=1e-9, atol=1e-9)
    normal = special.lpmn_values(3, 3, array(z), True)
    np.testing.assert_allclose(normal[2, 3], sp.sph_harm_y(3, 2, np.arccos(z), 0.0).real, atol=1e-12)


@pytest.mark.parity
def test_legendre_functions_are_those_of_jax():
    jax = pytest.importorskip("jax")
    z = np.linspace(-0.9, 0.9, 5, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = [*jax.scipy.special.lpmn(3, 3, z), jax.scipy.special.lpmn_values(3, 3, z, True)]
    ours = [*special.lpmn(3, 3, z), special.lpmn_values(3, 3, z, True)]
    for a, b in zip(ours, theirs, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_spherical_harmonics():
    n, m = (x.ravel() for x in np.meshgrid(np.arange(7), np.arange(-7, 8)))
    theta, phi = np.linspace(0.1, 3.0, len(n)), np.linspace(0, 6, len(n))
    expected = np.where(np.abs(m) <= n, sp.sph_harm_y(n, m, theta, phi), 0)
    ours = special.sph_harm_y(n, m, array(theta), array(phi))
    np.testing.assert_allclose(ours, expected, atol=1e-13)
    compiled = fungrad.jit(lambda n, m, t, p: special.sph_harm_y(n, m, t, p, n_max=6))
    np.testing.assert_allclose(compiled(n, m, array(theta), array(phi)), expected, atol=1e-12)
    assert special.sph_harm_y(np.array([2]), np.array([1]), 0.3, 0.4).shape == (1,)
    check_grads(lambda t, p: special.sph_harm_y(n[50:55], m[50:55], t, p), (array(theta[:5]), array(phi[:5])), order=2)
    with pytest.raises(ValueError, match="n_max must be given"):
        fungrad.jit(special.sph_harm_y)(n, m, array(theta), array(phi))


@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit])
def test_largest_floats_in_single_precision(wrap):
    largest = np.finfo(np.float32).max
    x = np.array([largest, -largest, 1e30, -1e30, 2e-38, -0.0], np.float32)
    np.testing.assert_allclose(wrap(special.dawsn)(array(x)), sp.dawsn(x.astype(float)), rtol=1e-6, atol=1e-38)
    np.testing.assert_array_equal(np.signbit(wrap(special.dawsn)(array(x))), np.signbit(x))
    for name in ("boxcox", "boxcox1p"):
        # With an infinite exponent, the result may still be a number far from 0.
        base, power = (
            a.ravel()
            for a in np.meshgrid(
                np.float32([0.0, 1e-30, 0.5, 9.0]), np.float32([largest, -largest, 2e37, -2e37, 500.0, -500.0])
            )
        )
        with np.errstate(all="ignore"):
            expected = getattr(sp, name)(base, power)
        got = np.asarray(wrap(getattr(special, name))(array(base), array(power)))
        np.testing.assert_allclose(got, expected, rtol=2e-4, atol=1e-38)


@pytest.mark.parametrize(("name", "x"), [("boxcox", 10.0), ("boxcox1p", 9.0)])
def test_slopes_where_powers_overflow(name, x):
    slope = fungrad.grad(getattr(special, name), (0, 1))
    for power in (np.float32(100.0), np.finfo(np.float32).max):
        assert [float(s) for s in slope(np.float32(x), power)] == [np.inf, np.inf]
    np.testing.assert_allclose(slope(np.float32(x), np.float32(-1e38)), [0.0, 0.0], atol=1e-38)
