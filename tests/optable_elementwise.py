"""Rows of the op table: elementwise operations other than special functions."""

from __future__ import annotations

import numpy as np
from optable_base import (
    BINARY_SHAPES,
    COMPLEX,
    FLOATS,
    INEXACT,
    INTEGERS,
    NUMERIC,
    REAL,
    SIGNED,
    UNARY_SHAPES,
    Op,
    dtype_of,
    uniform,
    widened,
)

from fungrad import lax
from fungrad.core import dtypes as fdtypes
from fungrad.ops import cast, compare

BITS = ("int32", "bool", *INTEGERS[1:])


def to_bool(*dtypes):
    return np.dtype(bool)


def real_of(dtype, *rest):
    return fdtypes.to_real_dtype(dtype)


def complex_of(dtype, *rest):
    return fdtypes.to_complex_dtype(dtype)


def apart(rng, shape, dtype):
    """Numbers whose distance from the kinks at integers is at least 0.1."""
    whole = rng.integers(-3, 3, shape)
    return (whole + rng.uniform(0.1, 0.4, shape) * rng.choice([1, 2], shape)).astype(dtype)


def away_from_zero(rng, shape, dtype):
    """Numbers of either sign and of size 0.3 to 3 (integers: 1 to 3)."""
    signed = dtype.kind != "u"
    x = uniform(rng, shape, dtype, 1 if dtype.kind in "iu" else 0.3, 3)
    return x * (rng.choice([-1, 1], shape).astype(dtype) if signed else dtype.type(1))


def any_bits(rng, shape, dtype):
    """Integers of the whole range."""
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def few_bits(rng, shape, dtype):
    """Amounts of shifts, some of them beyond the number of bits."""
    return rng.integers(0, 8 * dtype.itemsize + 3, shape).astype(dtype)


# -- references ----------------------------------------------------------------------------------
# Written for clarity, element by element in exact arithmetic where NumPy has no such function.


def each(fun, result=None):
    """A reference from a function of Python numbers."""

    def reference(*operands, **params):
        dtype = operands[0].dtype if result is None else np.dtype(result)
        operands = np.broadcast_arrays(*operands)
        values = [fun(*v, dtype, **params) for v in zip(*[o.ravel().tolist() for o in operands], strict=True)]
        return np.array(values, object).astype(dtype).reshape(operands[0].shape)

    return reference


def bits_of(dtype):
    return 8 * dtype.itemsize


def wrapped(value, dtype):
    """A Python integer modulo the size of an integer dtype."""
    value &= (1 << bits_of(dtype)) - 1
    return value - (1 << bits_of(dtype)) if dtype.kind == "i" and value >> (bits_of(dtype) - 1) else value


def ref_div(x, y):
    if x.dtype.kind not in "iu":
        return np.divide(x, y)

    def quotient(a, b, dtype):
        if b == 0:
            return wrapped(-1, dtype)
        size = abs(a) // abs(b)
        return wrapped(size if (a < 0) == (b < 0) else -size, dtype)

    return each(quotient)(x, y)


def ref_rem(x, y):
    if x.dtype.kind not in "iu":
        return np.fmod(x, y)
    return each(lambda a, b, dtype: a if b == 0 else (abs(a) % abs(b)) * (-1 if a < 0 else 1))(x, y)


def ref_round(x, rounding_method):
    if rounding_method == lax.RoundingMethod.TO_NEAREST_EVEN:
        return np.rint(x)
    # In double precision, adding one half to a narrower number is exact below 2**52.
    return np.where(np.abs(x) < 2.0**30, np.copysign(np.floor(np.abs(x) + 0.5), x), x)


def unsigned_of(value, dtype):
    return value & ((1 << bits_of(dtype)) - 1)


def ref_shift_left(a, n, dtype):
    return wrapped(a << n, dtype) if 0 <= n < bits_of(dtype) else 0


def ref_shift_right_logical(a, n, dtype):
    return wrapped(unsigned_of(a, dtype) >> n, dtype) if 0 <= n < bits_of(dtype) else 0


def ref_shift_right_arithmetic(a, n, dtype):
    signed = wrapped(a, np.dtype(f"i{dtype.itemsize}"))
    return wrapped(signed >> (n if 0 <= n < bits_of(dtype) else bits_of(dtype)), dtype)


def ref_select_n(which, *cases):
    cases = np.broadcast_arrays(*cases)
    which = np.clip(np.broadcast_to(which, cases[0].shape), 0, len(cases) - 1).astype(int)
    return np.choose(which, cases) if cases[0].size else cases[0]


