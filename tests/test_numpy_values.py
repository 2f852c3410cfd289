"""Functions of fungrad.numpy against NumPy: values in every dtype; the same compiled, batched and differentiated."""

import ast
import warnings
from functools import partial

import numpy as np
import pytest
from numpy_cases import CASES, evaluate, variables

import fungrad
import fungrad.numpy as fnp
from fungrad.errors import FungradTypeError
from fungrad.test_util import check_grads

DTYPES = ["float32", "int32", "bool", "complex64"]
ALL = [e for family in CASES.values() for e in family]

# Where JAX, and so fungrad, differs from NumPy on purpose: the beginning of the expression and the dtypes.
EVERY = tuple(DTYPES)
NOT_NUMPY = {
    # Float results of integers, integer division by zero, negative exponents, shifts beyond the width.
    "np.reciprocal": ("int32", "bool"),
    "np.power": ("int32", "bool"),
    "np.float_power": ("bool",),
    "x **": ("bool",),
    "np.left_shift": EVERY,
    "np.right_shift": EVERY,
    "1 << k": EVERY,
    "np.floor_divide": ("int32", "bool"),
    "np.divmod": ("int32", "bool"),
    "np.nextafter": EVERY,
    "np.lcm(x, k)": ("bool",),
    # Booleans are numbers here.
    "np.trapezoid": ("bool",),
    "np.histogram(v, bins=3, weights=w)": ("bool",),
    # Limits at infinities, as in the array API standard.
    "np.floor_divide(n": EVERY,
    "np.floor_divide(x, n": EVERY,
    "np.divmod(n": EVERY,
    "np.divmod(x, n": EVERY,
    "np.expm1(n)": ("complex64",),
    # Infinities of complex numbers, or no order of them.
    "np.exp2(n)": ("complex64",),
    "np.histogram": ("complex64",),
    "np.quantile(n": EVERY,
    "np.modf(n)": EVERY,
    # Sorted in place; not stable; not sorted; trimmed.
    "x.sort()": EVERY,
    "np.argsort(n": EVERY,
    "np.unique_values": EVERY,
    "np.polymul": EVERY,
    # Widths of 32 bit by default, and what depends on them.
    "x.itemsize": EVERY,
    "x.nbytes": EVERY,
    "np.result_type": EVERY,
    "np.empty": EVERY,
    "np.nan_to_num(n)": EVERY,
    "x // y": ("bool",),
    "divmod": ("bool",),
    "1 //": ("bool",),
}


def leaves(value):
    if isinstance(value, (tuple, list)):
        return [leaf for v in value for leaf in leaves(v)]
    return [value]


def outcome(expression, namespace, convert, dtype):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return evaluate(expression, namespace, convert, dtype)
        except (TypeError, ValueError, AttributeError, IndexError, NotImplementedError) as error:
            return error


def excused(expression, dtype):
    return any(expression.startswith(start) and dtype in dtypes for start, dtypes in NOT_NUMPY.items())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", [f for f in CASES if f != "extensions"])
def test_values_are_numpys(family, dtype):
    problems, compared = [], 0
    for expression in CASES[family]:
        wanted = outcome(expression, np, lambda x: x, dtype)
        if isinstance(wanted, Exception) or excused(expression, dtype):
            continue
        got = outcome(expression, fnp, fnp.asarray, dtype)
        if isinstance(got, Exception):
            if dtype in ("float32", "int32"):
                problems.append(f"{expression}: {got!r}")
            continue
        compared += 1
        problems += differences(expression, wanted, got)
    assert not problems, "\n".join(problems)
    assert compared > 0.3 * len(CASES[family])


def close(x, y, tolerance):
    """By element; complex numbers whole or by parts, so that an infinite part does not make the other one count."""
    same = partial(np.isclose, rtol=tolerance, atol=tolerance, equal_nan=True)
    if x.dtype.kind != "c" and y.dtype.kind != "c":
        return same(x, y).all()
    return (same(x, y) | same(x.real, y.real) & same(x.imag, y.imag)).all()


