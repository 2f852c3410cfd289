"""Tests of fungrad.core.dtypes: requests, default widths, promotion, classification, key dtype."""

import itertools
import pickle

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, strategies as st

import fungrad.dtypes as public
from fungrad.config import enable_x64, numpy_dtype_promotion
from fungrad.core import dtypes, promotion

NUMBERS = dtypes.number_dtypes
SMALL = dtypes.small_integers + dtypes.small_floats
# the dtypes between which promotion always succeeds
ORDINARY = tuple(dtype for dtype in NUMBERS if dtype not in SMALL)
WIDE = (dtypes.int64, dtypes.uint64, dtypes.float64, dtypes.complex128)


def name(dtype):
    return dtypes.display_name(dtype)


class ScalarTypeLike:
    """An object that stands for a dtype by its attribute, as fungrad.numpy.float32 does."""

    def __init__(self, dtype):
        self.dtype = np.dtype(dtype)


# --------------------------------------------------------------------------------------------------
# Requests


@pytest.mark.parametrize("dtype", NUMBERS, ids=name)
def test_every_spelling_of_a_request_gives_the_same_object(dtype):
    for spelling in (dtype, dtype.type, dtype.name, ScalarTypeLike(dtype), np.dtype(dtype.type)):
        assert dtypes.canonicalize_dtype(spelling) is dtype
    with enable_x64():
        assert dtypes.canonicalize_dtype(dtype.name) is dtype


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        (">f4", dtypes.float32),
        ("<i8", dtypes.int64),
        (np.dtype(">c16"), dtypes.complex128),
        ("q", dtypes.int64),
        (np.longlong, dtypes.int64),
        (np.intc, dtypes.int32),
        ("float0", dtypes.float0),
        (np.dtype([("float0", np.void, 0)]), dtypes.float0),
        (pickle.loads(pickle.dumps(dtypes.prng_key)), dtypes.prng_key),
        (dtypes.prng_key.newbyteorder(">"), dtypes.prng_key),
        (np.dtype(np.float32, metadata={"unit": "m"}), dtypes.float32),
    ],
    ids=str,
)
def test_rare_spellings(spelling, expected):
    assert dtypes.canonicalize_dtype(spelling) is expected


@pytest.mark.parametrize(
    ("python_type", "narrow", "wide"),
    [
        (bool, dtypes.bool_, dtypes.bool_),
        (int, dtypes.int32, dtypes.int64),
        (float, dtypes.float32, dtypes.float64),
        (complex, dtypes.complex64, dtypes.complex128),
    ],
)
def test_python_types_have_the_default_width(python_type, narrow, wide):
    value = python_type(1)
    for spelling in (python_type, python_type.__name__):
        assert dtypes.canonicalize_dtype(spelling) is narrow
    assert dtypes.scalar_dtype(python_type) is dtypes.scalar_dtype(value) is narrow
    with enable_x64():
        for spelling in (python_type, python_type.__name__):
            assert dtypes.canonicalize_dtype(spelling) is wide
        assert dtypes.scalar_dtype(python_type) is dtypes.scalar_dtype(value) is wide


def test_defaults():
    def defaults():
        return [
            f()
            for f in (
                dtypes.default_int,
                dtypes.default_uint,
                dtypes.default_float,
                dtypes.default_complex,
            )
        ]

    assert defaults() == [dtypes.int32, dtypes.uint32, dtypes.float32, dtypes.complex64]
    with enable_x64():
        assert defaults() == [dtypes.int64, dtypes.uint64, dtypes.float64, dtypes.complex128]


def test_scalar_dtype_of_subclasses_and_others():
    class Count(int):
        pass

    assert dtypes.scalar_dtype(Count(3)) is dtypes.int32
    # np.float64 is a subclass of float, but strong
    for value in (np.float64(1.0), "1", None, [1]):
        with pytest.raises(TypeError, match="scalar_dtype: expected a Python bool, int"):
            dtypes.scalar_dtype(value)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (object, "'object' is not supported"),
        (str, "text is not supported"),
        ("S3", "text is not supported"),
        ("datetime64[s]", "convert dates"),
        ("timedelta64[s]", "convert durations"),
        (np.longdouble, "use float64"),
        (np.clongdouble, "use complex128"),
        ([("a", "f4")], "one array per field"),
        ("V4", "is not supported"),
        (np.floating, "floating is an abstract type"),
        (np.integer, "integer is an abstract type"),
        (dtypes.prng_key_type, "is an abstract type"),
        (None, "None is not a dtype"),
        ("float31", "'float31' is not a dtype"),
        (1.5, "1.5 is not a dtype"),
        (np.zeros(2), "got a ndarray where a dtype is expected; pass x.dtype"),
        (np.float32(1), "got a float32 where a dtype is expected"),
    ],
    ids=str,
)
def test_rejected_requests_name_the_api_and_the_remedy(request_, message):
    with pytest.raises(TypeError, match=message) as info:
        dtypes.canonicalize_dtype(request_, "fungrad.numpy.zeros")
    assert str(info.value).startswith("fungrad.numpy.zeros: ")


