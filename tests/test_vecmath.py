"""Elementary functions: accuracy, special values, and the same bits from every builder."""

import numpy as np
import pytest

from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.scalars import NUMPY_DTYPES, NumpyScalars
from fungrad.jit.kernels.vecmath import trig
from fungrad.jit.llvm.scalar import LLVMScalars
from tools.vecmath_error import (
    all_float32,
    binary_references,
    compile_map,
    exact_functions,
    exact_values,
    float32_error,
    float32_error_of_all,
    float64_error,
    float64_samples,
    references,
    ulp_errors,
)

inf, nan = np.inf, np.nan
UNARY = sorted(references())
BINARY = sorted(binary_references())
TYPES = {"f32": np.float32, "f64": np.float64}
WIDER = {"f32": np.float64, "f64": np.longdouble}


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def edges(type):
    """Arguments at which something changes, both signs."""
    info = np.finfo(TYPES[type])
    sizes = [0, info.smallest_subnormal, 3 * info.smallest_subnormal, info.tiny / 2, info.tiny]
    sizes += [info.eps / 2, info.eps, 1e-5, 0.25, 0.5, 1 - info.epsneg, 1, 1 + info.eps, 1.5, 2, 3]
    sizes += [7.5, 8, 10, 20, 50, 87, 88.72, 89, 104, 127, 128, 150, 300, 709.7, 710.5, 746, 1e5]
    sizes += [2.0**17, 2.0**44, 2.0**60, 1e30, info.max / 2, info.max, inf, nan]
    values = np.array(sizes, TYPES[type])
    return np.concatenate([values, -values])


def evaluate(name, *arrays):
    """A function on arrays through the NumPy builder."""
    m = NumpyScalars()
    return vecmath.FUNCTIONS[name](m, *(m.value(a) for a in arrays)).raw


def same_bits(a, b):
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    return (a.view(unsigned) == b.view(unsigned)) | (np.isnan(a) & np.isnan(b))


def assert_same(got, expected):
    __tracebackhide__ = True
    wrong = np.flatnonzero(~same_bits(got, expected))
    assert wrong.size == 0, f"at {wrong[:5]}: got {got[wrong[:5]]}, expected {expected[wrong[:5]]}"


def test_every_function_has_a_reference():
    assert set(vecmath.FUNCTIONS) == set(UNARY) | set(BINARY)
    assert set(vecmath.__all__) == set(vecmath.FUNCTIONS) | {"FUNCTIONS"}


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", UNARY)
def test_numpy_and_llvm_give_the_same_bits(name, type):
    x = float64_samples(references()[name].domain, 2000, seed=1).astype(TYPES[type])
    x = np.concatenate([x, edges(type)])
    assert_same(compile_map(vecmath.FUNCTIONS[name], type)(x), evaluate(name, x))


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", BINARY)
def test_numpy_and_llvm_give_the_same_bits_of_two_arguments(name, type):
    x, y = (a.ravel() for a in np.meshgrid(edges(type), edges(type)))
    assert_same(compile_map(vecmath.FUNCTIONS[name], type, type)(x, y), evaluate(name, x, y))


@pytest.mark.parametrize("name", UNARY)
def test_float32_error_over_the_whole_range(name):
    error, place = float32_error(name, step=30011)
    assert error <= references()[name].bounds[0], f"at {place!r}"


@pytest.mark.slow
@pytest.mark.parametrize("name", UNARY)
def test_float32_error_of_every_argument(name):
    error, place = float32_error_of_all(name)
    assert error <= references()[name].bounds[0], f"at {place!r}"


@pytest.mark.parametrize("name", UNARY)
def test_float64_error(name):
    pytest.importorskip("mpmath")
    error, place = float64_error(name, count=600, seed=2)
    assert error <= references()[name].bounds[1], f"at {place!r}"