def differences(expression, wanted, got):
    wanted, got = leaves(wanted), leaves(got)
    if len(wanted) != len(got):
        return [f"{expression}: {len(got)} results, expected {len(wanted)}"]
    out = []
    for w, g in zip(wanted, got, strict=True):
        tolerance = 2e-2 if getattr(g, "dtype", None) == np.float16 else 3e-4
        if expression.startswith("np.unique(") and "axis=" in expression and np.ndim(g) == 1:
            # NumPy 2.0 gave the inverse along an axis the rank of the array; later versions and JAX do not.
            w = np.ravel(w)
        if np.shape(g) != np.shape(w):
            out.append(f"{expression}: shape {np.shape(g)}, expected {np.shape(w)}")
        elif not close(np.asarray(g), np.asarray(w), tolerance):
            out.append(f"{expression}:\n  got      {np.asarray(g).tolist()}\n  expected {np.asarray(w).tolist()}")
    return out


# -- transformations of the same expressions ---------------------------------------------------------------------------


def used(expression):
    """The variables of an expression."""
    names = {node.id for node in ast.walk(ast.parse(expression, mode="eval")) if isinstance(node, ast.Name)}
    return sorted(names & set(variables("float32")))


def as_function(expression, names):
    """The expression as a function of some of its variables that returns its array results."""

    def function(*values):
        scope = variables("float32") | dict(zip(names, values, strict=True))
        scope = {k: v if isinstance(v, fungrad.Array) else fnp.asarray(v) for k, v in scope.items()}
        result = eval(expression, {"np": fnp, "onp": np, **scope})
        return [leaf for leaf in leaves(result) if isinstance(leaf, fungrad.Array)]

    return function


def arguments(expression, dtype="float32", only_inexact=False):
    scope = variables(dtype)
    names = [n for n in used(expression) if not only_inexact or scope[n].dtype.kind == "f"]
    return names, [fnp.asarray(scope[n], scope[n].dtype) for n in names]


def eager(expression):
    """The results of an expression without transformation, None if it raises."""
    names, values = arguments(expression)
    try:
        return as_function(expression, names)(*values)
    except (TypeError, ValueError, NotImplementedError):
        return None


# Shapes that depend on values: these need `size=` in transformed functions.
VALUE_DEPENDENT = (
    "np.nonzero", "np.argwhere", "np.flatnonzero", "np.compress", "np.extract", "np.unique", "np.union1d",
    "np.setdiff1d", "np.setxor1d", "np.intersect1d", "np.bincount", "x.nonzero", "np.where(b)", "np.where(o)",
    "np.choose(k, [x, y, x])", "np.trim_zeros",
)  # fmt: skip


def depends_on_values(expression):
    return (
        expression.startswith(VALUE_DEPENDENT)
        and " size=" not in expression
        and " length=" not in expression
        or "trim_" in expression
        or "np.roots(" in expression and "strip_zeros" not in expression
    )


@pytest.mark.parametrize("family", [f for f in CASES if f not in ("unary", "binary")])
def test_compiled_results_are_the_eager_ones(family):
    problems = []
    for expression in CASES[family]:
        wanted = eager(expression)
        names, values = arguments(expression)
        if not names or wanted is None:
            continue
        if depends_on_values(expression):
            with pytest.raises((FungradTypeError, TypeError)):
                fungrad.jit(as_function(expression, names))(*values)
            continue
        problems += differences(expression, wanted, fungrad.jit(as_function(expression, names))(*values))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("family", CASES)
def test_batched_results_are_the_stacked_ones(family):
    problems = []
    for expression in CASES[family]:
        names, values = arguments(expression)
        if not names or depends_on_values(expression) or eager(expression) is None:
            continue
        function = as_function(expression, names)
        batches = [fnp.stack([v, fnp.roll(fnp.flip(v), 1)]) for v in values]
        wanted = [function(*[b[i] for b in batches]) for i in range(2)]
        wanted = [np.stack([np.asarray(a), np.asarray(b)]) for a, b in zip(*wanted, strict=True)]
        problems += differences(expression, wanted, fungrad.vmap(function)(*batches))
    assert not problems, "\n".join(problems)


# Derivative zero by definition, or none where the test looks: the square root of a variance of zero, the maximum of no
# elements.
NOT_SMOOTH = (
    "np.nextafter",
    "np.std(t, axis=())",
    "np.std(z)",
    "np.nanstd(t, axis=())",
    "np.nanstd(z)",
    "np.max(o, axis=0, initial=3)",
)