@pytest.mark.parametrize("dtype", dtypes.all_dtypes, ids=name)
def test_default_width(dtype):
    narrowed = {
        dtypes.int64: dtypes.int32,
        dtypes.uint64: dtypes.uint32,
        dtypes.float64: dtypes.float32,
        dtypes.complex128: dtypes.complex64,
    }
    assert dtypes.default_width(dtype) is narrowed.get(dtype, dtype)
    with enable_x64():
        assert dtypes.default_width(dtype) is dtype


def test_default_width_of_other_arrays():
    assert dtypes.default_width(np.dtype(">f8")) is dtypes.float32
    assert dtypes.default_width(np.dtype(">i2")) is dtypes.int16
    for dtype in ("longdouble", "O", "M8[s]", "U3"):
        with pytest.raises(TypeError, match="my_function: dtype .* is not supported"):
            dtypes.default_width(np.dtype(dtype), "my_function")


def test_is_known():
    assert all(map(dtypes.is_known, dtypes.all_dtypes))
    assert dtypes.is_known(np.dtype(">f8"))
    assert not dtypes.is_known(np.dtype([("a", "f4")]))
    assert not dtypes.is_known(np.dtype(object))


# --------------------------------------------------------------------------------------------------
# Narrowing integers


@given(
    values=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    target=st.sampled_from(dtypes.integer_dtypes),
)
def test_check_int_range_raises_exactly_when_values_change(values, target):
    array = np.array(values, np.int64)
    limits = ml_dtypes.iinfo(target)
    if all(limits.min <= value <= limits.max for value in values):
        dtypes.check_int_range(array, target, "f: argument x")
    else:
        with pytest.raises(OverflowError, match=f"^f: argument x holds .* in {target.name} "):
            dtypes.check_int_range(array, target, "f: argument x")


@pytest.mark.parametrize(
    ("array", "target"),
    [
        (np.uint64(2**63), dtypes.int64),
        (np.array(-1), dtypes.uint64),
        (np.array([[1], [2**40]]).T, dtypes.int32),
        (np.array([1, 2**40], ">i8"), dtypes.uint32),
        (np.array([-1], ml_dtypes.int4), dtypes.uint8),
        (np.array([15], ml_dtypes.uint4), dtypes.int4),
    ],
    ids=repr,
)
def test_check_int_range_of_special_arrays(array, target):
    with pytest.raises(OverflowError, match="does not fit in"):
        dtypes.check_int_range(np.asarray(array), target, "x")


def test_check_int_range_leaves_other_arrays_alone():
    for array in (
        np.empty((0, 3), np.int64),
        np.array([1e30]),
        np.array([True]),
        np.array(2**31 - 1),
        np.zeros(2, dtypes.prng_key),
    ):
        dtypes.check_int_range(array, dtypes.int32, "x")
    dtypes.check_int_range(np.array([2**62]), dtypes.float32, "x")


def test_check_int_range_says_how_to_keep_the_value():
    with pytest.raises(OverflowError) as info:
        dtypes.check_int_range(np.array([5, -(2**40)]), dtypes.int32, "fungrad.numpy.asarray: a")
    assert str(info.value) == (
        "fungrad.numpy.asarray: a holds the int64 value -1099511627776, which does not fit in "
        "int32 (-2147483648 to 2147483647); request dtype=int64 or enable 64 bit with "
        "fungrad.enable_x64()"
    )


# --------------------------------------------------------------------------------------------------
# Promotion

operands = st.tuples(st.sampled_from(NUMBERS), st.booleans())


def outcome(*pairs):
    """Result of a promotion, or None where there is no common dtype."""
    try:
        return dtypes.lattice_result_type(*pairs)
    except dtypes.TypePromotionError:
        return None


