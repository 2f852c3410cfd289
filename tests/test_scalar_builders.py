"""The scalar operations: both builders give the same bits, with every case defined."""

import ctypes

import numpy as np
import pytest

from fungrad.jit.kernels.scalars import (
    FLOATS,
    HALF,
    NUMPY_DTYPES,
    SIGNED,
    UNSIGNED,
    NumpyScalars,
    ScalarBuilder,
    Value,
    bit_width,
    type_of,
)
from fungrad.jit.llvm.scalar import LLVMScalars, constant_text
from tools.vecmath_error import compile_map

INTEGERS = SIGNED + UNSIGNED
EVERY = ("i1", *INTEGERS, *FLOATS)


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def samples(type, seed=0):
    """Random bits with the special numbers of the type among them."""
    random = np.random.default_rng(seed)
    dtype = NUMPY_DTYPES[type]
    if type == "i1":
        return random.integers(0, 2, 101).astype(bool)
    bits = random.integers(0, 1 << 63, 150, dtype=np.uint64) * 2 + random.integers(0, 2, 150, dtype=np.uint64)
    anything = bits.astype(f"u{dtype.itemsize}").view(dtype)
    if type in FLOATS:
        few = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            1.5,
            2.5,
            -2.5,
            1e-30,
            np.inf,
            -np.inf,
            np.nan,
            3e38,
            127.5,
            2.0**31,
        ]
        few += [2.0**32, 2.0**63, 2.0**64, -(2.0**31), -(2.0**63), 255.99, -0.99, 1e300]
        return np.concatenate([anything, random.normal(size=51) * 100, few]).astype(dtype)
    info = np.iinfo(dtype)
    few = np.array([0, 1, 2, 3, info.min, info.min + 1, info.max, info.max - 1], dtype)
    small = random.integers(-9 if type in SIGNED else 0, 9, 43).astype(dtype)
    return np.concatenate([anything, few, small])


def pairs(type):
    """Unrelated operands, equal ones, and every combination of the special ones."""
    a, b = samples(type, 1), samples(type, 2)
    x, y = (v.ravel() for v in np.meshgrid(a[-25:], b[-25:]))
    return np.concatenate([a, a, x]), np.concatenate([b, a, y])


def assert_builders_agree(function, *arrays):
    """Same bits from the array evaluation, from LLVM vectors, and from LLVM scalars."""
    __tracebackhide__ = True
    m = NumpyScalars()
    expected = function(m, *(m.value(a) for a in arrays)).raw
    types = [type_of(a.dtype) for a in arrays]
    for lanes in (8, 1):
        got = compile_map(function, *types, lanes=lanes)(*arrays)
        assert got.dtype == expected.dtype
        unsigned = f"u{got.dtype.itemsize}"
        same = got.view(unsigned) == np.broadcast_to(expected, got.shape).copy().view(unsigned)
        if np.dtype(got.dtype).kind not in "biu":
            same |= np.isnan(got) & np.isnan(expected)
        wrong = np.flatnonzero(~same)[:4]
        assert wrong.size == 0, ([a[wrong] for a in arrays], got[wrong], expected[wrong], lanes)
    return expected


@pytest.mark.parametrize("type", FLOATS)
@pytest.mark.parametrize("op", ["neg", "abs", "sqrt", "floor", "ceil", "trunc", "rint"])
def test_unary_on_floats(op, type):
    assert_builders_agree(lambda m, x: m.unary(op, x), samples(type))


@pytest.mark.parametrize("type", INTEGERS)
@pytest.mark.parametrize("op", ["neg", "abs", "not", "popcount", "clz"])
def test_unary_on_integers(op, type):
    assert_builders_agree(lambda m, x: m.unary(op, x), samples(type))


@pytest.mark.parametrize("type", FLOATS)
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "min", "max", "copysign"])
def test_binary_on_floats(op, type):
    assert_builders_agree(lambda m, x, y: m.binary(op, x, y), *pairs(type))


@pytest.mark.parametrize("type", INTEGERS)
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "rem", "and", "or", "xor", "min", "max"])
def test_binary_on_integers(op, type):
    assert_builders_agree(lambda m, x, y: m.binary(op, x, y), *pairs(type))


@pytest.mark.parametrize("type", INTEGERS)
@pytest.mark.parametrize("op", ["shl", "shr"])
def test_shifts(op, type):
    mask = bit_width(type) - 1
    assert_builders_agree(lambda m, x, y: m.binary(op, x, y & mask), *pairs(type))


@pytest.mark.parametrize("op", ["and", "or", "xor", "min", "max"])
def test_booleans(op):
    assert_builders_agree(lambda m, x, y: m.binary(op, x, y), *pairs("i1"))
    assert_builders_agree(lambda m, x: ~x, samples("i1"))