@pytest.mark.parametrize("family", CASES)
def test_derivatives_match_finite_differences(family):
    problems = []
    for expression in CASES[family]:
        names, values = arguments(expression, "float64", only_inexact=True)
        if not names or "n" in names or expression.startswith(NOT_SMOOTH) or eager(expression) is None:
            continue
        everything = as_function(expression, names)
        try:
            outs = everything(*values)
        except (TypeError, ValueError):
            continue

        def smooth(*values, everything=everything):
            return [o for o in everything(*values) if o.dtype == np.float64]

        if not any(o.dtype == np.float64 and np.all(np.isfinite(o)) for o in outs):
            continue
        try:
            check_grads(smooth, tuple(values), order=1, rtol=1e-5, atol=1e-5)
        except Exception as error:  # noqa: BLE001 - all are reported together
            problems.append(f"{expression}: {type(error).__name__} {str(error)[:300]}")
    assert not problems, "\n".join(problems)


def test_powers_of_one_half_are_those_of_other_exponents_at_negative_infinity_and_minus_zero():
    """NumPy takes the square root where the exponent is repeated."""
    data = np.array([-np.inf, -0.0, 0.0, 4.0, np.inf, -1.0, np.nan], np.float32)
    wanted = np.array([np.inf, 0.0, 0.0, 2.0, np.inf, np.nan, np.nan], np.float32)
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        x = fnp.asarray(data, dtype=dtype)
        half = fnp.full((7,), 0.5, dtype)
        for f in (
            lambda x, half: x**0.5,
            lambda x, half: x**half,
            lambda x, half: fnp.power(x[:, None], half[:1])[:, 0],
            lambda x, half: fnp.power(x, half[0]),
            lambda x, half: fnp.float_power(x, 0.5),
            lambda x, half: fnp.stack([v**0.5 for v in x]),
            lambda x, half: fungrad.vmap(lambda a, b: a**b, (0, None))(x, half[0]),
        ):
            for got in (f(x, half), fungrad.jit(f)(x, half)):
                got = np.asarray(got).astype(np.float32)
                np.testing.assert_array_equal(got, wanted)
                np.testing.assert_array_equal(np.signbit(got[:5]), False)


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2"])
def test_derivatives_of_sums_of_exponentials_are_shares(name):
    f = getattr(fnp, name)
    x = np.array([np.nan, 1.0, -np.inf, -np.inf, np.inf, 3.0, np.inf], np.float32)
    y = np.array([1.0, np.nan, -np.inf, 2.0, 5.0, np.inf, np.inf], np.float32)
    wanted = np.array([np.nan, np.nan, 0.5, 0.0, 1.0, 0.0, 0.5], np.float32)
    by_both = fungrad.vmap(fungrad.grad(f, (0, 1)))
    for g in (by_both, fungrad.jit(by_both)):
        first, second = g(x, y)
        np.testing.assert_array_equal(first, wanted)
        np.testing.assert_array_equal(second, 1 - wanted)


def test_arithmetic_of_booleans_is_in_32_bit_also_with_64_bit_by_default():
    with fungrad.enable_x64(True):
        b = fnp.array([True, False])
        for got in (
            fnp.square(b), fnp.power(b, b), b**2, b % b, b // b, fnp.fmod(b, b), fnp.divmod(b, b)[1], b << b,
        ):  # fmt: skip
            assert got.dtype == np.int32
        assert fnp.ldexp(b, b).dtype == fnp.ldexp(fnp.float32(1), b).dtype == np.float32
        assert fnp.logspace(np.int32(0), np.int32(2), 3).dtype == np.float32
        assert fnp.logspace(np.float32(0), 2, 3).dtype == np.float32
        assert fnp.logspace(0, 2, 3).dtype == np.float64