@given(pairs=st.lists(operands, min_size=1, max_size=6), data=st.data())
def test_promotion_ignores_order_and_repetition(pairs, data):
    expected = outcome(*pairs)
    shuffled = data.draw(st.permutations(pairs))
    assert outcome(*shuffled) == expected
    assert outcome(*shuffled, *pairs) == expected
    assert outcome(*pairs, pairs[0]) == expected


@pytest.mark.parametrize("mode", ["standard", "strict"])
@pytest.mark.parametrize("dtype", NUMBERS, ids=name)
def test_promotion_is_idempotent(dtype, mode):
    with numpy_dtype_promotion(mode):
        for n in (1, 2, 3):
            strong, weak = (dtype, False), (dtype, True)
            assert dtypes.lattice_result_type(*[strong] * n) == strong
            assert dtypes.lattice_result_type(*[weak] * n) == (dtype, dtype != dtypes.bool_)
            assert dtypes.lattice_result_type(*[weak] * n, strong) == strong


@pytest.mark.parametrize("x64", [False, True])
def test_promotion_is_associative_and_monotone(x64):
    with enable_x64(x64):
        for a, b, c in itertools.product(ORDINARY, repeat=3):
            three = dtypes.lattice_result_type((a, False), (b, False), (c, False))
            pair = dtypes.lattice_result_type((a, False), (b, False))
            assert dtypes.lattice_result_type(pair, (c, False)) == three
        for a, b in itertools.product(ORDINARY, repeat=2):
            top = dtypes.promote_types(a, b)
            assert dtypes.promote_types(top, a) is top


@given(a=operands, b=operands)
def test_result_of_a_promotion_is_one_of_the_dtypes_and_never_a_weak_bool(a, b):
    result = outcome(a, b)
    if result is not None:
        dtype, weak = result
        assert any(dtype is known for known in NUMBERS)
        assert not (weak and dtype is dtypes.bool_)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        # a 64-bit operand keeps its width
        ([("float64", False), ("float32", True)], ("float64", False)),
        ([("float64", False), ("float32", False)], ("float64", False)),
        ([("int64", False), ("int32", True)], ("int64", False)),
        ([("int64", False), ("int8", False)], ("int64", False)),
        ([("float64", False), ("complex64", False)], ("complex128", False)),
        ([("float64", False), ("complex64", True)], ("complex128", False)),
        ([("uint32", False), ("int32", False), ("int64", False)], ("int64", False)),
        ([("uint32", False), ("uint64", True)], ("uint32", False)),
        # the lattice decides, not the larger width
        ([("int64", False), ("float32", False)], ("float32", False)),
        ([("int64", False), ("float16", False)], ("float16", False)),
        # 64 bits that nobody asked for
        ([("uint32", False), ("int32", False)], ("int32", False)),
        ([("uint32", False), ("int8", False)], ("int32", False)),
        ([("uint32", True), ("int32", True)], ("int32", True)),
        ([("int64", False), ("float32", True)], ("float32", True)),
        ([("uint64", False), ("int64", False)], ("float32", True)),
        ([("int32", True), ("float32", True)], ("float32", True)),
        ([("bool", False), ("int32", True)], ("int32", True)),
        ([("bool", False), ("float32", True)], ("float32", True)),
        ([("int8", False), ("complex64", True)], ("complex64", True)),
    ],
    ids=str,
)
def test_widths_without_x64(pairs, expected):
    operands_ = [(np.dtype(n), weak) for n, weak in pairs]
    assert dtypes.lattice_result_type(*operands_) == (np.dtype(expected[0]), expected[1])


@pytest.mark.parametrize(
    ("a", "b", "narrow", "wide"),
    [
        (int, int, "int32", "int64"),
        (int, float, "float32", "float64"),
        (bool, float, "float32", "float64"),
        ("int8", float, "float32", "float64"),
        ("bfloat16", float, "bfloat16", "bfloat16"),
        ("float8_e5m2", float, "float8_e5m2", "float8_e5m2"),
        ("int4", int, "int4", "int4"),
        ("float32", complex, "complex64", "complex64"),
        ("float64", complex, "complex128", "complex128"),
        ("uint32", np.int32, "int32", "int64"),
        ("bfloat16", "float16", "float32", "float32"),
    ],
)
def test_promote_types(a, b, narrow, wide):
    for x64, expected in ((False, narrow), (True, wide)):
        with enable_x64(x64):
            assert dtypes.promote_types(a, b) == dtypes.promote_types(b, a) == np.dtype(expected)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["float8_e4m3fn", "float8_e5m2"], "float8_e4m3fn, float8_e5m2 have no common dtype"),
        (["float8_e4m3fn", "float32"], r"convert explicitly, for example x.astype\('float32'\)"),
        (["int4", "int8"], "integers up to 4 are never promoted"),
        (["int4", "uint4"], "int4, uint4 have no common dtype"),
    ],
)
def test_small_types_are_never_promoted(pairs, message):
    with pytest.raises(dtypes.TypePromotionError, match=message):
        dtypes.lattice_result_type(*[(np.dtype(n), False) for n in pairs])