def ref_convert(x, new_dtype):
    new = dtype_of(new_dtype)
    if new.kind in "iu" and x.dtype.kind not in "biu":
        info = np.iinfo(new)

        def convert(v, dtype):
            if v != v:
                return 0
            return int(min(max(v, info.min), info.max)) if abs(v) != np.inf else (info.max if v > 0 else info.min)

        return each(convert, new)(x.real if x.dtype.kind == "c" else x)
    if x.dtype.kind == "c" and new.kind != "c" and new.kind != "b":
        x = x.real
    return x.astype(new)


def ref_reduce_precision(x, exponent_bits, mantissa_bits):
    fraction, exponent = np.frexp(widened(x))
    rounded = np.ldexp(np.rint(np.ldexp(fraction, mantissa_bits + 1)), exponent - mantissa_bits - 1)
    largest = 2.0 ** (2 ** (exponent_bits - 1)) if exponent_bits < 11 else np.inf
    rounded = np.where(np.abs(rounded) >= largest, np.copysign(np.inf, x), rounded)
    smallest = 2.0 ** (2 - 2 ** (exponent_bits - 1))
    return np.where(np.abs(rounded) < smallest, np.copysign(0.0, rounded), rounded)


def ref_bitcast(x, new_dtype):
    x = np.ascontiguousarray(x).reshape(x.shape)
    new = dtype_of(new_dtype)
    if new.itemsize < x.dtype.itemsize:
        return x.reshape(*x.shape, 1).view(new)
    if new.itemsize > x.dtype.itemsize:
        return x.view(new)[..., 0]
    return x.view(new)


def ref_total_order(compare_keys):
    def reference(x, y):
        bits = f"i{x.dtype.itemsize}"
        if x.dtype.kind in "iu":
            return compare_keys(x, y)
        a, b = (np.where(v.view(bits) < 0, ~(v.view(bits) & np.iinfo(bits).max), v.view(bits)) for v in (x, y))
        return compare_keys(a, b)

    return reference


def ref_complex(x, y):
    x, y = np.broadcast_arrays(x, y)
    pairs = zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)
    return np.array([complex(a, b) for a, b in pairs], complex).reshape(x.shape)


def power(x, y):
    return np.power(x, y.astype(x.dtype))


def unary(name, reference, dtypes=INEXACT, **facts):
    return Op(name, getattr(lax, name), reference, dtypes, **facts)


def binary(name, reference, dtypes=NUMERIC, **facts):
    return Op(name, getattr(lax, name), reference, dtypes, BINARY_SHAPES, **facts)


# -- rows ----------------------------------------------------------------------------------------

ARITHMETIC = [
    unary("neg", np.negative, NUMERIC),
    unary("sign", np.sign, REAL, domains=(away_from_zero,)),
    # The derivative of a complex sign is taken as zero, as in JAX, which it is not.
    Op("sign_complex", lax.sign, np.sign, COMPLEX, order=0, primitives=("sign",), jax="sign"),
    unary("abs", np.absolute, (*FLOATS, *COMPLEX, *SIGNED), domains=(away_from_zero,), result=real_of),
    unary("square", np.square, NUMERIC),
    unary("sqrt", np.sqrt, domains=((0.1, 4.0),)),
    unary("rsqrt", lambda x: 1 / np.sqrt(x), domains=((0.1, 4.0),), jax_special=False),
    unary("cbrt", np.cbrt, FLOATS, domains=(away_from_zero,)),
    unary("floor", np.floor, FLOATS, domains=(apart,)),
    unary("ceil", np.ceil, FLOATS, domains=(apart,)),
    unary("is_finite", np.isfinite, FLOATS, result=to_bool, order=0),
    *[
        Op(
            f"round_{method.name.lower()}",
            lax.round,
            ref_round,
            FLOATS,
            params={"rounding_method": method},
            domains=(
                lambda rng, shape, dtype: (rng.integers(-5, 5, shape) + rng.uniform(-0.4, 0.4, shape)).astype(dtype),
            ),
            primitives=("round",),
            jax=lambda jax, x, rounding_method: jax.lax.round(x, jax.lax.RoundingMethod(int(rounding_method))),
        )
        for method in lax.RoundingMethod
    ],
    binary("add", np.add),
    binary("sub", np.subtract),
    binary("mul", np.multiply),
    binary("div", ref_div, domains=((-3, 3), away_from_zero)),
    binary("rem", ref_rem, REAL, domains=((-9.0, 9.0), away_from_zero)),
    binary("max", np.maximum),
    binary("min", np.minimum),
    binary("nextafter", np.nextafter, FLOATS, order=0, wide=False),
    *[
        Op(
            f"integer_pow_{y}",
            lax.integer_pow,
            lambda x, y: np.power(x, x.dtype.type(y)) if y >= 0 else 1 / np.power(x, x.dtype.type(-y)),
            NUMERIC if y >= 0 else INEXACT,
            params={"y": y},
            domains=(away_from_zero,),
            primitives=("integer_pow",),
            jax="integer_pow",
            jax_special=y >= 0,
            rtol={"complex64": 1e-5, "complex128": 1e-14, "float64": 1e-14},
        )
        for y in (0, 1, 2, 3, 7, -1, -2)
    ],
    Op(
        "reciprocal",
        lax.reciprocal,
        np.reciprocal,
        INEXACT,
        domains=(away_from_zero,),
        primitives=("integer_pow",),
    ),
    binary(
        "pow",
        np.power,
        INEXACT,
        domains=((0.2, 3.0), (-3.0, 3.0)),
        jax_special=False,
        jax_rtol={"complex64": 1e-4},
    ),
    Op(
        "pow_of_integer",
        lax.pow,
        power,
        [("float32", "int32"), ("float64", "int64"), ("float16", "int8"), ("complex64", "uint8")],
        BINARY_SHAPES,
        domains=(away_from_zero, (-3, 3)),
        wide=False,
        primitives=("pow",),
        jax="pow",
        jax_special=False,
        jax_rtol={"complex64": 1e-4},
    ),
    Op(
        "clamp",
        lax.clamp,
        lambda low, x, high: np.minimum(np.maximum(low, x), high),
        REAL,
        [((), (2, 3), ()), ((3,), (3,), (3,)), ((), (), ()), ((0,), (0,), ()), ((), (3,), (3,))],
        domains=((-1, 0), (-3, 3), (1, 2)),
    ),
]

