"""Changes of dtype and representation, identities, and arrays full of one value.

May import ``core``, ``ops._operands``, ``ops._families`` and ``ops.foundation``.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes, tree
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array, is_array_like, wrap
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData, evaluate
from fungrad.core.dimensions import sizes_of
from fungrad.core.primitive import Primitive
from fungrad.ops._families import Elementwise, LinearElementwise
from fungrad.ops._operands import KIND_NAMES, check_kind, kind_of, lift, scalar_array
from fungrad.ops.foundation import broadcast_in_dim, linearize_linear, move_dim

ANYTHING = "".join(KIND_NAMES)
NUMBERS = "biufc"

# -- conversion ----------------------------------------------------------------------------------


class ConvertElementType(Elementwise):
    """Changes the dtype (and whether it is weak)."""

    def abstract_eval(self, x: ShapedArray, *, new_dtype: np.dtype, weak_type: bool) -> ShapedArray:
        check_kind(self.name, x, NUMBERS)
        return ShapedArray(x.shape, new_dtype, weak_type)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        y = self.bind(*primals, **params)
        if not dtypes.is_inexact(params["new_dtype"]):
            return y, Zero(y.aval.tangent())
        return y, self.bind(*tangents, **params)

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        if not dtypes.is_inexact(params["new_dtype"]):
            return evaluate(self, primals, params), None
        return linearize_linear(self, record, primals, tangents, params)

    def transpose(self, ct: Any, *args: Any, **params: Any) -> Sequence[Any]:
        aval = args[0].aval
        return (convert_element_type(ct, aval.dtype, aval.weak_type),)

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        dtype = args[0].aval.dtype
        return ct if ct.dtype is dtype else _convert(np.asarray(ct), new_dtype=dtype, weak_type=False)


def _convert(x: np.ndarray, *, new_dtype: np.dtype, weak_type: bool) -> np.ndarray:
    old, new = kind_of(x.dtype), kind_of(new_dtype)
    if new == "b":
        return x != 0
    if old == "c" and new != "c":
        x, old = x.real, "f"
    if old == "f" and new in "iu":
        return _float_to_integer(x, new_dtype)
    return x.astype(new_dtype, order="C")


def _float_to_integer(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Rounds toward zero; numbers out of range become the nearest integer of the dtype, NaN becomes 0."""
    if x.dtype.itemsize < 4:
        x = x.astype(np.float32)
    info = dtypes.iinfo(dtype)
    low, high = int(info.min), int(info.max)
    # Both limits are exact in a float: `high` itself may not be, so one more is excluded.
    inside = (
        (x > low - 1) & (x < high + 1)
        if high < 2**24
        else (x >= float(low)) & (x < float(high + 1))
    )
    if inside.all():
        return x.astype(dtype, order="C")
    out = np.where(inside, x, x.dtype.type(0)).astype(dtype)
    above = np.where(x > 0, dtype.type(high), dtype.type(low))
    return np.where(inside | np.isnan(x), out, above).astype(dtype, copy=False)


convert_element_type_p = ConvertElementType("convert_element_type", _convert, NUMBERS, cheap=True)


def convert_element_type(operand: Any, new_dtype: Any, weak_type: bool = False) -> Array:
    """Elementwise conversion to another dtype.

    Floating numbers become integers by rounding toward zero, and the nearest integer of the dtype
    if they are out of range (0 for NaN); integers wrap; complex numbers lose their imaginary part;
    booleans tell whether a number is not 0.

    Args:
      operand: array or scalar.
      new_dtype: dtype of the result; an explicit 64-bit dtype is honoured, ``float`` and ``int``
        mean the default width.
      weak_type: whether the result yields to other dtypes in promotion.

    Returns:
      An array of the shape of ``operand``; ``operand`` itself if it has the type already.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.convert_element_type(np.float32([1.7, -300.0]), np.int8)
      Array([   1, -128], dtype=int8)
    """
    dtype = dtypes.canonicalize_dtype(new_dtype, "fungrad.lax.convert_element_type")
    operand = lift(at_full_width(operand, dtype), "fungrad.lax.convert_element_type: operand")
    aval = operand.aval
    if aval.dtype == dtype and aval.weak_type == weak_type:
        return operand
    if dtypes.is_key(dtype) or dtypes.is_key(aval.dtype):
        raise ValueError(
            f"fungrad.lax.convert_element_type: cannot convert {aval.str_short()} to "
            f"{dtypes.short_name(dtype)}: random keys are not numbers; see fungrad.random.key_data "
            "and wrap_key_data"
        )
    return convert_element_type_p.bind(operand, new_dtype=dtype, weak_type=weak_type)