def test_small_types_among_three_operands():
    # No two of the weak operands have a common dtype, but both adapt to the strong one.
    strong = (dtypes.float8_e5m2, False)
    weak = [(dtypes.int4, True), (dtypes.float8_e4m3fn, True)]
    assert outcome(*weak) is None
    assert dtypes.lattice_result_type(*weak, strong) == strong


@pytest.mark.parametrize("dtype", [dtypes.float0, dtypes.prng_key], ids=name)
def test_dtypes_without_numbers_only_meet_themselves(dtype):
    assert dtypes.lattice_result_type((dtype, False), (dtype, False)) == (dtype, False)
    assert dtypes.promote_types(dtype, dtype) is dtype
    for other in (dtypes.float32, dtypes.bool_):
        with pytest.raises(dtypes.TypePromotionError, match="float0 and random keys"):
            dtypes.lattice_result_type((dtype, False), (other, False))
    with pytest.raises(dtypes.TypePromotionError):
        dtypes.lattice_result_type((dtype, False), (dtypes.int32, True))


def test_promotion_needs_an_operand():
    with pytest.raises(ValueError, match="at least one operand"):
        dtypes.lattice_result_type()


def test_strict_promotion():
    f32, i32, boolean = dtypes.float32, dtypes.int32, dtypes.bool_
    with numpy_dtype_promotion("strict"):
        for pairs in ([(f32, False), (i32, False)], [(i32, False), (f32, True)]):
            with pytest.raises(dtypes.TypePromotionError, match="'strict'; convert the operands"):
                dtypes.lattice_result_type(*pairs)
        with pytest.raises(dtypes.TypePromotionError, match="dtypes bool, weak int32 are not"):
            dtypes.lattice_result_type((boolean, False), (i32, True))
        # weak operands still adapt
        assert dtypes.lattice_result_type((f32, False), (i32, True)) == (f32, False)
        assert dtypes.lattice_result_type((i32, True), (f32, True)) == (f32, True)
        assert dtypes.promote_types("bfloat16", int) is dtypes.bfloat16
    assert dtypes.lattice_result_type((f32, False), (i32, False)) == (f32, False)


def test_long_operand_lists_do_not_fill_the_table():
    pairs = [(dtypes.float32, False), (dtypes.int8, False), (dtypes.bfloat16, False)]
    dtypes.lattice_result_type(*pairs)
    before = len(promotion._memo)
    for n in range(2, 30):
        assert dtypes.lattice_result_type(*pairs * n) == (dtypes.float32, False)
    assert len(promotion._memo) == before


# --------------------------------------------------------------------------------------------------
# Parity with JAX


@pytest.fixture(scope="module")
def jax():
    return pytest.importorskip("jax")


def jax_outcomes(jax, argument_lists):
    """What JAX's promotion makes of each list of (dtype, weak) operands; None for an error."""
    jnp = jax.numpy
    results = []
    for arguments in argument_lists:
        structs = [jax.ShapeDtypeStruct((1,), d, weak_type=w) for d, w in arguments]
        try:
            if len(structs) == 2:
                result = jax.eval_shape(lambda a, b: jnp.add(a, b), *structs)
            else:
                result = jax.eval_shape(lambda *xs: jnp.concatenate(xs), *structs)
            results.append((np.dtype(result.dtype), bool(result.weak_type)))
        except jax.dtypes.TypePromotionError:
            results.append(None)
    return results


def mismatches(argument_lists, theirs):
    ours = [outcome(*arguments) for arguments in argument_lists]
    return [(arguments, a, b) for arguments, a, b in zip(argument_lists, ours, theirs, strict=True) if a != b]


def nodes(kinds):
    # a weak bool does not exist
    return [(d, w) for d in kinds for w in (False, True) if not (w and d is dtypes.bool_)]


def all_pairs(kinds):
    return list(itertools.combinations_with_replacement(nodes(kinds), 2))