TRANSCENDENTAL = [
    unary("exp", np.exp),
    unary("exp2", np.exp2, FLOATS),
    Op(
        "exp2_complex",
        lax.exp2,
        lambda x: np.power(2.0, x),
        COMPLEX,
        primitives=("exp2",),
        jax="exp2",
    ),
    unary("expm1", np.expm1),
    unary("log", np.log, domains=((0.2, 5.0),)),
    unary("log1p", np.log1p, domains=((-0.8, 3.0),)),
    unary("logistic", lambda x: 1 / (1 + np.exp(-x)), jax_special=False),
    unary("sin", np.sin),
    unary("cos", np.cos),
    unary("tan", np.tan, domains=((-1.2, 1.2),)),
    unary("asin", np.arcsin, domains=((-0.9, 0.9),)),
    unary("acos", np.arccos, domains=((-0.9, 0.9),)),
    unary("atan", np.arctan),
    unary("sinh", np.sinh),
    unary("cosh", np.cosh),
    unary("tanh", np.tanh),
    unary("asinh", np.arcsinh),
    unary("acosh", np.arccosh, domains=((1.2, 5.0),)),
    unary("atanh", np.arctanh, domains=((-0.9, 0.9),)),
    binary("atan2", np.arctan2, FLOATS, domains=(away_from_zero,)),
]

INTEGER = [
    Op("not", lax.bitwise_not, np.invert, BITS, domains=(any_bits,), order=0, jax="bitwise_not"),
    *[
        Op(
            name,
            getattr(lax, f"bitwise_{name}"),
            ref,
            BITS,
            BINARY_SHAPES,
            domains=(any_bits,),
            order=0,
            jax=f"bitwise_{name}",
        )
        for name, ref in (("and", np.bitwise_and), ("or", np.bitwise_or), ("xor", np.bitwise_xor))
    ],
    *[
        Op(
            name,
            getattr(lax, name),
            each(ref),
            INTEGERS,
            BINARY_SHAPES,
            domains=(any_bits, few_bits),
            order=0,
        )
        for name, ref in (
            ("shift_left", ref_shift_left),
            ("shift_right_logical", ref_shift_right_logical),
            ("shift_right_arithmetic", ref_shift_right_arithmetic),
        )
    ],
    Op(
        "population_count",
        lax.population_count,
        each(lambda a, dtype: unsigned_of(a, dtype).bit_count()),
        INTEGERS,
        domains=(any_bits,),
        order=0,
    ),
    Op(
        "clz",
        lax.clz,
        each(lambda a, dtype: bits_of(dtype) - unsigned_of(a, dtype).bit_length()),
        INTEGERS,
        domains=(any_bits,),
        order=0,
    ),
    Op(
        "mulhi",
        lax.mulhi,
        each(lambda a, b, dtype: wrapped((a * b) >> bits_of(dtype), dtype)),
        INTEGERS,
        BINARY_SHAPES,
        domains=(any_bits,),
        order=0,
    ),
]