def test_upper_half_of_products():
    x, y = pairs("u32")
    got = assert_builders_agree(lambda m, x, y: m.binary("mulhi", x, y), x, y)
    assert [int(g) for g in got] == [int(a) * int(b) >> 32 for a, b in zip(x, y, strict=True)]


@pytest.mark.parametrize("type", EVERY)
@pytest.mark.parametrize("op", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons(op, type):
    assert_builders_agree(lambda m, x, y: m.compare(op, x, y), *pairs(type))


@pytest.mark.parametrize("type", EVERY)
def test_select(type):
    x, y = pairs(type)
    chosen = assert_builders_agree(lambda m, x, y: m.select(x == y, x, y), x, y)
    assert chosen.dtype == x.dtype


@pytest.mark.parametrize("target", EVERY)
@pytest.mark.parametrize("source", EVERY)
def test_conversions(source, target):
    assert_builders_agree(lambda m, x: m.convert(x, target), samples(source))


def test_conversion_to_integers_saturates():
    x = np.array([1e10, -1e10, np.nan, 2.9, -2.9, np.inf, -np.inf, 300.0], np.float32)
    for lanes_type, expected in {
        "i32": [2**31 - 1, -(2**31), 0, 2, -2, 2**31 - 1, -(2**31), 300],
        "u8": [255, 0, 0, 2, 0, 255, 0, 255],
    }.items():
        got = assert_builders_agree(lambda m, x, t=lanes_type: m.convert(x, t), x)
        assert got.tolist() == expected


def test_double_to_half_is_rounded_once():
    x = 1 + 2.0**-11 + np.array([0, 2.0**-40, -(2.0**-40)])
    got = assert_builders_agree(lambda m, x: m.convert(x, "f16"), np.concatenate([x, -x]))
    assert got.tolist()[:3] == [1.0, 1.0 + 2.0**-10, 1.0]


def test_integer_division_defines_every_case():
    x = np.array([7, -7, 7, -7, 5, 0, -(2**31), -(2**31)], np.int32)
    y = np.array([2, 2, -2, -2, 0, 0, -1, 0], np.int32)
    quotient = assert_builders_agree(lambda m, x, y: x / y, x, y)
    assert quotient.tolist() == [3, -3, -3, 3, -1, -1, -(2**31), -1]
    rest = assert_builders_agree(lambda m, x, y: m.rem(x, y), x, y)
    assert rest.tolist() == [1, -1, 1, -1, 5, 0, 0, -(2**31)]


@pytest.mark.parametrize("type", FLOATS)
def test_remainder_of_floats(type):
    x, y = pairs(type)
    m = NumpyScalars()
    expected = m.rem(m.value(x), m.value(y)).raw
    got = compile_map(lambda m, x, y: m.rem(x, y), type, type, lanes=1)(x, y)
    unsigned = f"u{x.dtype.itemsize}"
    assert np.all((got.view(unsigned) == expected.view(unsigned)) | np.isnan(got) & np.isnan(expected))


@pytest.mark.parametrize("type", FLOATS)
def test_fma(type):
    x, y = pairs(type)
    z = np.resize(samples(type, 3), x.shape)
    assert_builders_agree(lambda m, x, y, z: m.fma(x, y, z), x, y, z)
    # the rounding error of a product, where one rounding too many would give 0
    error = assert_builders_agree(lambda m, x, y: m.fma(x, y, -(x * y)), x, y)
    assert type in HALF or np.any(error[np.isfinite(error)] != 0)


def test_fma_of_doubles_against_the_c_library():
    """Results next to subnormal, cancellation, and summands far apart."""
    library = ctypes.CDLL(None)
    library.fma.restype, library.fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
    random = np.random.default_rng(7)
    a, b = random.normal(size=(2, 3000))
    scales = 2.0 ** random.integers(-70, 70, 3000)
    c = np.where(random.random(3000) < 0.5, -a * b, a * b * scales)
    small = random.random(3000) < 0.4
    a = np.where(small, a * 2.0**-530, a)
    b = np.where(small, b * 2.0 ** random.integers(-540, -480, 3000), b)
    c = np.where(small, random.normal(size=3000) * 2.0 ** random.integers(-1074, -1000, 3000), c)
    expected = np.array([library.fma(*row) for row in zip(a, b, c, strict=True)])
    got = assert_builders_agree(lambda m, x, y, z: m.fma(x, y, z), a, b, c)
    assert np.array_equal(got.view(np.int64), expected.view(np.int64))


@pytest.mark.parametrize("source", EVERY)
def test_bitcasts(source):
    for target in EVERY:
        if bit_width(source) == bit_width(target):
            assert_builders_agree(lambda m, x, t=target: m.bitcast(x, t), samples(source))
    m = NumpyScalars()
    wrong = "i64" if bit_width(source) != 64 else "i32"
    with pytest.raises(TypeError, match=f"bitcast from {source} to {wrong} changes the width"):
        m.bitcast(m.value(samples(source)), wrong)


def test_minimum_and_maximum_propagate_nan():
    x = np.array([1.0, np.nan, 2.0, np.nan, -np.inf], np.float32)
    y = np.array([2.0, 1.0, np.nan, np.nan, 3.0], np.float32)
    low = assert_builders_agree(lambda m, x, y: m.minimum(x, y), x, y)
    high = assert_builders_agree(lambda m, x, y: m.maximum(x, y), x, y)
    np.testing.assert_array_equal(low, np.minimum(x, y))
    np.testing.assert_array_equal(high, np.maximum(x, y))


def doubled(m, x):
    return (x * 2.0,)


def tripled_if_huge(m, x):
    return m.rare(x > 200.0, doubled(m, x), tripled, x)


def tripled(m, x):
    return (x * 3.0,)


def test_rare_fallback():
    def function(m, x):
        return m.rare(x > 100.0, (x + 1.0,), tripled_if_huge, x)[0]

    x = np.array([1, 150, 2, 250, *range(30)], np.float32)
    got = assert_builders_agree(function, x)
    np.testing.assert_array_equal(got, np.where(x > 200, x * 3, np.where(x > 100, x * 2, x + 1)))


def test_rare_without_branches_selects():
    m = LLVMScalars()
    m.branches = False
    x = m.value("f32", "%x")
    m.rare(x > 1.0, (x,), doubled, x)
    assert not any(line.startswith("br") for line in m.lines)
    assert "select" in m.lines[-1]


def test_rare_fallback_is_compiled_once():
    m = LLVMScalars(lanes=4)
    x, y = m.value("f32", "%x"), m.value("f32", "%y")
    first = m.rare(x > 1.0, (x,), doubled, x)[0]
    branches = len(m.lines)
    assert m.rare(x > 1.0, (x,), doubled, x)[0].raw == first.raw
    assert len(m.lines) == branches
    m.rare(y > 1.0, (y,), doubled, y)
    assert sum(text.startswith("define") for text in m.declarations.values()) == 1
    assert sum("call" in line and "doubled" in line for line in m.lines) == 2


def test_rare_fallback_of_the_wrong_type():
    m = LLVMScalars()
    x = m.value("f32", "%x")
    with pytest.raises(TypeError, match="rare fallback doubled gives f32 where i32 is expected"):
        m.rare(x > 1.0, (m.const(1, "i32"),), doubled, x)


def test_python_numbers_take_the_type_of_the_value():
    def function(m, x):
        return 1 - (2 / (x + 0.25) - 0.1) * 3

    got = assert_builders_agree(function, np.array([1.0, 7.0], np.float32))
    assert got.dtype == np.float32


def test_equal_instructions_are_written_once():
    m = LLVMScalars()
    x = m.value("f32", "%x")
    assert (x * x + 1.0).raw == (x * x + 1.0).raw
    assert len(m.lines) == 2


def test_fast_math_flags_only_outside_precise():
    m = LLVMScalars(flags="contract")
    x = m.value("f32", "%x")
    x * x
    with m.precise():
        x * x
    assert [("contract" in line) for line in m.lines] == [True, False]


def test_constants():
    assert constant_text(1.1, "f32") == "0x3FF19999A0000000"
    assert constant_text(-0.0, "f64") == "0x8000000000000000"
    assert constant_text(1e60, "f32") == constant_text(float("inf"), "f32")
    assert constant_text(255, "i8") == "-1"
    assert constant_text(-1, "u16") == "-1"
    assert constant_text(True, "i1") == "true"
    assert constant_text(1.5, "f16") == "0xH3E00"


@pytest.mark.parametrize("make", [NumpyScalars, LLVMScalars])
def test_mistakes_are_reported(make):
    m: ScalarBuilder = make()
    x, n = m.const(1.0, "f32"), m.const(1, "i32")
    with pytest.raises(TypeError, match="add of f32 and i32; convert one of them first"):
        x + n
    with pytest.raises(TypeError, match="has no truth value because scalar functions are branch-free"):
        if x > 0.0:
            pass
    with pytest.raises(TypeError, match="select of two Python numbers"):
        m.select(x > 0.0, 1.0, 2.0)
    assert "f32" in repr(Value(m, "f32", x.raw))


def test_types_of_dtypes():
    assert [type_of(d) for d in (bool, np.int8, np.uint64, np.float16)] == [
        "i1",
        "i8",
        "u64",
        "f16",
    ]
    assert [type_of(d) for d in (np.complex64, np.complex128)] == ["c64", "c128"]
    with pytest.raises(TypeError, match="dtype datetime64 has no scalar type"):
        type_of("datetime64")