@pytest.mark.slow
@pytest.mark.parametrize("name", UNARY)
def test_float64_error_of_many_arguments(name):
    pytest.importorskip("mpmath")
    error, place = float64_error(name, count=20_000, seed=3)
    assert error <= references()[name].bounds[1], f"at {place!r}"


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", UNARY)
def test_edges(name, type):
    """Infinities, NaN, signed zeros, subnormals and limits, against NumPy and SciPy."""
    x = edges(type)
    got = compile_map(vecmath.FUNCTIONS[name], type)(x)
    expected = references()[name].double(x.astype(np.float64))
    error = ulp_errors(got, expected.astype(WIDER[type]))
    # a double reference may itself be off by a few units, and SciPy's gamma functions by many
    bound = references()[name].bounds[0] if type == "f32" else 8.0
    if type == "f64" and name in ("lgamma", "digamma"):
        error = np.where(np.isfinite(got), 0.0, error)
    assert np.all(error <= bound), list(zip(x[error > bound], got[error > bound], strict=True))


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", BINARY)
def test_edges_of_two_arguments(name, type):
    x, y = (a.ravel() for a in np.meshgrid(edges(type), edges(type)))
    got = compile_map(vecmath.FUNCTIONS[name], type, type)(x, y)
    if name == "nextafter":
        assert_same(got, np.nextafter(x, y))
        return
    expected = binary_references()[name].double(x.astype(WIDER[type]), y.astype(WIDER[type]))
    bound = logaddexp_bound(x, y, expected) if name == "logaddexp" else 2.0
    wrong = ulp_errors(got, expected) > bound
    assert not wrong.any(), list(zip(x[wrong], y[wrong], got[wrong], expected[wrong], strict=True))


@pytest.mark.parametrize("name", [n for n in BINARY if n != "nextafter"])
def test_float64_error_of_two_arguments(name):
    pytest.importorskip("mpmath")
    random = np.random.default_rng(4)
    x = random.normal(size=800) * 2.0 ** random.uniform(-6, 6, 800)
    y = random.normal(size=800) * 2.0 ** random.uniform(-6, 6, 800)
    if name == "pow":
        x = np.abs(x)
    expected = exact_values(exact_functions()[name], x, y)
    got = compile_map(vecmath.FUNCTIONS[name], "f64", "f64")(x, y)
    bound = logaddexp_bound(x, y, expected) if name == "logaddexp" else 2.0
    assert np.all(ulp_errors(got, expected) <= bound)


def logaddexp_bound(x, y, expected):
    """Allowed error in units: the rounding of the larger argument and of the difference show where
    the result is small against them."""
    high, gap = np.maximum(x, y), np.abs(x - y)
    lost = np.where(np.isfinite(gap), np.abs(high) + gap * np.exp(-gap), 0.0)
    return 2.0 + lost / np.maximum(np.abs(expected), 1e-300)


@pytest.mark.parametrize("type", TYPES)
def test_pow_near_one_with_large_exponents(type):
    """Where the logarithm needs all of its extra digits."""
    random = np.random.default_rng(5)
    digits = -np.log2(np.finfo(TYPES[type]).eps)
    x = (1 + random.normal(size=20_000) * 2.0 ** random.uniform(-digits, -3, 20_000)).astype(TYPES[type])
    limit = 80 if type == "f32" else 690
    y = (random.uniform(-limit, limit, 20_000) / np.log(x.astype(np.longdouble))).astype(TYPES[type])
    keep = np.isfinite(y)
    x, y = x[keep], y[keep]
    got = compile_map(vecmath.pow, type, type)(x, y)
    expected = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
    # powl itself is only good to about 2**-64 * |y log x|
    assert np.max(ulp_errors(got, expected)) <= (1.0 if type == "f32" else 1.5)


def test_pow_of_negative_numbers():
    x = np.array([-2, -2, -2, -8, -1, -1, -0.0, -0.0, -0.0, -inf, -inf, -inf, nan, 1, 0], np.float32)
    y = np.array([3, 2, -3, 1 / 3, inf, 0.5, 3, 2, -1, 3, -3, 0.5, 0, nan, -2], np.float32)
    expected = [-8, 4, -0.125, nan, 1, nan, -0.0, 0, -inf, -inf, -0.0, inf, 1, 1, inf]
    assert_same(evaluate("pow", x, y), np.array(expected, np.float32))


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_reduction_of_huge_arguments(name):
    """Arguments known to come closest to a multiple of pi/2, and the largest ones."""
    pytest.importorskip("mpmath")
    x = np.array([6381956970095103.0 * 2.0**797, 5.319372648326541e255, np.finfo(float).max, 1e22])
    x = np.concatenate([x, -x, 2.0 ** np.arange(40.0, 1024.0)])
    expected = exact_values(_reduced(name), x)
    assert np.max(ulp_errors(compile_map(vecmath.FUNCTIONS[name], "f64")(x), expected)) <= 2.0


