"""``fungrad.scipy.special`` against SciPy, and its derivatives against differences and JAX."""

import numpy as np
import pytest
import scipy.special as sp

import fungrad
import fungrad.numpy as jnp
from fungrad.scipy import special
from fungrad.test_util import check_grads

ANY = np.array([-3.0, -1.2, -0.3, 0.0, 0.4, 1.0, 2.5, 6.0], np.float32)
POSITIVE = np.array([0.1, 0.5, 1.0, 2.5, 7.0], np.float32)
UNIT = np.array([0.05, 0.3, 0.5, 0.95], np.float32)

ONE = {
    "erf": ANY, "erfc": ANY, "erfinv": UNIT, "ndtr": ANY, "expit": ANY, "logit": UNIT, "entr": POSITIVE,
    "gammaln": POSITIVE, "gamma": np.array([-2.5, -0.5, 0.5, 1.0, 4.0], np.float32), "factorial": POSITIVE,
    "digamma": POSITIVE, "i0": ANY, "i0e": ANY, "i1": ANY, "i1e": ANY,
}  # fmt: skip
TWO = {
    "xlogy": (np.array([0.0, 1.0, 2.0], np.float32), np.array([0.0, 2.0, 0.5], np.float32)),
    "xlog1py": (np.array([0.0, 1.0, 2.0], np.float32), np.array([-1.0, 2.0, 0.5], np.float32)),
    "rel_entr": (POSITIVE, POSITIVE[::-1].copy()),
    "kl_div": (POSITIVE, POSITIVE[::-1].copy()),
    "gammainc": (POSITIVE, POSITIVE[::-1].copy()),
    "gammaincc": (POSITIVE, POSITIVE[::-1].copy()),
    "betaln": (POSITIVE, POSITIVE[::-1].copy()),
    "beta": (POSITIVE, POSITIVE[::-1].copy()),
    "zeta": (POSITIVE + 1, POSITIVE),
}


@pytest.mark.parametrize("name", ONE)
def test_one_operand(name):
    x = ONE[name]
    f = getattr(special, name)
    for got in (f(x), fungrad.jit(f)(x)):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, getattr(sp, name)(x.astype(np.float64)), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", TWO)
def test_two_operands(name):
    x, y = TWO[name]
    f = getattr(special, name)
    for got in (f(x, y), fungrad.jit(f)(x, y)):
        wanted = getattr(sp, name)(x.astype(np.float64), y.astype(np.float64))
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


def test_others():
    np.testing.assert_allclose(special.betainc(2.0, 3.0, UNIT), sp.betainc(2.0, 3.0, UNIT), rtol=1e-4)
    np.testing.assert_allclose(special.polygamma(1, POSITIVE), sp.polygamma(1, POSITIVE), rtol=1e-4)
    np.testing.assert_allclose(special.multigammaln(POSITIVE + 2, 3), sp.multigammaln(POSITIVE + 2, 3), rtol=1e-5)
    assert special.gammasgn(np.float32(-0.5)) == -1 and np.isnan(special.gammasgn(np.float32(-1.0)))
    assert special.expit(3).dtype == np.float32
    with pytest.raises(NotImplementedError, match="math.factorial"):
        special.factorial(3, exact=True)


@pytest.mark.parametrize("name", ["erf", "erfc", "ndtr", "expit", "gammaln", "i0e", "i1e"])
def test_derivatives(name):
    check_grads(getattr(special, name), (POSITIVE,), order=2, atol=5e-2, rtol=5e-2)


def test_derivatives_stay_finite_where_the_first_operand_is_zero():
    assert float(fungrad.grad(special.xlogy, 1)(0.0, 0.0)) == 0.0
    assert float(fungrad.grad(special.xlog1py, 1)(0.0, -1.0)) == 0.0