def at_full_width(x: Any, dtype: np.dtype) -> Any:
    """``x``, before it is converted to ``dtype``: what would lose digits at default width is an array of its own width.

    These are Python numbers and NumPy arrays that become 64-bit arrays.
    """
    kind = kind_of(dtype)
    if isinstance(x, (np.ndarray, np.generic)):
        if x.dtype.itemsize < 8 or dtype.itemsize < 8 or x.dtype.kind not in "iufc":
            return x
        own = dtypes.canonicalize_dtype(x.dtype)
        return x if dtypes.default_width(own) is own else wrap(np.array(x, own, order="C"), ShapedArray(x.shape, own))
    if type(x) is float and kind in "fc" or type(x) is complex and kind == "c":
        return scalar_array(x, dtype)
    if type(x) is int and kind in "fc":
        try:
            return scalar_array(float(x), dtype)
        except OverflowError:
            raise OverflowError(f"a Python integer of {x.bit_length()} bits does not fit {dtype.name}") from None
    if type(x) is int and kind in "iu":
        info = dtypes.iinfo(dtype)
        # What fits no integer of the default width wraps like the elements of an array of 64-bit integers.
        return scalar_array(x, dtype) if info.min <= x <= info.max else _wide_integer(x)
    return x


def _wide_integer(x: int) -> Any:
    """``x`` as an array of 64-bit integers where only these hold it."""
    info = dtypes.iinfo(dtypes.default_width(dtypes.int64))
    if info.min <= x <= info.max or not -(2**63) <= x < 2**63:
        return x
    return wrap(np.array(x, np.int64), ShapedArray((), dtypes.int64))


# -- representation ------------------------------------------------------------------------------