def _reduced(name):
    import mpmath as mp

    def function(x):
        with mp.workdps(400):
            return getattr(mp, name)(x)

    return function


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_large_arguments_do_not_disturb_their_neighbours(name):
    """The rare path is taken by a whole vector of elements at once."""
    x = np.linspace(-100, 100, 64)
    mixed = np.insert(x, slice(3, 64, 7), 1e200)
    function = compile_map(vecmath.FUNCTIONS[name], "f64")
    assert_same(function(mixed)[mixed != 1e200], function(x))
    assert_same(function(mixed[mixed == 1e200]), function(mixed)[mixed == 1e200])


@pytest.mark.parametrize("type", ["f16", "bf16"])
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sin", "erf", "rsqrt", "logistic"])
def test_half_precision(name, type):
    """All arguments: the float32 result rounded once."""
    x = np.arange(1 << 16, dtype=np.uint16).view(NUMPY_DTYPES[type])
    single = compile_map(vecmath.FUNCTIONS[name], "f32")(x.astype(np.float32))
    assert_same(compile_map(vecmath.FUNCTIONS[name], type)(x), single.astype(x.dtype))
    assert_same(evaluate(name, x), single.astype(x.dtype))


def test_integers_are_refused():
    m = NumpyScalars()
    with pytest.raises(TypeError, match=r"vecmath.exp: expected a floating-point value, got i32"):
        vecmath.exp(m, m.value(np.int32(1)))


@pytest.mark.parametrize("name", UNARY)
def test_operations_are_never_contracted(name):
    m = LLVMScalars(flags="contract")
    x = m.value("f32", "%x")
    vecmath.FUNCTIONS[name](m, x * 2.0)
    assert "contract" in m.lines[0]
    assert not any("contract" in line for line in m.lines[1:])


@pytest.mark.parametrize("name", UNARY)
def test_odd_functions_are_odd_to_the_bit(name):
    """Including the sign of zero; the list is checked from both sides."""
    x = float64_samples(references()[name].domain, 500, seed=6)
    function = compile_map(vecmath.FUNCTIONS[name], "f64")
    odd = {"sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "cbrt", "erf", "erf_inv"}
    odd |= {"sinpi", "bessel_i1e"}
    assert same_bits(function(-x), -function(x)).all() == (name in odd)


def test_exact_results():
    n = np.arange(-149.0, 128.0, dtype=np.float32)
    assert_same(evaluate("exp2", n), np.ldexp(np.float32(1), n.astype(int)))
    assert_same(evaluate("log2", np.ldexp(np.float32(1), n.astype(int))), n)
    k = np.arange(-50.0, 51.0)
    assert_same(evaluate("cbrt", k**3), k + 0.0)
    assert_same(evaluate("pow", np.full(21, 3.0), np.arange(21.0)), 3.0 ** np.arange(21))
    wave = np.sin(np.pi * k / 2).round()
    assert_same(evaluate("sinpi", k / 2), np.where(wave == 0, np.copysign(0.0, k), wave))


def test_sweep_covers_every_bit_pattern():
    first = next(iter(all_float32(1, chunk=1 << 10)))
    assert_same(first, np.arange(1 << 10, dtype=np.uint32).view(np.float32))
    assert sum(x.size for x in all_float32(65_537)) == -(-(1 << 32) // 65_537)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_only_large_finite_angles_take_the_slow_way(dtype):
    m = NumpyScalars()
    moderate = trig.MODERATE["f32" if dtype is np.float32 else "f64"]
    x = dtype([np.inf, -np.inf, np.nan, 0, 1, moderate / 2, moderate, -2 * moderate, np.finfo(dtype).max])
    np.testing.assert_array_equal(trig.is_large(m, m.value(x)).raw, [0, 0, 0, 0, 0, 0, 1, 1, 1])
