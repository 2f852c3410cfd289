"""The dtypes of the library, requests for a dtype, and default widths.

Every dtype inside the library is an ``np.dtype``, and :func:`canonicalize_dtype` always returns the
same instance for equal types.  Other modules use these names through ``fungrad.core.dtypes``.

Width: values without a dtype request have 32 bits unless ``config.enable_x64`` is set; an explicit
request is never narrowed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from fungrad.config import config
from fungrad.core.dimensions import index_bound

# --------------------------------------------------------------------------------------------------
# The types

bool_ = np.dtype(np.bool_)
uint2 = np.dtype(ml_dtypes.uint2)
uint4 = np.dtype(ml_dtypes.uint4)
uint8 = np.dtype(np.uint8)
uint16 = np.dtype(np.uint16)
uint32 = np.dtype(np.uint32)
uint64 = np.dtype(np.uint64)
int2 = np.dtype(ml_dtypes.int2)
int4 = np.dtype(ml_dtypes.int4)
int8 = np.dtype(np.int8)
int16 = np.dtype(np.int16)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
float4_e2m1fn = np.dtype(ml_dtypes.float4_e2m1fn)
float6_e2m3fn = np.dtype(ml_dtypes.float6_e2m3fn)
float6_e3m2fn = np.dtype(ml_dtypes.float6_e3m2fn)
float8_e3m4 = np.dtype(ml_dtypes.float8_e3m4)
float8_e4m3 = np.dtype(ml_dtypes.float8_e4m3)
float8_e4m3b11fnuz = np.dtype(ml_dtypes.float8_e4m3b11fnuz)
float8_e4m3fn = np.dtype(ml_dtypes.float8_e4m3fn)
float8_e4m3fnuz = np.dtype(ml_dtypes.float8_e4m3fnuz)
float8_e5m2 = np.dtype(ml_dtypes.float8_e5m2)
float8_e5m2fnuz = np.dtype(ml_dtypes.float8_e5m2fnuz)
float8_e8m0fnu = np.dtype(ml_dtypes.float8_e8m0fnu)
bfloat16 = np.dtype(ml_dtypes.bfloat16)
float16 = np.dtype(np.float16)
float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
complex64 = np.dtype(np.complex64)
complex128 = np.dtype(np.complex128)

# The type of tangents of integers and booleans: it has no values, and an
# array of it occupies no memory.
float0 = np.dtype([("float0", np.void, 0)])

# A typed random key is one array element that holds the two words of a threefry key.  Being an
# ordinary structured dtype, it goes through NumPy's reshape, indexing, concatenate, where ... as
# one value per key.
prng_key = np.dtype([("key", np.uint32, (2,))])

_Dtypes = tuple[np.dtype, ...]
small_integers: _Dtypes = (uint2, uint4, int2, int4)
small_floats: _Dtypes = (
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
)
unsigned_dtypes: _Dtypes = (uint2, uint4, uint8, uint16, uint32, uint64)
signed_dtypes: _Dtypes = (int2, int4, int8, int16, int32, int64)
integer_dtypes: _Dtypes = unsigned_dtypes + signed_dtypes
float_dtypes: _Dtypes = small_floats + (bfloat16, float16, float32, float64)
complex_dtypes: _Dtypes = (complex64, complex128)
# All dtypes that hold numbers or truth values; ``float0`` and ``prng_key`` are the two that do not.
number_dtypes: _Dtypes = (bool_,) + integer_dtypes + float_dtypes + complex_dtypes
all_dtypes: _Dtypes = number_dtypes + (float0, prng_key)

SMALL_INTEGERS: frozenset[np.dtype] = frozenset(small_integers)
INTEGERS: frozenset[np.dtype] = frozenset(integer_dtypes)


class extended(np.generic):  # noqa: N801 - the name JAX gives it
    """Abstract scalar class of dtypes whose elements are not numbers, for :func:`issubdtype`."""


class prng_key_type(extended):  # noqa: N801
    """Abstract scalar class of typed random keys, for :func:`issubdtype` only.

    Example:
      >>> from fungrad.core import dtypes
      >>> dtypes.issubdtype(dtypes.prng_key, dtypes.prng_key_type)
      True
    """


# --------------------------------------------------------------------------------------------------
# Requests and default widths

# Dtype in native byte order -> the library's own instance of it.
SUPPORTED: dict[np.dtype, np.dtype] = {dtype: dtype for dtype in all_dtypes}
_BY_NAME = {dtype.name: dtype for dtype in number_dtypes} | {"float0": float0}
_BY_SCALAR = {dtype.type: dtype for dtype in number_dtypes}
# What a type becomes when 64 bits are off.
NARROWED: dict[np.dtype, np.dtype] = {
    int64: int32,
    uint64: uint32,
    float64: float32,
    complex128: complex64,
}

# NumPy has no names for these; ``core.key_types`` adds the keys of other generators.
special_names: dict[np.dtype, str] = {float0: "float0", prng_key: "key<fry>"}

# Python's types, and their names as strings, stand for the default width of their kind.
PYTHON_KIND: dict[type, str] = {bool: "b", int: "i", float: "f", complex: "c"}
PYTHON_NAME = {"bool": "b", "int": "i", "uint": "u", "float": "f", "complex": "c"}
# Kind -> (dtype with 32 bits, dtype with 64 bits), to be indexed with ``config.enable_x64``.
DEFAULT_WIDTHS: dict[str, tuple[np.dtype, np.dtype]] = {
    "b": (bool_, bool_),
    "i": (int32, int64),
    "u": (uint32, uint64),
    "f": (float32, float64),
    "c": (complex64, complex128),
}

_ABSTRACT_TYPES = {
    np.generic,
    np.number,
    np.integer,
    np.signedinteger,
    np.unsignedinteger,
    np.inexact,
    np.floating,
    np.complexfloating,
    np.flexible,
    np.character,
    extended,
    prng_key_type,
}

_ALLOWED = (
    "bool_, int2/4/8/16/32/64, uint2/4/8/16/32/64, bfloat16, float16/32/64, floats up to 8 bits, "
    "complex64/128, float0 or a random key dtype"
)
_REMEDIES = {
    "O": "convert the elements to numbers first, for example np.asarray(x, dtype=np.float64)",
    "S": "text is not supported: encode it as integers",
    "U": "text is not supported: encode it as integers",
    "T": "text is not supported: encode it as integers",
    "M": "convert dates to numbers first, for example x.astype('datetime64[s]').astype('int64')",
    "m": "convert durations to numbers first, for example x / np.timedelta64(1, 's')",
    "V": "use one array per field, for example a dict of arrays",
    "f": "extended precision is not supported: use float64",
    "c": "extended precision is not supported: use complex128",
}


def is_known(dtype: np.dtype) -> bool:
    """Whether arrays of ``dtype`` are supported, in whatever byte order."""
    return dtype in SUPPORTED or dtype.newbyteorder("=") in SUPPORTED


def display_name(dtype: np.dtype) -> str:
    """The name of ``dtype`` in error messages; NumPy has no name for float0 and for keys."""
    return special_names.get(dtype) or dtype.name


def default_int() -> np.dtype:
    """The dtype of Python ints: int32, or int64 when ``config.enable_x64`` is set."""
    return int64 if config.enable_x64 else int32


def default_uint() -> np.dtype:
    """The default unsigned integer: uint32, or uint64 when ``config.enable_x64`` is set."""
    return uint64 if config.enable_x64 else uint32


def default_float() -> np.dtype:
    """The dtype of Python floats: float32, or float64 when ``config.enable_x64`` is set."""
    return float64 if config.enable_x64 else float32


def default_complex() -> np.dtype:
    """The dtype of Python complex: complex64, or complex128 when ``config.enable_x64`` is set."""
    return complex128 if config.enable_x64 else complex64


def position_dtype(size: int) -> np.dtype:
    """The dtype of positions among ``size`` elements: the default integer, or int64 where that is too short."""
    return int64 if index_bound(size) > 2**31 - 1 else default_int()


def short_position_dtype(size: int) -> np.dtype:
    """The dtype of positions that do not follow the default width: int32, or int64 where that is too short."""
    return int64 if index_bound(size) > 2**31 - 1 else int32


def scalar_dtype(value_or_type: Any) -> np.dtype:
    """The dtype of a Python bool, int, float or complex, or of its type, at default width.

    Raises:
      TypeError: for anything else; NumPy scalars have a dtype of their own.
    """
    cls = value_or_type if isinstance(value_or_type, type) else type(value_or_type)
    kind = PYTHON_KIND.get(cls)
    if kind is None and not issubclass(cls, np.generic):
        kind = next((k for base, k in PYTHON_KIND.items() if issubclass(cls, base)), None)
    if kind is None:
        raise TypeError(
            f"scalar_dtype: expected a Python bool, int, float or complex (or one of these types), "
            f"got {cls.__name__}"
        )
    return DEFAULT_WIDTHS[kind][config.enable_x64]


def canonicalize_dtype(dtype_like: Any, api: str = "dtype") -> np.dtype:
    """The dtype that an explicit request names; a request for 64 bits is honoured.

    Args:
      dtype_like: an ``np.dtype``, a NumPy or ml_dtypes scalar type, a name such as ``"bfloat16"``,
        an object with a ``dtype`` attribute such as ``fungrad.numpy.float32``, or one of Python's
        ``bool``, ``int``, ``float`` and ``complex`` (also as strings), which mean the default
        width.
      api: the function that got the request, for the error message.

    Returns:
      One of the library's dtypes, in native byte order; equal requests give the identical object.

    Raises:
      TypeError: when the request names no supported dtype, or is an array instead of a dtype.

    Example:
      >>> from fungrad.core.dtypes import canonicalize_dtype
      >>> canonicalize_dtype("float64"), canonicalize_dtype(float)
      (dtype('float64'), dtype('float32'))
    """
    if isinstance(dtype_like, np.dtype):
        found = SUPPORTED.get(dtype_like)
        return _supported(dtype_like, api) if found is None else found
    if isinstance(dtype_like, str):
        kind = PYTHON_NAME.get(dtype_like)
        if kind is None and dtype_like in _BY_NAME:
            return _BY_NAME[dtype_like]
    elif isinstance(dtype_like, type):
        kind = PYTHON_KIND.get(dtype_like)
        if kind is None and dtype_like in _BY_SCALAR:
            return _BY_SCALAR[dtype_like]
    else:
        kind = None
    if kind is not None:
        return DEFAULT_WIDTHS[kind][config.enable_x64]
    return _supported(_as_numpy_dtype(dtype_like, api), api)


def _as_numpy_dtype(dtype_like: Any, api: str) -> np.dtype:
    """The np.dtype of a request in one of the rarer spellings, supported or not."""
    dtype = getattr(dtype_like, "dtype", None)
    if isinstance(dtype, np.dtype):
        if hasattr(dtype_like, "shape"):
            raise TypeError(
                f"{api}: got a {type(dtype_like).__name__} where a dtype is expected; "
                "pass x.dtype instead of x"
            )
        return dtype
    if dtype_like is None:
        raise TypeError(f"{api}: None is not a dtype; expected {_ALLOWED}")
    if isinstance(dtype_like, type) and dtype_like in _ABSTRACT_TYPES:
        raise TypeError(
            f"{api}: {dtype_like.__name__} is an abstract type without a width; expected {_ALLOWED}"
        )
    try:
        return np.dtype(dtype_like)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{api}: {dtype_like!r} is not a dtype; expected {_ALLOWED}") from error


def _supported(dtype: np.dtype, api: str) -> np.dtype:
    """The library's own instance of ``dtype``; byte order is storage, not part of the type."""
    found = SUPPORTED.get(dtype)
    if found is None:
        found = SUPPORTED.get(dtype.newbyteorder("="))
    if found is None:
        remedy = _REMEDIES.get(dtype.kind)
        hint = f"; {remedy}" if remedy else ""
        raise TypeError(f"{api}: dtype {str(dtype)!r} is not supported; expected {_ALLOWED}{hint}")
    return found


