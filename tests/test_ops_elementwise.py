"""Elementwise operations beyond the op table: derivatives at kinks, errors, economy of rules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from optable_base import array

from fungrad import lax
from fungrad.core.array import Array
from fungrad.core.primitive import Primitive
from fungrad.jit.front.api import jit
from fungrad.ops import gamma_slopes
from fungrad.transforms.api import grad, jvp, vjp
from fungrad.transforms.inspection import make_jaxpr

INF, NAN = float("inf"), float("nan")


def slope(fun, *xs, argnum=0):
    return float(grad(fun, argnums=argnum)(*xs))


# -- derivatives at special points ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fun", [lax.max, lax.min])
def test_ties_share_the_derivative(fun):
    assert slope(fun, 2.0, 2.0, argnum=0) == 0.5
    assert slope(fun, 2.0, 2.0, argnum=1) == 0.5
    assert slope(lambda x: fun(x, 1.0), NAN) == 0.0


def test_absolute_value_at_zero():
    assert slope(lax.abs, 0.0) == 1.0
    assert complex(grad(lambda z: lax.abs(z))(0j)) == 0


def test_steps_have_derivative_zero():
    for fun in (lax.sign, lax.floor, lax.ceil, lax.round):
        assert slope(fun, 0.3) == 0.0
    assert slope(lambda x: lax.mul(x, lax.stop_gradient(x)), 3.0) == 3.0


def test_power_at_zero():
    assert slope(lax.pow, 0.0, 2.0, argnum=1) == 0.0
    assert slope(lambda x: lax.pow(x, 0), 0.0) == 0.0
    assert slope(lambda x: lax.pow(x, 2), 0.0) == 0.0
    assert slope(lambda x: lax.integer_pow(x, 1), 0.0) == 1.0
    assert slope(lambda x: lax.integer_pow(x, 0), 0.0) == 0.0


def test_clamp_passes_the_derivative_inside_only():
    for x, expected in ((-1.0, (1, 0, 0)), (0.5, (0, 1, 0)), (3.0, (0, 0, 1))):
        values = [slope(lax.clamp, 0.0, x, 2.0, argnum=i) for i in range(3)]
        assert tuple(values) == expected


def test_bessel_at_zero():
    assert slope(lax.bessel_i1e, 0.0) == 0.5
    assert slope(lax.bessel_i0e, 0.0) == 0.0


def test_sqrt_at_zero_is_infinite():
    assert slope(lax.sqrt, 0.0) == INF


@pytest.mark.parametrize(
    ("fun", "first", "second"),
    [
        (lax.cbrt, [np.inf, np.inf, 0.0, 0.0], [-np.inf, np.inf, -0.0, 0.0]),
        (lax.sqrt, [np.inf, -np.inf, 0.0, np.nan], [-np.inf, np.inf, -0.0, np.nan]),
        (lax.exp, [1.0, 1.0, np.inf, 0.0], [1.0, 1.0, np.inf, 0.0]),
        (lax.tanh, [1.0, 1.0, 0.0, 0.0], [-0.0, 0.0, -0.0, 0.0]),
    ],
    ids=["cbrt", "sqrt", "exp", "tanh"],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_two_derivatives_at_zero_and_infinity(fun, first, second, compiled):
    x = np.array([0.0, -0.0, np.inf, -np.inf], np.float32)
    ones = np.ones_like(x)

    def derivative(x):
        return jvp(fun, (x,), (ones,))[1]

    def both(x):
        return jvp(derivative, (x,), (ones,))

    got = (jit(both) if compiled else both)(x)
    np.testing.assert_array_equal(got, [first, second])


def test_stop_gradient_of_a_tree():
    tree = {"a": 1.0, "b": [np.float32([1, 2]), np.int32(3)], "c": None}
    out = lax.stop_gradient(tree)
    assert sorted(out) == ["a", "b", "c"] and out["c"] is None
    assert isinstance(out["b"][0], Array) and out["b"][1].dtype == np.int32
    assert slope(lambda x: lax.stop_gradient({"x": x})["x"], 2.0) == 0.0


@pytest.mark.parametrize(
    "fun, args, name",
    [
        (lambda x: lax.betainc(x, 2.0, 0.5), (3.0,), "lax.betainc.*with respect to a"),
        (lambda x: lax.polygamma(x, 2.0), (1.0,), "lax.polygamma.*with respect to m"),
        (grad(lambda x: lax.random_gamma_grad(x, 1.0)), (1.0,), "lax.random_gamma_grad.*to a more than once"),
    ],
)
def test_missing_derivatives_are_errors(fun, args, name):
    with pytest.raises(NotImplementedError, match=name):
        grad(fun)(*args)


# -- economy ----------------------------------------------------------------------------------------------------------

# Equations of the value and its derivative together; a rule that gets longer should have a reason.
EQUATIONS = {
    **dict.fromkeys(("exp", "log", "neg"), 2),
    **dict.fromkeys(("sin", "sqrt", "square", "log1p", "expm1", "sinh", "cosh", "lgamma"), 3),
    **dict.fromkeys(("cos", "tan", "tanh", "logistic", "rsqrt", "atan", "abs"), 4),
    **dict.fromkeys(("asin", "asinh", "atanh"), 5),
    "erf": 6,
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_derivative_rules_are_short(name):
    fun = getattr(lax, name)
    jaxpr = make_jaxpr(lambda x, t: jvp(fun, (x,), (t,)))(0.5, 1.0)
    assert len(jaxpr.eqns) == EQUATIONS[name], str(jaxpr)


@pytest.mark.parity
@pytest.mark.parametrize("name", EQUATIONS)
def test_derivative_rules_are_no_longer_than_those_of_jax(name):
    jax = pytest.importorskip("jax")
    fun = getattr(jax.lax, name)
    theirs = jax.make_jaxpr(lambda x, t: jax.jvp(fun, (x,), (t,)))(0.5, 1.0)
    assert EQUATIONS[name] <= len(theirs.jaxpr.eqns)


# -- JAX's conventions ------------------------------------------------------------------------------------------------

POINTS = [-2.5, -1.0, -0.0, 0.0, 0.3, 1.0, 2.0]
BINARY = ["add", "sub", "mul", "div", "rem", "max", "min", "atan2"]


@pytest.mark.parity
@pytest.mark.parametrize("name", BINARY)
def test_binary_derivatives_on_a_grid_are_those_of_jax(name):
    jax = pytest.importorskip("jax")
    x, y = (g.ravel() for g in np.meshgrid(np.float32(POINTS), np.float32(POINTS)))
    keep = (x != 0) | (y != 0) if name in ("div", "rem", "atan2") else np.full(x.shape, True)
    keep &= (y != 0) if name in ("div", "rem") else True
    x, y = x[keep], y[keep]
    ct = np.linspace(1, 2, x.size, dtype=np.float32)
    _, pull = jax.vjp(getattr(jax.lax, name), x, y)
    _, our_pull = vjp(getattr(lax, name), x, y)
    for ours, theirs in zip(our_pull(ct), pull(ct), strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=2e-6, atol=1e-6)


@pytest.mark.parity
@pytest.mark.parametrize(
    "name",
    ["abs", "sign", "sqrt", "square", "cbrt", "real", "imag", "conj", "exp", "tanh", "bessel_i1e"],
)
def test_unary_derivatives_are_those_of_jax(name):
    jax = pytest.importorskip("jax")
    real_only = name in ("cbrt", "bessel_i1e")
    complex_only = name in ("real", "imag")
    x = np.float32(POINTS)
    for primal in ([] if complex_only else [x]) + ([] if real_only else [(x + 1j * x[::-1]).astype(np.complex64)]):
        out, pull = jax.vjp(getattr(jax.lax, name), primal)
        _, our_pull = vjp(getattr(lax, name), primal)
        ct = np.linspace(1, 2, x.size).astype(out.dtype)
        ct = ct + 1j * ct[::-1] if out.dtype.kind == "c" else ct
        (theirs,), (ours,) = pull(ct), our_pull(ct)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-5, atol=1e-6)


UNARY = """neg sign abs floor ceil round is_finite exp exp2 expm1 log log1p logistic sin cos tan asin
    acos atan sinh cosh tanh asinh acosh atanh sqrt rsqrt cbrt square erf erfc erf_inv lgamma digamma
    bessel_i0e bessel_i1e real imag conj population_count clz bitwise_not"""
BINARY_NAMES = """add sub mul div rem pow max min nextafter atan2 eq ne lt le gt ge complex bitwise_and
    bitwise_or bitwise_xor shift_left shift_right_logical shift_right_arithmetic igamma zeta polygamma"""


@pytest.mark.parity
def test_accepted_dtypes_are_those_of_jax():
    jax = pytest.importorskip("jax")
    # JAX takes complex numbers too, of which there is no angle.
    extra = {("atan2", "complex64")}
    unary = set(UNARY.split())
    names = [*UNARY.split(), *BINARY_NAMES.split()]
    for name in names:
        for dtype in ("bool", "int8", "uint32", "float16", "float32", "complex64"):
            x = np.ones((2,), dtype)
            operands = [x] if name in unary else [x, x]

            def accepts(module, name=name, operands=operands):
                try:
                    getattr(module, name)(*operands)
                except TypeError:
                    return False
                return True

            if (name, dtype) not in extra:
                assert accepts(lax) == accepts(jax.lax), f"{name} of {dtype}"


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: lax.add(np.float32(1), np.int32(1)), TypeError, r"lax.add: .*f32\[\], i32\[\]"),
        (lambda: lax.add(np.float32(1), 1j), TypeError, r"lax.add: .*c64\[\]"),
        (lambda: lax.exp(1), TypeError, r"lax.exp: .*floating, complex, got i32\[\]"),
        (
            lambda: lax.sin([1.0]),
            TypeError,
            r"lax.sin: x must be an array or a scalar, got \[1.0\]",
        ),
        (lambda: lax.mul(np.ones(2), np.ones(3)), TypeError, r"lax.mul: .*\(2,\), \(3,\)"),
        (lambda: lax.mul(np.ones(2), np.ones((1, 2))), TypeError, r"lax.mul: .*\(2,\), \(1, 2\)"),
        (lambda: lax.lt(1j, 2j), TypeError, r"lax.lt: .*got c64\[\]"),
        (lambda: lax.integer_pow(np.int32(2), -1), TypeError, r"lax.integer_pow: .*exponent -1"),
        (lambda: lax.integer_pow(2.0, 0.5), TypeError, "integer"),
        (lambda: lax.pow(np.int32(2), np.int32(2)), TypeError, r"lax.pow: operand 0 .*i32\[\]"),
        (lambda: lax.pow(np.float32(2), np.complex64(2)), TypeError, r"lax.pow: .*f32\[\] and c64"),
        (lambda: lax.clamp(np.zeros(1), np.zeros(2), 1.0), TypeError, r"lax.clamp: min .*f32\[1\]"),
        (lambda: lax.select_n(np.array(True), 1.0, 2), TypeError, r"lax.select_n: .*f32\[\], i32"),
        (lambda: lax.select_n(np.array(True)), TypeError, "lax.select_n: .*at least one case"),
        (lambda: lax.select_n(np.array(True), 1.0, 2.0, 3.0), TypeError, "boolean selector.*got 3"),
        (lambda: lax.select_n(1.0, 1.0, 2.0), TypeError, "lax.select_n: operand 0"),
        (lambda: lax.round(1.0, 7), ValueError, "7"),
        (lambda: lax.complex(np.float16(1), np.float16(1)), TypeError, r"lax.complex: .*f16\[\]"),
        (lambda: lax.real(1.0), TypeError, r"lax.real: .*complex, got f32\[\]"),
        (lambda: lax.reduce_precision(1.0, 0, 3), ValueError, "exponent_bits must be positive"),
        (
            lambda: lax.bitcast_convert_type(np.zeros((2, 3), np.uint8), np.float32),
            ValueError,
            r"size 4, got u8\[2,3\]",
        ),
        (lambda: lax.bitcast_convert_type(True, np.uint8), TypeError, "bits to reinterpret"),
        (lambda: lax.convert_element_type(1.0, "no such dtype"), TypeError, "convert_element_type"),
        (lambda: lax.full((2,), np.zeros(2)), TypeError, r"lax.full: fill_value .*f32\[2\]"),
        (lambda: lax.add(np.uint8([1]), 300), OverflowError, "the Python integer 300 does not fit uint8"),
    ],
)
def test_errors_name_the_function_and_the_types(call, error, text):
    with pytest.raises(error, match=text):
        call()


# -- scalars and constants --------------------------------------------------------------------------------------------


def test_python_scalars_beside_arrays():
    x = np.float16([1, 2])
    assert lax.add(x, 1).dtype == np.float16
    assert lax.add(1.5, x).dtype == np.float16
    assert lax.max(array(np.float64([1, 2])), 0.0).dtype == np.float64
    assert lax.mul(np.int8([1]), 2).dtype == np.int8
    np.testing.assert_array_equal(np.asarray(lax.div(1.0, lax.mul(np.float32(1), -0.0))), -INF)
    np.testing.assert_array_equal(np.asarray(lax.div(1.0, lax.mul(np.float32(1), 0.0))), INF)


def test_full():
    assert lax.full((2,), 1.0).weak_type and lax.full((2,), 1.0).dtype == np.float32
    assert not lax.full((2,), 1, np.float16).weak_type
    assert lax.full_like(np.int32([1, 2]), 3.7).dtype == np.int32
    assert lax.full_like(2.0, 1).weak_type
    assert lax.full_like(np.zeros((2, 3)), 1, np.int8, (4,)).aval.str_short() == "i8[4]"
    assert lax.full((0, 2), True).shape == (0, 2)


def test_conversion_to_the_same_type_is_free():
    x = array(np.float32([1, 2]))
    assert lax.convert_element_type(x, np.float32) is x
    assert lax.convert_element_type(x, float) is x
    assert lax.convert_element_type(1.0, np.float32).weak_type is False
    assert lax.convert_element_type(x, np.float64).dtype == np.float64


def test_results_do_not_share_memory_that_can_change():
    data = np.float32([1, 2])
    x = lax.stop_gradient(data)
    data[0] = 5
    assert float(np.asarray(x)[0]) == 1


# -- properties -------------------------------------------------------------------------------------------------------


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_division_with_remainder(a, b):
    x, y = np.int32(a), np.int32(b)
    q, r = int(lax.div(x, y)), int(lax.rem(x, y))
    if b == 0:
        assert (q, r) == (-1, a)
    else:
        assert (q * b + r - a) % 2**32 == 0
        assert abs(r) < abs(b) and (r == 0 or (r < 0) == (a < 0))


@given(st.floats(width=32), st.floats(width=32))
def test_total_order_is_total(a, b):
    x, y = np.float32(a), np.float32(b)
    below, above = bool(lax.lt_to_p.bind(x, y)), bool(lax.lt_to_p.bind(y, x))
    same = bool(lax.eq_to_p.bind(x, y))
    assert below + above + same == 1
    assert same == (x.tobytes() == y.tobytes())
    assert bool(lax.le_to_p.bind(x, y)) == (below or same)
    if x < y:
        assert below


@given(st.floats(width=32), st.integers(1, 8), st.integers(0, 23))
def test_reduced_precision_is_idempotent(value, exponent_bits, mantissa_bits):
    once = lax.reduce_precision(np.float32(value), exponent_bits, mantissa_bits)
    twice = lax.reduce_precision(once, exponent_bits, mantissa_bits)
    assert np.asarray(once).tobytes() == np.asarray(twice).tobytes()


@given(
    st.floats(-(2.0**100), 2.0**100, width=32),
    st.sampled_from(["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"]),
)
def test_conversion_to_integers_saturates(value, name):
    info = np.iinfo(name)
    expected = min(max(int(value), info.min), info.max)
    assert int(lax.convert_element_type(np.float32(value), np.dtype(name))) == expected


# -- incomplete gamma -------------------------------------------------------------------------------------------------


def test_slope_of_a_gamma_sample():
    """At fixed probability: compared with differences of SciPy's inverse."""
    special = pytest.importorskip("scipy.special")
    a = np.repeat(10.0 ** np.arange(-1, 7), 5)
    probability = np.tile([0.05, 0.3, 0.5, 0.8, 0.99], 8)
    x = special.gammaincinv(a, probability)
    h = 1e-4 * a
    expected = (special.gammaincinv(a + h, probability) - special.gammaincinv(a - h, probability)) / (2 * h)
    np.testing.assert_allclose(-gamma_slopes.parameter_slope(a, x), expected, rtol=2e-5)


