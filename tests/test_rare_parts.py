"""Functions that skip rare cases a register at a time, for all lengths of the last vectors."""

import numpy as np
import pytest
import scipy.special

import fungrad
import fungrad.numpy as fnp
from fungrad import lax

FUNCTIONS = {
    "erf_inv": (lax.erf_inv, scipy.special.erfinv),
    "sin": (lambda x: fnp.sin(x * 1e6), lambda x: np.sin(x * 1e6)),
    "igamma": (lambda x: lax.igamma(x + 2, x + 1.5), lambda x: scipy.special.gammainc(x + 2, x + 1.5)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-4), (np.float64, 1e-9)])
def test_lengths(name, dtype, tolerance):
    f, reference = FUNCTIONS[name]
    with fungrad.enable_x64():
        for n in (1, 7, 17, 24, 40, 48, 63, 112, 176, 304):
            x = (np.random.default_rng(n).uniform(-1, 1, n) * 0.99999).astype(dtype)
            exact = x.astype(np.float64)
            if name == "sin":
                exact = (x * dtype(1e6)).astype(np.float64) / 1e6
            np.testing.assert_allclose(fungrad.jit(f)(x), reference(exact), rtol=tolerance, atol=tolerance)


def test_ends_of_the_inverse_error_function():
    x = np.float32([-1, 1, 1.5, -2, np.nan, np.inf, -np.inf, 0, -0.0, 0.9908, 0.99999994] * 7)
    found = np.asarray(fungrad.jit(lax.erf_inv)(x))
    wanted = scipy.special.erfinv(x.astype(np.float64))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    np.testing.assert_array_equal(np.signbit(found[7::11]), False)
    np.testing.assert_array_equal(np.signbit(found[8::11]), True)
