"""Data types, as the rest of the library uses them: ``from fungrad.core import dtypes``.

The types themselves and default widths come from ``scalar_types`` and promotion from ``promotion``;
the file adds classification (``issubdtype``, ``isdtype``, ``finfo``, ``iinfo``), conversions
between kinds, short names, and arrays of random keys.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from fungrad.core.key_types import is_compound, is_key, key_words, keys_from_words
from fungrad.core.promotion import lattice_result_type, promote_types, requested_result_type
from fungrad.core.scalar_types import (
    INTEGERS,
    NARROWED,
    PYTHON_KIND,
    PYTHON_NAME,
    SUPPORTED,
    all_dtypes,
    bfloat16,
    bool_,
    canonicalize_dtype,
    check_int_range,
    complex64,
    complex128,
    complex_dtypes,
    default_complex,
    default_float,
    default_int,
    default_uint,
    default_width,
    display_name,
    extended,
    float0,
    float4_e2m1fn,
    float6_e2m3fn,
    float6_e3m2fn,
    float8_e3m4,
    float8_e4m3,
    float8_e4m3b11fnuz,
    float8_e4m3fn,
    float8_e4m3fnuz,
    float8_e5m2,
    float8_e5m2fnuz,
    float8_e8m0fnu,
    float16,
    float32,
    float64,
    float_dtypes,
    int2,
    int4,
    int8,
    int16,
    int32,
    int64,
    integer_dtypes,
    is_known,
    number_dtypes,
    position_dtype,
    prng_key,
    prng_key_type,
    scalar_dtype,
    short_position_dtype,
    signed_dtypes,
    small_floats,
    small_integers,
    special_names,
    uint2,
    uint4,
    uint8,
    uint16,
    uint32,
    uint64,
    unsigned_dtypes,
)
from fungrad.errors import TypePromotionError

__all__ = [
    "TypePromotionError",
    "all_dtypes",
    "bfloat16",
    "bool_",
    "canonicalize_dtype",
    "check_int_range",
    "complex128",
    "complex64",
    "complex_dtypes",
    "default_complex",
    "default_float",
    "default_int",
    "default_uint",
    "default_width",
    "display_name",
    "extended",
    "finfo",
    "float0",
    "float16",
    "float32",
    "float4_e2m1fn",
    "float64",
    "float6_e2m3fn",
    "float6_e3m2fn",
    "float8_e3m4",
    "float8_e4m3",
    "float8_e4m3b11fnuz",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float_dtypes",
    "from_short_name",
    "iinfo",
    "int16",
    "int2",
    "int32",
    "int4",
    "int64",
    "int8",
    "integer_dtypes",
    "is_bool",
    "is_compound",
    "is_complex",
    "is_float",
    "is_float0",
    "is_inexact",
    "is_integer",
    "is_key",
    "is_known",
    "is_signed",
    "is_unsigned",
    "isdtype",
    "issubdtype",
    "itemsize_bits",
    "key_words",
    "keys_from_words",
    "lattice_result_type",
    "requested_result_type",
    "number_dtypes",
    "position_dtype",
    "prng_key",
    "prng_key_type",
    "promote_types",
    "scalar_dtype",
    "short_position_dtype",
    "scalar_type_of",
    "short_name",
    "signed_dtypes",
    "small_floats",
    "small_integers",
    "to_complex_dtype",
    "to_inexact_dtype",
    "to_real_dtype",
    "uint16",
    "uint2",
    "uint32",
    "uint4",
    "uint64",
    "uint8",
    "unsigned_dtypes",
]

# --------------------------------------------------------------------------------------------------
# Classification

_UNSIGNED: frozenset[np.dtype] = frozenset(unsigned_dtypes)
_FLOATS: frozenset[np.dtype] = frozenset(float_dtypes)
_COMPLEX: frozenset[np.dtype] = frozenset(complex_dtypes)
_INEXACT: frozenset[np.dtype] = _FLOATS | _COMPLEX
_NUMBERS: frozenset[np.dtype] = INTEGERS | _INEXACT
_SIGNED: frozenset[np.dtype] = _NUMBERS - _UNSIGNED - {float8_e8m0fnu}

_TO_INEXACT = {
    dtype: dtype if dtype in _INEXACT else float64 if dtype in NARROWED else float32
    for dtype in number_dtypes
}
_TO_REAL = {dtype: dtype for dtype in number_dtypes} | {complex64: float32, complex128: float64}
_TO_COMPLEX = {
    dtype: complex128 if _TO_INEXACT[dtype] in (float64, complex128) else complex64
    for dtype in number_dtypes
}


def is_bool(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is the boolean dtype."""
    return dtype == bool_