@pytest.mark.parity
def test_whole_lattice_is_that_of_jax(jax):
    pairs = all_pairs(NUMBERS)
    with jax.enable_x64(True), enable_x64():
        theirs = jax_outcomes(jax, pairs)
        assert mismatches(pairs, theirs) == []
    assert None in theirs and len(set(theirs)) > len(NUMBERS)


@pytest.mark.parity
def test_lattice_of_narrow_types_is_that_of_jax_without_x64(jax):
    pairs = all_pairs([dtype for dtype in ORDINARY if dtype not in WIDE])
    with jax.enable_x64(False), enable_x64(False):
        assert mismatches(pairs, jax_outcomes(jax, pairs)) == []


@pytest.mark.parity
@pytest.mark.parametrize("x64", [False, True])
def test_strict_lattice_is_that_of_jax(jax, x64):
    kinds = [dtype for dtype in NUMBERS if x64 or dtype not in WIDE]
    # Two equal weak operands: JAX resets an unusual width to the default, here they stay.
    pairs = [(a, b) for a, b in all_pairs(kinds) if not (a == b and a[1])]
    with jax.enable_x64(x64), enable_x64(x64), numpy_dtype_promotion("strict"):
        with jax.numpy_dtype_promotion("strict"):
            theirs = jax_outcomes(jax, pairs)
        assert mismatches(pairs, theirs) == []


@pytest.mark.parity
@pytest.mark.parametrize("x64", [False, True])
def test_promotion_of_many_operands_is_that_of_jax(jax, x64):
    kinds = [dtype for dtype in NUMBERS if x64 or dtype not in WIDE]
    rng = np.random.default_rng(0)
    every, ordinary = nodes(kinds), nodes([dtype for dtype in kinds if dtype not in SMALL])
    lists = [
        [pool[i] for i in rng.integers(len(pool), size=size)]
        for pool in (every, ordinary)
        for size in (3, 4)
        for _ in range(60)
    ]
    with jax.enable_x64(x64), enable_x64(x64):
        theirs = jax_outcomes(jax, lists)
        assert mismatches(lists, theirs) == []


@pytest.mark.parity
def test_promote_types_of_jax(jax):
    kinds = [*ORDINARY, int, float, complex]
    with jax.enable_x64(True), enable_x64():
        for a, b in itertools.product(kinds, repeat=2):
            assert dtypes.promote_types(a, b) == jax.numpy.promote_types(a, b), (a, b)


@pytest.mark.parity
def test_conversions_and_names_are_those_of_jax(jax):
    jnp = jax.numpy
    with jax.enable_x64(True):
        for dtype in NUMBERS:
            struct = jax.ShapeDtypeStruct((), dtype)
            if dtype not in dtypes.small_integers:  # JAX's exp rejects some of these
                assert dtypes.to_inexact_dtype(dtype) == jax.eval_shape(jnp.exp, struct).dtype
            assert dtypes.to_real_dtype(dtype) == jax.eval_shape(jnp.real, struct).dtype
            jaxpr = jax.make_jaxpr(lambda x: x)(struct)
            assert f" a:{dtypes.short_name(dtype)}[]. " in str(jaxpr)
            assert dtypes.itemsize_bits(dtype) == jax.dtypes.itemsize_bits(dtype)
            assert dtypes.scalar_type_of(dtype) is jax.dtypes.scalar_type_of(dtype)
        for dtype in (dtypes.bool_, dtypes.int8, dtypes.int64, *dtypes.float_dtypes[-2:]):
            struct = jax.ShapeDtypeStruct((4,), dtype)
            assert dtypes.to_complex_dtype(dtype) == jax.eval_shape(jnp.fft.fft, struct).dtype
        key = jax.make_jaxpr(lambda x: x)(jax.random.key(0))
        assert dtypes.short_name(dtypes.prng_key) in str(key)


ABSTRACT = (
    np.generic,
    np.number,
    np.integer,
    np.signedinteger,
    np.unsignedinteger,
    np.inexact,
    np.floating,
    np.complexfloating,
    np.bool_,
    np.flexible,
    np.void,
    np.character,
)