class BitcastConvertType(Primitive):
    """The same bits as another dtype; a last dimension appears or disappears where sizes differ."""

    kind = "structural"
    cost = 1

    def abstract_eval(self, x: ShapedArray, *, new_dtype: np.dtype) -> ShapedArray:
        api = "fungrad.lax.bitcast_convert_type"
        if x.dtype == new_dtype:
            return x
        for dtype in (x.dtype, new_dtype):
            if kind_of(dtype) not in "iuf":
                raise TypeError(
                    f"{api}: only integer and real floating dtypes have bits to reinterpret, got {x.str_short()} to "
                    f"{dtypes.short_name(new_dtype)}"
                )
        old, new = dtypes.itemsize_bits(x.dtype), dtypes.itemsize_bits(new_dtype)
        if old % new and new % old:
            raise TypeError(
                f"{api}: the size of one dtype must be a multiple of the other, got {x.str_short()} to "
                f"{dtypes.short_name(new_dtype)}"
            )
        if old == new:
            return ShapedArray(x.shape, new_dtype)
        if old > new:
            return ShapedArray((*x.shape, old // new), new_dtype)
        if not x.shape or x.shape[-1] * old != new:
            raise ValueError(
                f"{api}: to become {dtypes.short_name(new_dtype)}, an operand of {old} bits per "
                f"element needs a last dimension of size {new // old}, got {x.str_short()}"
            )
        return ShapedArray(x.shape[:-1], new_dtype)

    def impl(self, x: np.ndarray, *, new_dtype: np.dtype) -> np.ndarray:
        old, new = dtypes.itemsize_bits(x.dtype), dtypes.itemsize_bits(new_dtype)
        x = np.array(x, order="C", copy=True)
        if old < 8 or new < 8:
            return _from_bits(_regrouped(_bits(x), old, new), new_dtype)
        if old > new:
            return x.reshape(*x.shape, 1).view(new_dtype)
        return x.view(new_dtype).reshape(x.shape if old == new else x.shape[:-1])

    def lower(self, ctx: Any, x: Any, *, new_dtype: np.dtype) -> Any:
        old, new = dtypes.itemsize_bits(x.dtype), dtypes.itemsize_bits(new_dtype)
        if old < 8 or new < 8:
            return ctx.host(self, [x], {"new_dtype": new_dtype})
        if old == new:
            return ctx.map(lambda m, value: m.bitcast(value, new_dtype), [x], new_dtype)

        def piece(m: Any, *i: Any) -> Any:
            """One of the pieces of an element, the lowest bits first."""
            bits = m.bitcast(m.load(x, *i[:-1]), f"u{old}") >> (m.index(i[-1], f"u{old}") * new)
            return m.convert(bits, f"u{new}")

        def whole(m: Any, *i: Any) -> Any:
            """An element of its pieces."""
            pieces = [m.bitcast(m.load(x, *i, k), f"u{old}") for k in range(new // old)]
            return functools.reduce(operator.or_, [m.convert(v, f"u{new}") << (k * old) for k, v in enumerate(pieces)])

        shape = ctx.out_avals[0].shape
        bits = ctx.compute(shape, np.dtype(f"u{new // 8}"), piece if old > new else whole)
        return ctx.map(lambda m, value: m.bitcast(value, new_dtype), [bits], new_dtype)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        y = self.bind(*primals, **params)
        return y, Zero(y.aval.tangent())

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        return self.bind(move_dim(args[0], dims[0], 0), **params), 0


def _bits(x: np.ndarray) -> np.ndarray:
    """The bits of elements below 8 bits as uint8, those of others as bytes in a last dimension."""
    bits = dtypes.itemsize_bits(x.dtype)
    if bits >= 8:
        return x.reshape(*x.shape, 1).view(np.uint8)
    stored = x.astype(np.int8) if x.dtype in dtypes.small_integers else x
    return stored.view(np.uint8) & np.uint8((1 << bits) - 1)


def _regrouped(bits: np.ndarray, old: int, new: int) -> np.ndarray:
    """What ``_bits`` gives for elements of ``old`` bits, for the same bits in elements of ``new`` bits."""
    if new < old:
        start = min(old, 8)
        pieces = [bits >> np.uint8(k) & np.uint8((1 << new) - 1) for k in range(0, start, new)]
        out = np.stack(pieces, -1)
        return out.reshape(*out.shape[:-2], old // new) if old >= 8 else out
    if new == old:
        return bits
    wide = min(new, 8)
    groups = bits.reshape(*bits.shape[:-1], new // wide, wide // old)
    none: Any = np.uint8(0)
    out = sum([groups[..., k] << np.uint8(k * old) for k in range(wide // old)], none)
    return out if new >= 8 else out[..., 0]


def _from_bits(bits: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The elements with the bits that ``_bits`` gives for them."""
    if dtypes.itemsize_bits(dtype) >= 8:
        return np.ascontiguousarray(bits).view(dtype)[..., 0]
    return bits.astype(np.int8).astype(dtype) if dtype in dtypes.small_integers else bits.view(dtype)


bitcast_convert_type_p = BitcastConvertType("bitcast_convert_type")


def bitcast_convert_type(operand: Any, new_dtype: Any) -> Array:
    """Reinterprets the bits of every element as another dtype.

    Args:
      operand: array of an integer or real floating dtype.
      new_dtype: integer or real floating dtype.  A smaller one adds a last dimension with the
        pieces of each element (lowest bits first), a larger one takes the last dimension away.

    Raises:
      TypeError: a dtype is boolean or complex.
      ValueError: the last dimension does not have the size of one new element.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.bitcast_convert_type(np.float32([1.0, -2.0]), np.uint16)
      Array([[    0, 16256],
             [    0, 49152]], dtype=uint16)
    """
    operand = lift(operand, "fungrad.lax.bitcast_convert_type: operand")
    dtype = dtypes.canonicalize_dtype(new_dtype, "fungrad.lax.bitcast_convert_type")
    if dtype == operand.aval.dtype:
        return convert_element_type(operand, dtype)
    return bitcast_convert_type_p.bind(operand, new_dtype=dtype)


# -- precision -----------------------------------------------------------------------------------


def _reduce_precision(x: np.ndarray, *, exponent_bits: int, mantissa_bits: int) -> np.ndarray:
    info = dtypes.finfo(x.dtype)
    bits = x.view(f"u{x.dtype.itemsize}").astype(np.uint64)
    out = bits
    dropped = int(info.nmant) - mantissa_bits
    if dropped > 0:
        # Round half to even: a carry out of the mantissa correctly increases the exponent.
        last_kept = (bits >> np.uint64(dropped)) & np.uint64(1)
        out = bits + last_kept + np.uint64((1 << (dropped - 1)) - 1)
        out = out & ~np.uint64((1 << dropped) - 1)
    magnitude_mask = np.uint64((1 << (int(info.bits) - 1)) - 1)
    sign, magnitude = bits & ~magnitude_mask, out & magnitude_mask
    if exponent_bits < int(info.nexp):
        bias, new_bias = (1 << (int(info.nexp) - 1)) - 1, (1 << (exponent_bits - 1)) - 1
        infinity = np.uint64(((1 << int(info.nexp)) - 1) << int(info.nmant))
        exponent = magnitude >> np.uint64(info.nmant)
        magnitude = np.where(exponent > bias + new_bias, infinity, magnitude)
        # Numbers below the smallest normal one of the narrow format become 0, as on hardware
        # without subnormals.
        magnitude = np.where(exponent <= bias - new_bias, np.uint64(0), magnitude)
    result = (sign | magnitude).astype(f"u{x.dtype.itemsize}").view(x.dtype)
    return np.where(np.isnan(x), x, result)


def _reduce_precision_scalar(m: Any, x: Any, *, exponent_bits: int, mantissa_bits: int) -> Any:
    """Native code: the steps of ``_reduce_precision`` for one number."""
    full_exponent, full_mantissa = {
        "f16": (5, 10),
        "bf16": (8, 7),
        "f32": (8, 23),
        "f64": (11, 52),
    }[x.type]
    width = 1 + full_exponent + full_mantissa
    bits = m.bitcast(x, f"u{width}")
    magnitude = bits & ((1 << (width - 1)) - 1)
    dropped = full_mantissa - mantissa_bits
    if dropped > 0:
        last_kept = (magnitude >> dropped) & 1
        magnitude = (magnitude + last_kept + ((1 << (dropped - 1)) - 1)) & (
            (1 << (width - 1)) - (1 << dropped)
        )
    if exponent_bits < full_exponent:
        bias, new_bias = (1 << (full_exponent - 1)) - 1, (1 << (exponent_bits - 1)) - 1
        exponent = magnitude >> full_mantissa
        infinity = m.const(((1 << full_exponent) - 1) << full_mantissa, magnitude)
        magnitude = m.select(exponent > bias + new_bias, infinity, magnitude)
        magnitude = m.select(exponent <= bias - new_bias, m.const(0, magnitude), magnitude)
    result = m.bitcast((bits & (1 << (width - 1))) | magnitude, x.type)
    return m.select(m.is_nan(x), x, result)


class ReducePrecision(LinearElementwise):
    """Rounds to a floating format with fewer bits; derivatives take it for the identity."""

    def abstract_eval(
        self, x: ShapedArray, *, exponent_bits: int, mantissa_bits: int
    ) -> ShapedArray:
        if exponent_bits < 1 or mantissa_bits < 0:
            raise ValueError(
                f"fungrad.lax.reduce_precision: exponent_bits must be positive and mantissa_bits not negative, got "
                f"{exponent_bits} and {mantissa_bits}"
            )
        return super().abstract_eval(x)


reduce_precision_p = ReducePrecision(
    "reduce_precision",
    _reduce_precision,
    "f",
    lambda ct, aval, **params: reduce_precision(ct, **params),
    scalar=_reduce_precision_scalar,
    cheap=True,
)


def reduce_precision(operand: Any, exponent_bits: int, mantissa_bits: int) -> Array:
    """Rounds elementwise to a floating format of fewer bits; the dtype stays.

    Args:
      operand: floating array.
      exponent_bits: bits of the exponent, at least 1.
      mantissa_bits: bits of the mantissa after the leading 1.

    Example:
      >>> from fungrad import lax
      >>> lax.reduce_precision(1.2345, exponent_bits=5, mantissa_bits=3)
      Array(1.25, dtype=float32, weak_type=True)
    """
    operand = lift(operand, "fungrad.lax.reduce_precision: operand")
    return reduce_precision_p.bind(
        operand,
        exponent_bits=operator.index(exponent_bits),
        mantissa_bits=operator.index(mantissa_bits),
    )


# -- identities ----------------------------------------------------------------------------------

copy_p = LinearElementwise(
    "copy", lambda x: np.array(x, order="C", copy=True), ANYTHING, lambda ct, aval: ct, cheap=True
)


def copy(x: Any) -> Array:
    """An array with the same elements in memory of its own."""
    return copy_p.bind(lift(x, "fungrad.lax.copy: x"))


class Name(LinearElementwise):
    """The identity, which gives its operand a name that policies of ``checkpoint`` refer to."""

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self.bind(*primals, **params), tangents[0]

    def lower(self, ctx: Any, x: Any, **_: Any) -> Any:
        return x


name_p = Name("name", lambda x, **_: x, ANYTHING, lambda ct, aval, **_: ct, cheap=True)


stop_gradient_p = Elementwise("stop_gradient", lambda x: x, ANYTHING, cheap=True)


def stop_gradient(x: Any) -> Any:
    """The identity, whose derivative is taken as zero.

    Args:
      x: array or pytree of arrays.

    Returns:
      A pytree of the same structure and values, constant for differentiation.

    Raises:
      TypeError: a leaf is no array.

    Example:
      >>> import fungrad
      >>> from fungrad import lax
      >>> fungrad.grad(lambda x: lax.mul(x, lax.stop_gradient(x)))(3.0)
      Array(3., dtype=float32, weak_type=True)
    """
    if isinstance(x, Array):
        return _stop_gradient(x)
    return tree.map(_stop_gradient, x)


def _stop_gradient(x: Any) -> Any:
    if not isinstance(x, Array):
        if not is_array_like(x):
            raise TypeError(
                f"fungrad.lax.stop_gradient: x must be an array or a tree of arrays, got {shown(x)}"
            )
        x = as_array(x)
    return stop_gradient_p.bind(x) if x.aval.inexact else x


# -- arrays full of one value --------------------------------------------------------------------


def full(shape: Any, fill_value: Any, dtype: Any = None, *, sharding: None = None) -> Array:
    """An array of ``shape`` full of ``fill_value``.

    Args:
      shape: sequence of ints.
      fill_value: scalar or 0-d array.
      dtype: dtype of the result; default that of ``fill_value``.

    Raises:
      TypeError: ``fill_value`` is not 0-d.

    Example:
      >>> from fungrad import lax
      >>> lax.full((2,), 1, float)
      Array([1., 1.], dtype=float32)
    """
    if dtype is not None:
        dtype = dtypes.canonicalize_dtype(dtype, "fungrad.lax.full")
        fill_value = at_full_width(fill_value, dtype)
        if type(fill_value) is int and dtypes.is_integer(dtype):
            info = dtypes.iinfo(dtype)
            raise OverflowError(
                f"fungrad.lax.full: fill_value {fill_value} does not fit {dtype.name} ({info.min} to {info.max})"
            )
    value = lift(fill_value, "fungrad.lax.full: fill_value")
    if value.aval.shape:
        raise TypeError(
            f"fungrad.lax.full: fill_value must be a scalar, got {value.aval.str_short()}; use "
            "broadcast_in_dim for arrays"
        )
    if dtype is not None:
        value = convert_element_type(value, dtype)
    return broadcast_in_dim(value, sizes_of(shape), ())


def full_like(x: Any, fill_value: Any, dtype: Any = None, shape: Any = None, sharding: None = None) -> Array:
    """An array full of ``fill_value`` with the shape, dtype and weak type of ``x``, unless told otherwise.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.full_like(np.int32([1, 2]), 3.7)
      Array([3, 3], dtype=int32)
    """
    aval = lift(x, "fungrad.lax.full_like: x").aval
    weak = dtype is None and aval.weak_type
    value = full((), fill_value, aval.dtype if dtype is None else dtype)
    value = convert_element_type(value, value.aval.dtype, weak)
    return broadcast_in_dim(value, sizes_of(aval.shape if shape is None else shape), ())