@pytest.mark.parametrize("transform", [lambda f: f, fungrad.jit])
def test_derivatives_by_a_first_operand_of_zero_are_logarithms(transform):
    x = np.zeros(5, np.float32)
    y = np.array([2.0, 0.5, 1.0, 0.0, np.inf], np.float32)
    for name, log in (("xlogy", np.log), ("xlog1py", np.log1p)):
        f = getattr(special, name)
        with np.errstate(divide="ignore"):
            wanted = log(y)
        for g in (fungrad.grad(lambda x, f=f: f(x, y).sum()), fungrad.vmap(fungrad.grad(f), (0, 0))):
            got = transform(g)(x) if g.__name__ != f.__name__ else transform(g)(x, y)
            np.testing.assert_allclose(got, wanted, rtol=1e-6)
        np.testing.assert_array_equal(f(x, y), 0)
        assert np.isnan(transform(f)(0.0, np.nan))
        np.testing.assert_allclose(transform(fungrad.grad(fungrad.grad(f), 1))(0.0, 2.0), 1 / (2 + (log is np.log1p)))
        check_grads(f, (np.array([0.0, 1.0, 0.3], np.float32), y[:3] + np.float32(1)), order=2, atol=5e-2, rtol=5e-2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logarithms_of_beta_functions_of_large_numbers(dtype):
    """The terms of the definition cancel; for whole numbers beside them the beta function is a product."""
    large = np.array([8.0, 8.5, 1e2, 1e4, 1e7, 5e9])
    eps = np.finfo(dtype).eps
    for small, exact in ((1, -np.log(large)), (2, -np.log(large) - np.log(large + 1)),
                         (3, np.log(2) - np.log(large) - np.log(large + 1) - np.log(large + 2))):  # fmt: skip
        x, y = jnp.full(large.shape, small, dtype), jnp.asarray(large, dtype=dtype)
        for f in (special.betaln, fungrad.jit(special.betaln)):
            for got in (f(x, y), f(y, x)):
                assert got.dtype == dtype
                np.testing.assert_allclose(got, exact, rtol=20 * eps)
    with fungrad.enable_x64():
        for a, b in ((2.0, 30.0), (20.0, 20.0), (-0.5, 100.0), (8.0, 8.0), (3.0, 3.0)):
            digamma, trigamma = sp.digamma, lambda x: sp.polygamma(1, x)
            gradient = fungrad.grad(special.betaln, (0, 1))(a, b)
            np.testing.assert_allclose(gradient, [digamma(x) - digamma(a + b) for x in (a, b)], rtol=1e-10)
            hessian = fungrad.hessian(special.betaln, (0, 1))(a, b)
            mixed = -trigamma(a + b)
            np.testing.assert_allclose(hessian, [[trigamma(a) + mixed, mixed], [mixed, trigamma(b) + mixed]], rtol=1e-9)


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("kl_div", [(INF, 0.0), (1, -INF), (0, INF), (0, -1), (NAN, 1), (1, NAN), (0, NAN), (-1, NAN), (2, 3), (0, 0)]),
        ("rel_entr", [(NAN, 0.0), (0, NAN), (-1, NAN), (0, INF), (1, INF), (-1, 2), (2, 0), (2, 3)]),
        ("beta", [(0.0, 0.0), (2, INF), (-0.5, INF), (-1.5, INF), (-1.5, 0.5), (-0.5, 2), (NAN, 1), (0, 1)]),
        ("betaln", [(0.0, 0.0), (2, INF), (-0.5, INF), (-1.5, 0.5), (-0.5, 2), (1e300, 1.5), (NAN, 1), (0, 1)]),
    ],
)
@pytest.mark.parametrize("transform", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_ends_of_the_domain(name, at, transform):
    p, q = (np.array(v, float) for v in zip(*at, strict=True))
    with fungrad.enable_x64():
        got = transform(getattr(special, name))(p, q)
    np.testing.assert_allclose(got, getattr(sp, name)(p, q), rtol=1e-12, atol=1e-290)
