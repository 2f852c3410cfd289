"""Every function of NumPy and ``scipy.special``, called on arrays that are differentiated: right, or refused.

A function whose derivative is dropped in silence gives zeros here where its differences are not zero.
"""

import warnings

import numpy as np
import pytest
import scipy.special

import fungrad
import fungrad.numpy as jnp

AT = np.array([0.7, 0.4, 0.9])
STEP = 1e-6

# How a function may be called; the first pattern that NumPy accepts counts, each is tried.
PATTERNS = {
    "f(x)": lambda f, x: f(x),
    "f(x, x)": lambda f, x: f(x, x),
    "f([x, x])": lambda f, x: f([x, x]),
    "f(x, 2)": lambda f, x: f(x, 2),
    "f(2.0, x)": lambda f, x: f(2.0, x),
    "f(x, [1, 2, 3])": lambda f, x: f(x, [1.0, 2.0, 3.0]),
    "f(x[0])": lambda f, x: f(x[0]),
    "f(matrix)": lambda f, x: f(x[:, None] * x + np.diag([1.0, 2.0, 4.0])),
    "f(matrix, x)": lambda f, x: f(x[:, None] * x + np.diag([1.0, 2.0, 4.0]), x),
    "f(mask, x)": lambda f, x: f(np.array([True, False, True]), x),
    "f(mask, x, x)": lambda f, x: f(np.array([True, False, True]), x, x * x),
    "f(x, x, x)": lambda f, x: f(x, x, x),
    "f(2.0, 3.0, x)": lambda f, x: f(2.0, 3.0, x),
    "f(1.5, x, 0.5)": lambda f, x: f(1.5, x, 0.5),
    "f(3, x)": lambda f, x: f(3, x),
    "f(x, axis=0)": lambda f, x: f(x, axis=0),
    "f(b, x)": lambda f, x: _written(f, x),
}
# They write files or tell of the installation, and what they return is no function of values.
LEFT_OUT = frozenset({"save", "savez", "savez_compressed", "savetxt", "test", "empty_like"})
# The derivative is zero by definition, as in JAX: a neighbour among the numbers; or nan, the slope of a root at zero.
DEFINED = {"nextafter": PATTERNS.keys(), "std": {"f(x[0])"}, "nanstd": {"f(x[0])"}}


def _written(f, x):
    b = np.zeros(3)
    f(b, x)
    return b


def _functions():
    for module in (np, np.linalg, np.fft, scipy.special):
        for name in sorted(dir(module)):
            f = getattr(module, name)
            dispatches = isinstance(f, np.ufunc) or hasattr(f, "_implementation") or module is scipy.special
            if callable(f) and dispatches and not isinstance(f, type) and name not in LEFT_OUT and name[0] != "_":
                yield pytest.param(f, id=f"{module.__name__}.{name}")


def _total(result):
    """One real number of whatever a function returns; None if there is none."""
    if isinstance(result, (list, tuple)):
        parts = [_total(r) for r in result]
        return None if not parts or any(p is None for p in parts) else sum(parts)
    if not isinstance(result, (np.ndarray, np.generic, float, int, complex, fungrad.Array)):
        return None
    if not isinstance(result, fungrad.Array):
        result = np.asarray(result)
        if result.dtype.kind not in "biufc":
            return None
        return (result.real.sum() + result.imag.sum()) if result.dtype.kind == "c" else result.sum(dtype=np.float64)
    if jnp.iscomplexobj(result):
        return jnp.sum(jnp.real(result)) + jnp.sum(jnp.imag(result))
    return jnp.sum(result) * 1.0


def _slopes(call):
    """Derivative along each coordinate by differences, None where there is no number or no derivative."""
    out = []
    for direction in np.eye(3):
        values = [_total(call(AT + k * STEP * direction)) for k in (-2, -1, 1, 2)]
        if any(v is None or not np.isfinite(v) for v in values):
            return None
        near, far = (values[2] - values[1]) / (2 * STEP), (values[3] - values[0]) / (4 * STEP)
        if abs(near - far) > 1e-3 * (1 + abs(near)):
            return None
        out.append(near)
    return np.array(out)


@pytest.mark.parametrize("function", list(_functions()))
def test_no_derivative_is_dropped(function):
    wrong = {}
    with fungrad.enable_x64(True), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, pattern in PATTERNS.items():

            def call(x, pattern=pattern):
                return pattern(function, x)

            try:
                wanted = _slopes(call)
            except Exception:  # noqa: BLE001 - not a way to call this function
                continue
            if wanted is None:
                continue
            try:
                got = fungrad.grad(lambda x, call=call: _total(call(x)) + 0.0 * x[0])(jnp.asarray(AT))
            except (TypeError, ValueError, NotImplementedError):
                continue
            if not np.allclose(got, wanted, rtol=1e-3, atol=1e-4) and name not in DEFINED.get(function.__name__, ()):
                wrong[name] = (np.asarray(got).tolist(), wanted.tolist())
    assert not wrong


@pytest.mark.parametrize("function", [jnp.quantile, jnp.nanquantile], ids=["quantile", "nanquantile"])
@pytest.mark.parametrize("method", ["linear", "midpoint", "lower", "inverted_cdf", "median_unbiased"])
@pytest.mark.parametrize("compiled", [False, True])
def test_quantiles_that_share_elements_add_their_gradients(function, method, compiled):
    x, q = np.array([[0.7, 0.4, 0.9], [0.1, 0.5, 0.2]]), np.array([0.7, 0.9, 0.75, 0.1])

    def f(x):
        return jnp.sum(function(x, q, axis=1, method=method) ** 2)

    gradient = fungrad.grad(f)
    with fungrad.enable_x64(True):
        got = (fungrad.jit(gradient) if compiled else gradient)(jnp.asarray(x))
        for place in np.ndindex(x.shape):
            step = np.zeros_like(x)
            step[place] = STEP
            slope = (float(f(jnp.asarray(x + step))) - float(f(jnp.asarray(x - step)))) / (2 * STEP)
            np.testing.assert_allclose(got[place], slope, rtol=1e-5, atol=1e-7)