COMPARE = [
    *[
        binary(
            name,
            ref,
            (*NUMERIC, "bool") if name in ("eq", "ne") else (*REAL, "bool"),
            domains=((-2, 2),),
            result=to_bool,
            order=0,
        )
        for name, ref in (
            ("eq", np.equal),
            ("ne", np.not_equal),
            ("lt", np.less),
            ("le", np.less_equal),
            ("gt", np.greater),
            ("ge", np.greater_equal),
        )
    ],
    *[
        Op(
            name,
            primitive.bind,
            ref_total_order(ref),
            REAL,
            BINARY_SHAPES,
            domains=((-2, 2),),
            result=to_bool,
            order=0,
            wide=False,
            weak=False,
            jax=lambda jax, x, y, name=f"{name}_p": getattr(jax.lax, name).bind(*np.broadcast_arrays(x, y)),
        )
        for name, primitive, ref in (
            ("eq_to", compare.eq_to_p, np.equal),
            ("lt_to", compare.lt_to_p, np.less),
            ("le_to", compare.le_to_p, np.less_equal),
        )
    ],
    Op(
        "select_n",
        lax.select_n,
        ref_select_n,
        [("bool", d, d) for d in (*NUMERIC, "bool")],
        [((2, 3), (2, 3), (2, 3)), ((), (3,), (3,)), ((), (), ()), ((0,), (0,), (0,))],
        result=lambda which, *cases: cases[0],
        wide=False,
        weak=False,
    ),
    Op(
        "select_n_scalar_cases",
        lax.select_n,
        ref_select_n,
        [("bool", "float32", "float32")],
        [((3,), (), (3,)), ((3,), (3,), ()), ((), (3,), ())],
        result=lambda which, *cases: cases[0],
        wide=False,
        weak=False,
        jax=None,
        primitives=("select_n",),
    ),
    Op(
        "select_n_integer",
        lax.select_n,
        ref_select_n,
        [("int32", d, d, d) for d in ("float32", "complex64", "int32", "bool")],
        [((2, 3),) * 4, ((), (3,), (3,), (3,)), ((),) * 4, ((0,),) * 4],
        domains=((-1, 3), (-3, 3)),
        result=lambda which, *cases: cases[0],
        wide=False,
        weak=False,
        primitives=("select_n",),
        jax="select_n",
    ),
]

CAST = [
    *[
        Op(
            f"convert_element_type_to_{new}",
            lax.convert_element_type,
            ref_convert,
            ("int16", *FLOATS, *COMPLEX, *INTEGERS, "bool"),
            params={"new_dtype": dtype_of(new)},
            domains=((-300, 300),) if new not in ("float32", "float64") else ((-3, 3),),
            result=lambda *_, new=new: dtype_of(new),
            wide=False,
            order=2 if new in ("float64", "complex128") else 0,
            weak=False,
            primitives=("convert_element_type",),
            jax="convert_element_type",
        )
        for new in (
            "float32",
            "float64",
            "float16",
            "bfloat16",
            "int32",
            "int8",
            "uint8",
            "int64",
            "uint64",
            "bool",
            "complex64",
            "complex128",
        )
    ],
    *[
        Op(
            f"bitcast_convert_type_{old}_{new}",
            lax.bitcast_convert_type,
            ref_bitcast,
            [old],
            shapes,
            params={"new_dtype": dtype_of(new)},
            result=lambda *_, new=new: dtype_of(new),
            order=0,
            wide=False,
            weak=False,
            special=False,
            primitives=("bitcast_convert_type",),
            jax="bitcast_convert_type",
        )
        for old, new, shapes in (
            ("float32", "int32", UNARY_SHAPES),
            ("float32", "uint8", UNARY_SHAPES),
            ("uint8", "float32", (((3, 4),), ((4,),), ((0, 4),))),
            ("bfloat16", "uint16", UNARY_SHAPES),
            ("float64", "uint32", UNARY_SHAPES),
        )
    ],
    *[
        Op(
            f"reduce_precision_{exponent}_{mantissa}",
            lax.reduce_precision,
            ref_reduce_precision,
            FLOATS,
            params={"exponent_bits": exponent, "mantissa_bits": mantissa},
            order=0,
            primitives=("reduce_precision",),
            jax="reduce_precision",
        )
        for exponent, mantissa in ((5, 3), (4, 10), (8, 7), (5, 1))
    ],
    Op(
        "copy",
        cast.copy,
        np.copy,
        (*NUMERIC, "bool"),
        jax=lambda jax, x: jax.lax.copy_p.bind(x),
        weak=False,
    ),
    Op("stop_gradient", lax.stop_gradient, np.copy, INEXACT, order=0, weak=False),
]

COMPLEX_PARTS = [
    Op("real", lax.real, np.real, COMPLEX, result=real_of),
    Op("imag", lax.imag, np.imag, COMPLEX, result=real_of),
    Op("conj", lax.conj, np.conjugate, (*COMPLEX, "float32", "float64"), result=complex_of),
    Op(
        "complex",
        lax.complex,
        ref_complex,
        ("float32", "float64"),
        BINARY_SHAPES,
        result=complex_of,
    ),
]


OPS = [*ARITHMETIC, *TRANSCENDENTAL, *INTEGER, *COMPARE, *CAST, *COMPLEX_PARTS]