def default_width(dtype: np.dtype, api: str = "array") -> np.dtype:
    """The dtype that an incoming NumPy array gets when no dtype was requested.

    With ``config.enable_x64`` off, int64, uint64, float64 and complex128 become their 32-bit
    versions (complex64 for complex128); everything else stays.

    Raises:
      TypeError: when arrays of ``dtype`` are not supported, also for longdouble and clongdouble.
    """
    found = SUPPORTED.get(dtype)
    if found is None:
        found = canonicalize_dtype(dtype, api)
    return found if config.enable_x64 else NARROWED.get(found, found)


def check_int_range(array: np.ndarray, target_dtype: np.dtype, what: str) -> None:
    """Raises when converting an integer array to ``target_dtype`` would change its values.

    Args:
      array: any NumPy array; only integer arrays are looked at.
      target_dtype: any dtype; only integer dtypes are checked.
      what: what the array is, to begin the error message: ``"fungrad.numpy.asarray: argument"``.

    Raises:
      OverflowError: naming the smallest or largest value that does not fit.
    """
    source = array.dtype
    if array.size == 0 or target_dtype not in INTEGERS:
        return
    # kind first: arrays in foreign byte order are not in the table
    if source.kind not in "iu" and source not in INTEGERS:
        return
    low, high = _int_limits(target_dtype)
    source_low, source_high = _int_limits(source.newbyteorder("="))
    if low <= source_low and source_high <= high:
        return
    if source in SMALL_INTEGERS:
        array = array.astype(np.int8)
    for value in (int(array.min()), int(array.max())):
        if not low <= value <= high:
            hint = ""
            if target_dtype in (int32, uint32):
                wide = target_dtype.name.replace("32", "64")
                hint = f"; request dtype={wide} or enable 64 bit with fungrad.enable_x64()"
            raise OverflowError(
                f"{what} holds the {source.name} value {value}, which does not fit in "
                f"{target_dtype.name} ({low} to {high}){hint}"
            )


@lru_cache(maxsize=64)
def _int_limits(dtype: np.dtype) -> tuple[int, int]:
    info = ml_dtypes.iinfo(dtype)
    return int(info.min), int(info.max)