def is_integer(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is a signed or unsigned integer dtype (not bool)."""
    return dtype in INTEGERS


def is_unsigned(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is an unsigned integer dtype."""
    return dtype in _UNSIGNED


def is_float(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is a real floating point dtype (not float0)."""
    return dtype in _FLOATS


def is_complex(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is a complex dtype."""
    return dtype in _COMPLEX


def is_inexact(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is floating point or complex: the dtypes that can be differentiated."""
    return dtype in _INEXACT


def is_signed(dtype: np.dtype) -> bool:
    """Whether ``dtype`` has negative values: not so bool, unsigned integers and float8_e8m0fnu."""
    return dtype in _SIGNED


def is_float0(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is the dtype of tangents that do not exist."""
    return dtype is float0 or dtype == float0


def to_inexact_dtype(dtype: np.dtype) -> np.dtype:
    """The inexact dtype in which functions such as ``sin`` and ``mean`` compute for ``dtype``.

    Floats and complex numbers stay, 64-bit integers become float64, other integers and bool
    float32.
    """
    return _conversion(_TO_INEXACT, dtype, "to_inexact_dtype")


def to_real_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of the real part: float32 for complex64, float64 for complex128, else ``dtype``."""
    return _conversion(_TO_REAL, dtype, "to_real_dtype")


def to_complex_dtype(dtype: np.dtype) -> np.dtype:
    """The complex dtype for values of ``dtype``: complex128 for 64-bit types, else complex64."""
    return _conversion(_TO_COMPLEX, dtype, "to_complex_dtype")


def _conversion(table: dict[np.dtype, np.dtype], dtype: np.dtype, api: str) -> np.dtype:
    found = table.get(dtype)
    if found is None:
        found = table.get(canonicalize_dtype(dtype, api))
    if found is None:
        raise TypeError(f"{api}: expected a boolean or number dtype, got {display_name(dtype)}")
    return found


_SIZE_IN_BITS = {dtype: 8 * dtype.itemsize for dtype in all_dtypes} | {
    dtype: ml_dtypes.iinfo(dtype).bits if dtype in INTEGERS else ml_dtypes.finfo(dtype).bits
    for dtype in small_integers + small_floats
}


def itemsize_bits(dtype: np.dtype) -> int:
    """Number of bits of one value; in an array, the small types use a whole byte for each."""
    found = _SIZE_IN_BITS.get(dtype)
    if found is None:
        dtype = canonicalize_dtype(dtype, "itemsize_bits")
        found = _SIZE_IN_BITS.get(dtype, 8 * dtype.itemsize)
    return found


def scalar_type_of(x: Any) -> type:
    """The Python type (bool, int, float or complex) of the elements of an array, scalar or dtype.

    Raises:
      TypeError: when the elements are not numbers or truth values.

    Example:
      >>> from fungrad import dtypes
      >>> import numpy as np
      >>> dtypes.scalar_type_of(np.float32(1)), dtypes.scalar_type_of(True)
      (<class 'float'>, <class 'bool'>)
    """
    if isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic):
        dtype = scalar_dtype(x)
    else:
        dtype = _dtype_of(x, "scalar_type_of")
    if is_bool(dtype):
        return bool
    if is_integer(dtype):
        return int
    if is_float(dtype):
        return float
    if is_complex(dtype):
        return complex
    raise TypeError(f"scalar_type_of: {display_name(dtype)} has no Python scalar type")


def _dtype_of(x: Any, api: str) -> np.dtype:
    """The dtype of an array, scalar or dtype-like; Python's types mean what they mean to NumPy."""
    if isinstance(x, type | str) and (x in PYTHON_KIND or x in PYTHON_NAME):
        return SUPPORTED[np.dtype(x)]
    dtype = getattr(x, "dtype", None)
    return canonicalize_dtype(dtype if isinstance(dtype, np.dtype) else x, api)


# ml_dtypes' scalar classes derive from np.generic directly; these are the classes they stand under.
_ABSTRACT_PARENT: dict[type, type] = (
    {dtype.type: np.floating for dtype in (*small_floats, bfloat16)}
    | {dtype.type: np.unsignedinteger for dtype in (uint2, uint4)}
    | {dtype.type: np.signedinteger for dtype in (int2, int4)}
)


def issubdtype(a: Any, b: Any) -> bool:
    """Whether dtype ``a`` is ``b`` or stands below it in NumPy's hierarchy of scalar types.

    Works like ``np.issubdtype`` and knows bfloat16 and the other small types, float0 and random
    keys.  As in NumPy, Python's ``int`` and ``float`` are int64 and float64 here.

    Args:
      a: a dtype-like, an abstract scalar class such as ``np.floating``, or an array.
      b: likewise.

    Example:
      >>> import numpy as np
      >>> from fungrad.core import dtypes
      >>> dtypes.issubdtype("bfloat16", np.floating)
      True
      >>> dtypes.issubdtype("int8", np.unsignedinteger)
      False
    """
    class_a, structured_a = _scalar_class(a)
    class_b, structured_b = _scalar_class(b)
    if structured_b is not None:
        return structured_a == structured_b
    return issubclass(class_a, class_b) or issubclass(
        _ABSTRACT_PARENT.get(class_a, class_a), class_b
    )


def _scalar_class(x: Any) -> tuple[type, np.dtype | None]:
    """The scalar class of ``x``, and its dtype if structured: those all have the same class."""
    if isinstance(x, type) and issubclass(x, np.generic):
        return x, None
    dtype = getattr(x, "dtype", x)
    if not isinstance(dtype, np.dtype):
        if dtype is None:
            raise TypeError("issubdtype: None is not a dtype")
        dtype = float0 if dtype == "float0" else np.dtype(dtype)
    if dtype.fields is None:
        return dtype.type, None
    return (prng_key_type if is_key(dtype) else dtype.type), dtype


_KINDS: dict[str, frozenset[np.dtype]] = {
    "bool": frozenset({bool_}),
    "signed integer": frozenset(signed_dtypes),
    "unsigned integer": _UNSIGNED,
    "integral": INTEGERS,
    "real floating": _FLOATS,
    "complex floating": _COMPLEX,
    "numeric": _NUMBERS,
}


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether ``dtype`` is of one of the kinds of the Python array API standard.

    Args:
      dtype: a dtype-like.
      kind: ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``,
        ``"real floating"``,
        ``"complex floating"`` or ``"numeric"``, a dtype-like, or a tuple of these.

    Raises:
      TypeError: when ``kind`` is neither a string, a dtype nor a tuple of these.
      ValueError: when ``kind`` is an unknown string.

    Example:
      >>> from fungrad.core.dtypes import isdtype
      >>> isdtype("bfloat16", "real floating"), isdtype("int8", ("bool", "uint8"))
      (True, False)
    """
    dtype = _dtype_of(dtype, "isdtype")
    kinds = kind if isinstance(kind, tuple) else (kind,)
    # every kind is checked, so that a misspelt one is found whatever the dtype
    return any([dtype in _kind_members(k) for k in kinds])


def _kind_members(kind: Any) -> frozenset[np.dtype]:
    if isinstance(kind, str) and kind in _KINDS:
        return _KINDS[kind]
    try:
        return frozenset({_dtype_of(kind, "isdtype")})
    except TypeError as error:
        problem = ValueError if isinstance(kind, str) else TypeError
        raise problem(
            f"isdtype: kind must be one of {', '.join(map(repr, _KINDS))}, a dtype, or a tuple of "
            f"these; got {kind!r}"
        ) from error


def finfo(dtype: Any) -> Any:
    """Machine limits of a floating point type: ``eps``, ``max``, ``min``, ``tiny``, ``bits`` ...

    Args:
      dtype: a floating point or complex dtype-like, or an array.  As in NumPy, ``float`` is
        float64.

    Returns:
      An ``np.finfo``, or for the small types ml_dtypes' object with the same attributes.

    Raises:
      ValueError: when ``dtype`` is not a floating point or complex dtype.

    Example:
      >>> from fungrad.core.dtypes import finfo
      >>> float(finfo("bfloat16").eps)
      0.0078125
    """
    dtype = _dtype_of(dtype, "fungrad.numpy.finfo")
    if dtype not in _INEXACT:
        raise ValueError(
            f"fungrad.numpy.finfo: expected a floating point or complex dtype, got {display_name(dtype)}"
        )
    return _finfo(dtype)


def iinfo(dtype: Any) -> Any:
    """Machine limits of an integer type: ``min``, ``max`` and ``bits``.

    Args:
      dtype: an integer dtype-like, or an array.  As in NumPy, ``int`` is int64.

    Raises:
      ValueError: when ``dtype`` is not an integer dtype.

    Example:
      >>> from fungrad.core.dtypes import iinfo
      >>> iinfo("int4").min, iinfo("uint8").max
      (-8, 255)
    """
    dtype = _dtype_of(dtype, "fungrad.numpy.iinfo")
    if dtype not in INTEGERS:
        raise ValueError(f"fungrad.numpy.iinfo: expected an integer dtype, got {display_name(dtype)}; see finfo")
    return _iinfo(dtype)


_finfo = lru_cache(maxsize=64)(ml_dtypes.finfo)
_iinfo = lru_cache(maxsize=64)(ml_dtypes.iinfo)


# --------------------------------------------------------------------------------------------------
# Short names

_SHORT_STEMS = {"uint": "u", "int": "i", "bfloat": "bf", "float": "f", "complex": "c"}


def _shortened(name: str) -> str:
    stem = next((stem for stem in _SHORT_STEMS if name.startswith(stem)), None)
    return name if stem is None else _SHORT_STEMS[stem] + name.removeprefix(stem)


_SHORT = {dtype: _shortened(dtype.name) for dtype in number_dtypes}
_FROM_SHORT = {name: dtype for dtype, name in _SHORT.items()}


def short_name(dtype: np.dtype) -> str:
    """The name of ``dtype`` in jaxprs: ``f32``, ``i8``, ``bf16``, ``bool``, ``key<fry>``."""
    found = _SHORT.get(dtype) or special_names.get(dtype)
    return short_name(canonicalize_dtype(dtype, "short_name")) if found is None else found


def from_short_name(name: str) -> np.dtype:
    """The dtype that :func:`short_name` calls ``name``.

    Raises:
      ValueError: when no dtype has this short name.
    """
    found = _FROM_SHORT.get(name)
    if found is None:
        found = next((dtype for dtype, special in special_names.items() if special == name), None)
    if found is None:
        known = ", ".join(sorted([*_FROM_SHORT, *special_names.values()]))
        raise ValueError(f"from_short_name: {name!r} is not one of {known}")
    return found