@pytest.mark.parity
def test_issubdtype_is_that_of_jax(jax):
    lower = [*NUMBERS, dtypes.float0, *(dtype.name for dtype in NUMBERS), bool, int, float, complex]
    upper = [*NUMBERS, dtypes.float0, bool, int, float, complex, "float32", "int4", object]
    for a in [*lower, *ABSTRACT, *(dtype.type for dtype in NUMBERS)]:
        for b in [*upper, *ABSTRACT, *(dtype.type for dtype in NUMBERS)]:
            if (a, b) != (np.void, dtypes.float0):  # JAX: yes, for any void dtype
                assert dtypes.issubdtype(a, b) is bool(jax.numpy.issubdtype(a, b)), (a, b)
    for b in [*upper, *ABSTRACT]:
        theirs = bool(jax.numpy.issubdtype(jax.random.key(0).dtype, b))
        assert dtypes.issubdtype(dtypes.prng_key, b) is theirs, b
    pairs = [(dtypes.extended, jax.dtypes.extended), (dtypes.prng_key_type, jax.dtypes.prng_key)]
    for ours, theirs in pairs:
        for a in lower:
            assert dtypes.issubdtype(a, ours) is jax.numpy.issubdtype(a, theirs) is False


@pytest.mark.parity
def test_isdtype_is_that_of_jax(jax):
    kinds = [*KINDS, ("bool", "numeric"), ("integral", "float32"), (), *NUMBERS, int, float, "int8"]
    for dtype, kind in itertools.product([*NUMBERS, float, int, bool, "float", "int"], kinds):
        assert dtypes.isdtype(dtype, kind) is bool(jax.numpy.isdtype(dtype, kind)), (dtype, kind)


@pytest.mark.parity
def test_limits_are_those_of_jax(jax):
    for dtype in (*dtypes.float_dtypes, *dtypes.complex_dtypes, float, complex):
        ours, theirs = dtypes.finfo(dtype), jax.numpy.finfo(dtype)
        for attribute in ("bits", "dtype", "eps", "epsneg", "max", "min", "tiny", "resolution"):
            a, b = getattr(ours, attribute), getattr(theirs, attribute)
            assert a == b or (a != a and b != b), (dtype, attribute)
    for dtype in (*dtypes.integer_dtypes, int):
        ours, theirs = dtypes.iinfo(dtype), jax.numpy.iinfo(dtype)
        assert (ours.min, ours.max, ours.bits) == (theirs.min, theirs.max, theirs.bits)


@pytest.mark.parity
def test_public_names_are_those_of_jax(jax):
    theirs = {n for n in dir(jax.dtypes) if not n.startswith("_")}
    assert set(public.__all__) == theirs
    for x64 in (False, True):
        with jax.enable_x64(x64), enable_x64(x64):
            for dtype in (*NUMBERS, int, float, complex, "float", "int"):
                expected = jax.dtypes.canonicalize_dtype(dtype)
                assert public.canonicalize_dtype(dtype) == expected


# --------------------------------------------------------------------------------------------------
# Classification

KINDS = (
    "bool",
    "signed integer",
    "unsigned integer",
    "integral",
    "real floating",
    "complex floating",
    "numeric",
)


@pytest.mark.parametrize("dtype", dtypes.all_dtypes, ids=name)
def test_helpers_agree_with_issubdtype(dtype):
    assert dtypes.is_bool(dtype) is dtypes.issubdtype(dtype, np.bool_)
    assert dtypes.is_integer(dtype) is dtypes.issubdtype(dtype, np.integer)
    assert dtypes.is_unsigned(dtype) is dtypes.issubdtype(dtype, np.unsignedinteger)
    assert dtypes.is_float(dtype) is dtypes.issubdtype(dtype, np.floating)
    assert dtypes.is_complex(dtype) is dtypes.issubdtype(dtype, np.complexfloating)
    assert dtypes.is_inexact(dtype) is dtypes.issubdtype(dtype, np.inexact)
    assert dtypes.is_key(dtype) is dtypes.issubdtype(dtype, dtypes.prng_key_type)
    assert dtypes.is_key(dtype) is dtypes.issubdtype(dtype, dtypes.extended)
    assert dtypes.is_float0(dtype) is dtypes.issubdtype(dtype, dtypes.float0)
    assert dtypes.isdtype(dtype, "numeric") is dtypes.issubdtype(dtype, np.number)
    # an equal dtype that is another object, as unpickling makes them
    other = pickle.loads(pickle.dumps(dtype))
    assert dtypes.is_key(other) is dtypes.is_key(dtype)
    assert dtypes.is_float(other) is dtypes.is_float(dtype)
    assert dtypes.short_name(other) == dtypes.short_name(dtype)


