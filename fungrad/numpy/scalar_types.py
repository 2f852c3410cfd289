"""``fungrad.numpy.float32`` and its like: dtypes that are called to make arrays.

``jnp.float32(3)`` is a strongly typed 0-d array, and ``jnp.float32`` stands wherever a dtype is asked for, also in
NumPy: ``np.dtype(jnp.float32)``, ``x.dtype == jnp.float32``.

May import ``core`` and ``numpy.creation``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.scalar_types import DEFAULT_WIDTHS
from fungrad.numpy.creation import asarray


class ScalarType(type):
    """Class of the scalar types: compared and hashed as the NumPy scalar class they stand for."""

    dtype: np.dtype

    def __call__(cls, x: Any = 0) -> Array:  # type: ignore[override]
        return asarray(x, dtype=cls.dtype)

    def __eq__(cls, other: object) -> bool:
        return cls is other or cls.dtype.type == other

    def __ne__(cls, other: object) -> bool:
        return not cls == other

    def __hash__(cls) -> int:
        return hash(cls.dtype.type)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.dtype.type)

    def __repr__(cls) -> str:
        return f"fungrad.numpy.{cls.__name__}"

    def __reduce__(cls) -> str:  # type: ignore[override]
        return cls.__name__


def _scalar_type(name: str, dtype: np.dtype) -> ScalarType:
    doc = f"The dtype {dtype.name}; called with a value, makes an array of it."
    return ScalarType(name, (), {"dtype": dtype, "__doc__": doc, "__module__": __name__})


bool_ = _scalar_type("bool_", dtypes.bool_)
uint2 = _scalar_type("uint2", dtypes.uint2)
uint4 = _scalar_type("uint4", dtypes.uint4)
uint8 = _scalar_type("uint8", dtypes.uint8)
uint16 = _scalar_type("uint16", dtypes.uint16)
uint32 = _scalar_type("uint32", dtypes.uint32)
uint64 = _scalar_type("uint64", dtypes.uint64)
int2 = _scalar_type("int2", dtypes.int2)
int4 = _scalar_type("int4", dtypes.int4)
int8 = _scalar_type("int8", dtypes.int8)
int16 = _scalar_type("int16", dtypes.int16)
int32 = _scalar_type("int32", dtypes.int32)
int64 = _scalar_type("int64", dtypes.int64)
float4_e2m1fn = _scalar_type("float4_e2m1fn", dtypes.float4_e2m1fn)
float6_e2m3fn = _scalar_type("float6_e2m3fn", dtypes.float6_e2m3fn)
float6_e3m2fn = _scalar_type("float6_e3m2fn", dtypes.float6_e3m2fn)
float8_e3m4 = _scalar_type("float8_e3m4", dtypes.float8_e3m4)
float8_e4m3 = _scalar_type("float8_e4m3", dtypes.float8_e4m3)
float8_e4m3b11fnuz = _scalar_type("float8_e4m3b11fnuz", dtypes.float8_e4m3b11fnuz)
float8_e4m3fn = _scalar_type("float8_e4m3fn", dtypes.float8_e4m3fn)
float8_e4m3fnuz = _scalar_type("float8_e4m3fnuz", dtypes.float8_e4m3fnuz)
float8_e5m2 = _scalar_type("float8_e5m2", dtypes.float8_e5m2)
float8_e5m2fnuz = _scalar_type("float8_e5m2fnuz", dtypes.float8_e5m2fnuz)
float8_e8m0fnu = _scalar_type("float8_e8m0fnu", dtypes.float8_e8m0fnu)
bfloat16 = _scalar_type("bfloat16", dtypes.bfloat16)
float16 = _scalar_type("float16", dtypes.float16)
float32 = _scalar_type("float32", dtypes.float32)
float64 = _scalar_type("float64", dtypes.float64)
complex64 = _scalar_type("complex64", dtypes.complex64)
complex128 = _scalar_type("complex128", dtypes.complex128)

single, double, csingle, cdouble = float32, float64, complex64, complex128


class DefaultScalarType(ScalarType):
    """Class of the scalar types of default width, which ``config.enable_x64`` decides."""

    _kind: str

    @property
    def dtype(cls) -> np.dtype:  # type: ignore[override]
        """The dtype that the type stands for now."""
        return DEFAULT_WIDTHS[cls._kind][config.enable_x64]


def _default_type(name: str, kind: str, what: str) -> DefaultScalarType:
    doc = f"The {what} dtype of default width; called with a value, makes an array of it."
    return DefaultScalarType(name, (), {"_kind": kind, "__doc__": doc, "__module__": __name__})


int_ = _default_type("int_", "i", "signed integer")
uint = _default_type("uint", "u", "unsigned integer")
float_ = _default_type("float_", "f", "floating")
complex_ = _default_type("complex_", "c", "complex")