def test_ldexp_is_exact_where_the_power_alone_is_out_of_range():
    x = np.array([1e-30, 1e30, 1.0, 1.0, 0.0, np.inf, 3.0, -1.5, 2.5], np.float32)
    e = np.array([200, -200, 128, -126, 500, -500, -1000, 120, 3], np.int32)
    with np.errstate(over="ignore", under="ignore"):
        wanted = np.ldexp(x, e)
    for f in (fnp.ldexp, fungrad.jit(fnp.ldexp), fungrad.vmap(fnp.ldexp)):
        np.testing.assert_allclose(f(x, e), wanted, rtol=3e-7)
    np.testing.assert_allclose(fungrad.grad(lambda x: fnp.ldexp(x, 3).sum())(fnp.asarray(x)), 8.0)
    assert fnp.ldexp(fnp.float16(2.0**-24), 39) == 2.0**15 and fnp.ldexp(3, fnp.int8(-2)) == 0.75


@pytest.mark.parametrize("function", [fnp.logaddexp, fnp.logaddexp2, fnp.hypot])
def test_second_derivatives_where_operands_are_equal(function):
    # where maximum and minimum have derivatives that are shares
    with fungrad.enable_x64(True):
        for point in ([1.0, 1.0], [0.25, -0.25]):
            near = np.array(point) + [1e-7, -1e-7]
            f = fungrad.hessian(lambda v: function(v[0], v[1]))
            np.testing.assert_allclose(f(np.array(point)), f(near), rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(fungrad.jit(f)(np.array(point)), f(near), rtol=1e-5, atol=1e-5)
        near, at = (fungrad.hessian(lambda v: fnp.hypot(v[0], v[1]))(np.array([x, 2.0])) for x in (1e-7, 0.0))
        np.testing.assert_allclose(at, near, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["remainder", "mod", "fmod"])
def test_remainders_that_are_not_numbers_have_no_derivative_by_the_divisor(name):
    f = getattr(fnp, name)
    x, y = fnp.array([1.0, -1.0, 0.0, 1.0, np.inf, 5.0, -6.0]), fnp.array([0.0, 0.0, 0.0, -0.0, 2.0, 3.0, 4.0])
    slopes = fungrad.grad(lambda x, y: f(x, y).sum(), (0, 1))
    for got in (slopes(x, y), fungrad.jit(slopes)(x, y)):
        np.testing.assert_array_equal(got[0], np.ones(7))
        quotients = np.floor([5 / 3, -6 / 4]) if name != "fmod" else np.trunc([5 / 3, -6 / 4])
        np.testing.assert_array_equal(got[1], [np.nan] * 5 + list(-quotients))


@pytest.mark.parametrize("name", ["exp", "exp2", "expm1", "sinh", "cosh"])
def test_complex_exponentials_overflow_by_parts(name):
    f = getattr(fnp, name)
    z = fnp.array([2000 + 0j, np.inf + 0j, 2000 + 1j], "complex64")
    for found in (f(z), fungrad.jit(f)(z), f(z[0])[None]):
        parts = np.asarray(found)
        assert np.isposinf(parts.real).all() and (parts.imag[:2] == 0).all() and np.isposinf(parts.imag[2:]).all()


@pytest.mark.parametrize("cov", [True, "unscaled"])
def test_covariances_of_a_fit_to_complex_values_are_real(cov):
    x, y = np.arange(4.0), np.float32([[1, 3], [2, 2], [4, 1], [1, 5]]).astype("complex64") * (1 + 2j)
    for values in (y[:, 0], y):
        found, covariance = fungrad.numpy.polyfit(x, values, 1, cov=cov)
        wanted, expected = np.polyfit(x, values, 1, cov=cov)
        assert found.dtype == "complex64" and covariance.dtype == "float32"
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
        if cov is True:
            np.testing.assert_allclose(covariance, expected, rtol=1e-4)


def test_common_elements_of_arrays_that_are_promised_unique_are_equal_neighbours():
    pairs = ([3, 1, 2], [5, 2, 3]), ([4, 2, 3], [3, 3, 2, 2, 4]), ([3, 1, 1], []), ([], []), ([np.nan, 2], [np.nan])
    for x, y in pairs:
        x, y = np.float32(x), np.float32(y)
        wanted = np.intersect1d(x, y, True, True)
        for got in (fnp.intersect1d(x, y, True, True), fnp.intersect1d(x, y, True, True, size=6)):
            for a, b in zip(got, wanted, strict=True):
                np.testing.assert_array_equal(a[: len(b)], b)