@pytest.mark.parametrize("dtype", NUMBERS, ids=name)
def test_is_signed_means_that_negative_values_exist(dtype):
    minus_one = np.array(-1.0).astype(dtype)
    negative = dtype is not dtypes.bool_ and complex(minus_one) == -1
    assert dtypes.is_signed(dtype) is negative


def test_issubdtype_of_objects_with_a_dtype():
    assert dtypes.issubdtype(ScalarTypeLike("float32"), np.floating)
    assert dtypes.issubdtype(np.float32, ScalarTypeLike("float32"))
    assert dtypes.issubdtype(np.zeros(3), np.floating)
    assert not dtypes.issubdtype("V4", dtypes.float0)
    assert dtypes.issubdtype("float0", dtypes.float0)
    assert dtypes.issubdtype(dtypes.prng_key, dtypes.prng_key)
    assert not dtypes.issubdtype(dtypes.prng_key, dtypes.float0)
    assert not dtypes.issubdtype("M8[s]", np.number)
    with pytest.raises(TypeError, match="None is not a dtype"):
        dtypes.issubdtype(None, np.floating)


def test_isdtype_errors():
    with pytest.raises(ValueError, match="kind must be one of 'bool', .* got 'floating'"):
        dtypes.isdtype("float32", "floating")
    # a wrong kind is found even where another one matches
    with pytest.raises(ValueError, match="got 'reel'"):
        dtypes.isdtype("float32", ("numeric", "reel"))
    for kind in (np.floating, (("bool",), "int8"), None):
        with pytest.raises(TypeError, match="kind must be one of"):
            dtypes.isdtype("float32", kind)
    assert not dtypes.isdtype(dtypes.prng_key, "numeric")
    assert not dtypes.isdtype(dtypes.float0, KINDS)


def test_limits_reject_other_dtypes():
    for dtype in ("int32", "bool", dtypes.float0, dtypes.prng_key):
        with pytest.raises(ValueError, match="finfo: expected a floating point or complex dtype"):
            dtypes.finfo(dtype)
    for dtype in ("float32", "bool", dtypes.float0, dtypes.prng_key):
        with pytest.raises(ValueError, match="iinfo: expected an integer dtype"):
            dtypes.iinfo(dtype)
    assert dtypes.finfo(ScalarTypeLike("float32")).eps == np.finfo(np.float32).eps
    assert dtypes.iinfo(np.zeros(2, np.int16)).max == 2**15 - 1


def test_conversions_reject_dtypes_without_numbers():
    functions = [dtypes.to_inexact_dtype, dtypes.to_real_dtype, dtypes.to_complex_dtype]
    for dtype in (dtypes.float0, dtypes.prng_key):
        for function in functions:
            with pytest.raises(TypeError, match=f"{function.__name__}: expected a boolean or num"):
                function(dtype)
        with pytest.raises(TypeError, match="has no Python scalar type"):
            dtypes.scalar_type_of(dtype)
        with pytest.raises(ValueError, match="expected a number dtype"):
            public.itemsize_bits(dtype)
    # scalar types are accepted as well
    assert dtypes.to_inexact_dtype(np.int8) is dtypes.float32


def test_scalar_type_of_values():
    assert [dtypes.scalar_type_of(x) for x in (True, 1, 1.0, 1j)] == [bool, int, float, complex]
    assert dtypes.scalar_type_of(np.float64(1.0)) is float
    assert dtypes.scalar_type_of(np.zeros(2, np.int8)) is int
    assert dtypes.scalar_type_of(dtypes.bfloat16) is float


def test_short_names_are_unique_and_invertible():
    names = [dtypes.short_name(dtype) for dtype in dtypes.all_dtypes]
    assert len(set(names)) == len(names)
    for dtype, short in zip(dtypes.all_dtypes, names, strict=True):
        assert dtypes.from_short_name(short) is dtype
    expected = ["bool", "i4", "u8", "f8_e4m3fn", "bf16", "f32", "c64", "float0", "key<fry>"]
    assert set(expected) <= set(names)
    assert dtypes.short_name(np.int32) == "i32"
    with pytest.raises(ValueError, match="'f33' is not one of bf16, bool"):
        dtypes.from_short_name("f33")


def test_public_canonicalize_dtype_of_keys():
    with pytest.raises(ValueError, match="allow_extended_dtype=True"):
        public.canonicalize_dtype(dtypes.prng_key)
    assert public.canonicalize_dtype(dtypes.prng_key, allow_extended_dtype=True) is dtypes.prng_key
    assert public.canonicalize_dtype("float0") is public.float0
    assert public.issubdtype(dtypes.prng_key, public.prng_key)
    assert public.bfloat16(1.5) == 1.5