def test_expansions_of_the_gamma_slope_agree_where_they_meet():
    a = np.array([0.5, 3.0, 50.0, 9e4])
    x = a + 1
    np.testing.assert_allclose(gamma_slopes._series(a, x), gamma_slopes._fraction(a, x), rtol=1e-9)
    big = np.full(7, 9e4)
    x = big + np.linspace(-3, 3, 7) * 300
    np.testing.assert_allclose(gamma_slopes._wilson_hilferty(big, x), gamma_slopes.parameter_slope(big, x), rtol=1e-7)


def test_gamma_slope_outside_the_domain():
    out = gamma_slopes.parameter_slope(np.array([0.0, -1.0, 1.0, 1.0]), np.array([1.0, 1.0, -1.0, 0.0]))
    np.testing.assert_array_equal(out, [NAN, NAN, NAN, 0.0])


# -- documentation ----------------------------------------------------------------------------------------------------


def test_special_functions_are_imported_at_first_use():
    code = "import sys, fungrad.ops.special; print('scipy.special' in sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert out.stdout.strip() == "False"


def test_table_of_primitives_is_up_to_date():
    """``python -m fungrad.ops > docs/primitives.md`` makes it so."""
    code = [sys.executable, "-m", "fungrad.ops"]
    out = subprocess.run(code, capture_output=True, text=True, check=True, env=dict(os.environ))
    committed = Path(__file__).parent.parent / "docs" / "primitives.md"
    assert out.stdout == committed.read_text(encoding="utf-8")


def test_no_primitive_lacks_a_rule():
    out = subprocess.run([sys.executable, "-m", "fungrad.ops"], capture_output=True, text=True, check=True)
    rows = [line for line in out.stdout.splitlines() if line.startswith("| `")]
    listed = {line.split("`")[1] for line in rows}
    ours = {n: type(p).__module__ for n, p in Primitive.instances.items() if type(p).__module__.startswith("fungrad.")}
    # Those of `experimental.hijax` stand for primitives of users' own.
    absent = {n for n, module in ours.items() if not module.startswith("fungrad.experimental.")} - listed
    assert not absent
    lacking = [line for line in rows if "missing" in line]
    assert not lacking, "\n".join(lacking)