# --------------------------------------------------------------------------------------------------
# Arrays of keys

WORDS = np.arange(24, dtype=np.uint32).reshape(3, 4, 2)


@pytest.fixture
def keys():
    return dtypes.keys_from_words(WORDS)


def test_keys_and_words(keys):
    assert keys.shape == (3, 4) and keys.dtype is dtypes.prng_key
    np.testing.assert_array_equal(dtypes.key_words(keys), WORDS)
    assert np.shares_memory(dtypes.key_words(keys), WORDS)
    np.testing.assert_array_equal(dtypes.key_words(keys.T), WORDS.swapaxes(0, 1))
    assert dtypes.keys_from_words(WORDS[0, 0]).shape == ()
    assert dtypes.keys_from_words(np.zeros((3, 0, 2), np.uint32)).shape == (3, 0)
    transposed = dtypes.keys_from_words(WORDS.swapaxes(0, 1))
    np.testing.assert_array_equal(dtypes.key_words(transposed), WORDS.swapaxes(0, 1))
    for words in (WORDS.astype(np.int32), WORDS[..., :1], np.array(1, np.uint32)):
        with pytest.raises(ValueError, match=r"expected uint32 words of shape \(\.\.\., 2\)"):
            dtypes.keys_from_words(words)


MASK = np.arange(12).reshape(3, 4) % 3 == 0
# Each function of structure must do with keys what it does with an array of indices of keys.
STRUCTURAL = {
    "where": lambda x: np.where(MASK, x, x[::-1]),
    "where with broadcasting": lambda x: np.where(MASK, x, x[0, 1]),
    "where of scalars": lambda x: np.where(True, x[0, 0], x[0, 1]),
    "select": lambda x: np.select([MASK], [x], x[0, 0]),
    "choose": lambda x: np.choose(MASK.astype(int), [x, x[::-1]]),
    "copyto": lambda x: (y := x.copy(), np.copyto(y, x[::-1], where=MASK))[0],
    "take": lambda x: np.take(x, [0, 2, 9], axis=1, mode="clip"),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[1], [0], [3]]), axis=1),
    "fancy index": lambda x: x[[0, 1], [2, 3]],
    "boolean index": lambda x: x[MASK],
    "scalar index": lambda x: np.asarray(x[1, 2]),
    "negative strides": lambda x: np.ascontiguousarray(x[::-1, ::-2]),
    "assignment": lambda x: (y := x.copy(), y.__setitem__((slice(None), 0), x[:, 1]))[0],
    "concatenate": lambda x: np.concatenate([x, x], axis=1),
    "stack": lambda x: np.stack([x, x], axis=1),
    "block": lambda x: np.block([[x], [x]]),
    "split": lambda x: np.split(x, 2, axis=1)[1],
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 4)),
    "reshape": lambda x: x.T.reshape(2, 6),
    "transpose": lambda x: np.moveaxis(x[None], 0, 1),
    "squeeze": lambda x: x[:, :1].squeeze(1),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "tile": lambda x: np.tile(x, (2, 2)),
    "roll": lambda x: np.roll(x, 1, axis=1),
    "flip": lambda x: np.flip(x, 0),
    "diagonal": lambda x: np.diagonal(x),
    "full": lambda x: np.full((2, 2), x[1, 1]),
    "empty": lambda x: np.empty((0, 2), x.dtype),
    "as array of scalars": lambda x: np.array([x[0, 0], x[2, 1]]),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
}


@pytest.mark.parametrize("function", STRUCTURAL.values(), ids=STRUCTURAL.keys())
def test_numpy_moves_keys_as_single_values(keys, function):
    expected = WORDS.reshape(12, 2)[function(np.arange(12).reshape(3, 4))]
    result = function(keys)
    assert dtypes.is_key(result.dtype)
    np.testing.assert_array_equal(dtypes.key_words(result), expected)


def test_zeros_comparison_and_arithmetic_of_keys(keys):
    assert not dtypes.key_words(np.zeros((2, 3), dtypes.prng_key)).any()
    np.testing.assert_array_equal(keys == keys[0, 1], np.arange(12).reshape(3, 4) == 1)
    np.testing.assert_array_equal(keys != keys, np.zeros((3, 4), bool))
    with pytest.raises(TypeError):
        keys + 1
    with pytest.raises(TypeError):
        np.where(MASK, keys, 1.0)
