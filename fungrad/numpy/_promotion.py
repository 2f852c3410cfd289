"""NumPy's conveniences on top of ``lax``: conversion of operands, dtype promotion and broadcasting.

May import ``core``, ``ops`` and the error classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.config import config, watch
from fungrad.core import dtypes
from fungrad.core.arguments import sizes
from fungrad.core.array import (
    PYTHON_SCALARS,
    Array,
    ArrayImpl,
    another,
    as_array,
    from_numpy,
    typeof,
    wrap_unchecked,
)
from fungrad.core.avals import ShapedArray, scalar_aval
from fungrad.core.context import EVAL, state
from fungrad.core.transfers import host_to_device, number_to_device
from fungrad.errors import IncompatibleShapesError, RankPromotionError
from fungrad.ops._operands import scalar_array
from fungrad.ops.cast import convert_element_type_p
from fungrad.ops.foundation import broadcast_in_dim_p


def unwrapped(x: Any) -> Any:
    """``x``, or the array that an object with ``__jax_array__`` stands for."""
    return x.__jax_array__() if not isinstance(x, Array) and hasattr(x, "__jax_array__") else x


def operand(x: Any, api: str, name: str) -> Array:
    """An argument of a ``fungrad.numpy`` function as an array.

    Raises:
      TypeError: it is not an array or scalar (lists and tuples are refused, as in JAX).
    """
    if type(x) is ArrayImpl:
        return x
    return as_array(x, f"fungrad.numpy.{api}: {name}")


def raw_operand(x: Any, api: str, name: str) -> Any:
    """An argument that is converted later, to a dtype that others decide: arrays, numbers and NumPy's as they are.

    Converted to an array of default width first, a Python number or NumPy array would lose the digits that a 64-bit
    partner has room for.

    Raises:
      TypeError: it is not an array or scalar.
    """
    if isinstance(x, (Array, np.ndarray, np.generic)) or type(x) in _PYTHON_NUMBERS:
        return x
    return x if _is_scalar(x) else operand(x, api, name)


_PYTHON_NUMBERS = (bool, int, float, complex)


def _type_of(x: Any) -> tuple[np.dtype, bool]:
    if isinstance(x, Array):
        return x.aval.dtype, x.aval.weak_type
    aval = typeof(x)
    return aval.dtype, aval.weak_type


def _is_scalar(x: Any) -> bool:
    return isinstance(x, PYTHON_SCALARS) and not isinstance(x, np.generic)


def _full_name(api: str) -> str:
    return f"fungrad.{api}" if api.startswith("Array.") else f"fungrad.numpy.{api}"


class ScalarRangeError(OverflowError):
    """A Python integer that does not fit the integer dtype in which a function computes.

    Attributes:
      value: the integer.
      dtype: the dtype.
    """

    def __init__(self, api: str, value: int, dtype: np.dtype):
        self.value, self.dtype = value, dtype
        info = dtypes.iinfo(dtype)
        advice = (
            "enable 64 bit with fungrad.enable_x64(), or convert the operands to a 64-bit dtype"
            if dtype in (dtypes.int32, dtypes.uint32)
            else "convert the array to a wider dtype with .astype first"
        )
        super().__init__(
            f"{_full_name(api)}: the integer {value} does not fit the dtype {dtype.name} ({info.min} to {info.max}) "
            f"of the operation; {advice}"
        )


# Functions whose results in modular arithmetic depend on operands only modulo 2 ** bits: there an integer beyond the
# dtype, such as the -1 of `unsigned + -1`, stands for its residue. Elsewhere a residue would be a wrong number.
MODULAR = frozenset(
    {"add", "subtract", "multiply", "sum", "prod", "bitwise_and", "bitwise_or", "bitwise_xor", "Array.at[...].add",
     "Array.at[...].subtract", "Array.at[...].multiply"}
)  # fmt: skip


def _number(api: str, value: Any, dtype: np.dtype, weak_type: bool = False) -> Array:
    """A Python number as a 0-d array of ``dtype``.

    Raises:
      ScalarRangeError: an integer does not fit an integer dtype.
    """
    if watch.transfers:
        number_to_device(value, scalar_aval(value))
    if isinstance(value, int) and not isinstance(value, bool):
        if dtypes.is_integer(dtype):
            value = in_range(api, int(value), dtype)
        elif abs(value) >= 2**63:
            # NumPy makes objects of integers beyond 64 bit.
            value = _as_float(api, value)
    return scalar_array(value, dtype, weak_type)


def in_range(api: str, value: int, dtype: np.dtype) -> int:
    """``value``, or where ``api`` computes modulo 2 ** bits its residue that ``dtype`` holds."""
    info = dtypes.iinfo(dtype)
    if info.min <= value <= info.max:
        return value
    default = dtypes.iinfo(dtypes.default_int())
    if api not in MODULAR or not default.min <= value <= default.max:
        raise ScalarRangeError(api, value, dtype)
    residue = value % (1 << info.bits)
    return residue - (1 << info.bits) if residue > info.max else residue


def _as_float(api: str, value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise OverflowError(
            f"fungrad.numpy.{api}: a Python integer of {value.bit_length()} bits does not fit a floating dtype"
        ) from None


def converted(x: Any, dtype: np.dtype, api: str, name: str, weak_type: bool = False) -> Array:
    """An argument as an array of ``dtype``; numbers and NumPy arrays at full precision.

    Raises:
      TypeError: it is not an array or scalar.
      OverflowError: an integer does not fit an integer dtype.
    """
    return _become(raw_operand(x, api, name), dtype, weak_type, api, name)


def _become(x: Any, dtype: np.dtype, weak_type: bool, api: str, name: str) -> Array:
    """What ``raw_operand`` returned, as an array of ``dtype``."""
    if isinstance(x, Array):
        aval = x.aval
        if aval.weak_type and not aval.shape and type(x) is ArrayImpl and aval.dtype.kind == "i" and dtype.kind in "iu":
            # A number that is an array already.
            return scalar_array(in_range(api, int(x._data), dtype), dtype, weak_type)
        return cast(x, dtype, weak_type)
    if _is_scalar(x):
        return _number(api, x, dtype, weak_type)
    what = f"fungrad.numpy.{api}: {name}"
    narrow = dtypes.default_width(x.dtype, what)
    if x.dtype.itemsize < 8 or dtype.itemsize < 8 or narrow == x.dtype or dtype.kind not in "iufc":
        return cast(from_numpy(x, what=what), dtype, weak_type)
    dtypes.check_int_range(np.asarray(x), dtype, what)
    wide = dtypes.canonicalize_dtype(x.dtype)
    if watch.transfers:
        host_to_device(ShapedArray(x.shape, wide))
    return cast(wrap_unchecked(np.array(x, wide, order="C"), ShapedArray(x.shape, wide)), dtype, weak_type)


def cast(x: Array, dtype: np.dtype, weak_type: bool = False) -> Array:
    """``x`` with another dtype and weakness; concrete scalars are converted at once, not by an operation."""
    aval = x.aval
    if aval.dtype == dtype and aval.weak_type == weak_type:
        return x
    if type(x) is ArrayImpl and not aval.shape and aval.dtype.kind in "biuf" and dtype.kind in "biufc":
        return wrap_unchecked(x._data.astype(dtype), aval.update(dtype=dtype, weak_type=weak_type))
    return convert_element_type_p.bind(x, new_dtype=dtype, weak_type=weak_type)


def weak_as(out: Array, *operands: Any) -> Array:
    """A result that is weak where all operands are, which Python's scalars are; True and False only beside others."""
    weak = all(x.aval.weak_type if isinstance(x, Array) else _is_scalar(x) for x in operands)
    return cast(out, out.aval.dtype, weak and not all(isinstance(x, bool) for x in operands))


def promote_pair(api: str, x: Any, y: Any) -> tuple[Array, Array]:
    """Two operands with a common dtype, and broadcastable by ``lax``: equal ranks or 0-d.

    A Python scalar becomes a scalar of the common dtype without any operation.
    """
    if isinstance(x, Array) and isinstance(y, Array):
        ax, ay = x.aval, y.aval
        if ax is ay:
            return x, y
        before = x, y
        if ax.dtype is not ay.dtype or ax.weak_type != ay.weak_type:
            x, y = promote_dtypes(api, x, y)
        if ax.shape != ay.shape:
            x, y = match_ranks(api, x, y)
        if x is before[0] and y is before[1] and len(fitting) < _PARTNERS_LIMIT:
            fitting.add((ax, ay))
        return x, y
    # One is a Python scalar in the commonest case.
    if _is_scalar(y) and isinstance(x, Array):
        return _with_scalar(api, x, y)
    if _is_scalar(x) and isinstance(y, Array):
        y, x = _with_scalar(api, y, x)
        return x, y
    return promote_pair(api, *promote_dtypes(api, raw_operand(x, api, "x"), raw_operand(y, api, "y")))


# Pairs of types that need no promotion although they differ: only sizes of 1 do.
fitting: set[tuple[ShapedArray, ShapedArray]] = set()

# Scalars that took the type of an array, by that type and the scalar (the text of a zero, which tells 0.0 from -0.0).
# The operators use them as operands, and nothing else: a user who got one might delete it.
partners: dict[Any, Array] = {}
_PARTNERS_LIMIT = 1024
# Where transfers are watched, numbers are not taken from here.
watch.on_transfers.append(partners.clear)


def _with_scalar(api: str, x: Array, value: Any) -> tuple[Array, Array]:
    aval = x.aval
    kind = type(value)
    # The scalar takes the dtype of the array if that is of its own or a higher kind.
    if kind is float and aval.dtype.kind in "fc" or kind is int and aval.dtype.kind in "fciu":
        key = (aval, kind, value or repr(value))
        found = partners.get(key)
        if found is None:
            found = _number(api, value, aval.dtype, aval.weak_type)
            # What stands for an integer out of range depends on the function.
            kept = kind is not int or found.item() == value
            if kept and len(partners) < _PARTNERS_LIMIT and not watch.transfers:
                partners[key] = found
        return x, another(found)
    other = scalar_aval(value)
    if aval.dtype is other.dtype and not aval.weak_type:
        return x, _number(api, value, aval.dtype)
    dtype, weak = dtypes.lattice_result_type((aval.dtype, aval.weak_type), (other.dtype, other.weak_type))
    return cast(x, dtype, weak), _number(api, value, dtype, weak)


def promote_dtypes(api: str, *xs: Any) -> list[Array]:
    """Operands converted to their common dtype: arrays, Python numbers and NumPy's (``raw_operand``)."""
    if len(xs) == 2 and isinstance(xs[0], Array) and isinstance(xs[1], Array):
        x, y = xs[0].aval, xs[1].aval
        if x is y or x.dtype is y.dtype and x.weak_type == y.weak_type:
            return list(xs) if x.dtype is not dtypes.bool_ else [cast(v, dtypes.bool_) for v in xs]
    dtype, weak = dtypes.lattice_result_type(*map(_type_of, xs))
    return [_become(x, dtype, weak, api, f"operand {i}") for i, x in enumerate(xs)]


def promote_dtypes_inexact(api: str, *xs: Any) -> list[Array]:
    """Operands converted to their common dtype, which is made floating if it is integer or boolean."""
    arrays = [raw_operand(x, api, f"operand {i}") for i, x in enumerate(xs)]
    dtype, weak = dtypes.lattice_result_type(*map(_type_of, arrays))
    dtype = inexact_dtype(dtype)
    return [_become(x, dtype, weak, api, f"operand {i}") for i, x in enumerate(arrays)]


def inexact_result_type(*xs: Any) -> np.dtype:
    """The dtype that ``promote_dtypes_inexact`` would give its operands."""
    return inexact_dtype(dtypes.lattice_result_type(*map(_type_of, xs))[0])


def promote_pair_inexact(api: str, x: Any, y: Any) -> tuple[Array, Array]:
    """Two operands with a common inexact dtype and matching ranks."""
    if isinstance(x, Array) and x.aval.inexact:
        if isinstance(y, Array):
            ax, ay = x.aval, y.aval
            if ax is ay:
                return x, y
            if ax.dtype is ay.dtype and ax.weak_type == ay.weak_type:
                return match_ranks(api, x, y)  # type: ignore[return-value]
        elif _is_scalar(y):
            return _with_scalar(api, x, y)
    x, y = match_ranks(api, *promote_dtypes_inexact(api, x, y))
    return x, y


def inexact_dtype(dtype: np.dtype) -> np.dtype:
    """The floating dtype in which an integer or boolean array is computed; 64 bit for 64-bit integers only."""
    return dtypes.to_inexact_dtype(dtype)


def inexact(x: Any, api: str) -> Array:
    """The operand of a function that needs floating or complex numbers."""
    if not isinstance(x, Array):
        x = operand(x, api, "x")
    dtype = x.aval.dtype
    if dtypes.is_inexact(dtype):
        return x
    return cast(x, inexact_dtype(dtype), x.aval.weak_type and not dtypes.is_bool(dtype))


def inexact_by_default(x: Any, api: str) -> Array:
    """An operand with integers and booleans converted to the default floating dtype."""
    x = operand(x, api, "x")
    if x.aval.inexact:
        return x
    return cast(x, dtypes.default_float())


def match_ranks(api: str, *xs: Array) -> tuple[Array, ...]:
    """Operands with leading dimensions of size 1 added so that ranks are equal (0-d operands stay).

    Raises:
      ValueError: the shapes do not broadcast.
    """
    shapes = tuple([x.aval.shape for x in xs])
    rank = _rank_to_match.get(shapes)
    if rank is None:
        rank = _common_rank(api, shapes)
    if not rank:
        return xs
    check_rank_promotion(api, shapes)
    return tuple([x if not s or len(s) == rank else _of_rank(x, rank) for x, s in zip(xs, shapes, strict=True)])


# For shapes that broadcast: the rank that their arrays must get, 0 if they can stay. Emptied when full.
_rank_to_match: dict[tuple[tuple[int, ...], ...], int] = {}


def _common_rank(api: str, shapes: tuple[tuple[int, ...], ...]) -> int:
    _check_broadcast(api, shapes)
    ranks = {len(s) for s in shapes if s}
    rank = max(ranks) if len(ranks) > 1 else 0
    if len(_rank_to_match) >= _PARTNERS_LIMIT:
        _rank_to_match.clear()
    _rank_to_match[shapes] = rank
    return rank


def _of_rank(x: Array, rank: int) -> Array:
    """``x`` with leading dimensions of size 1."""
    aval = x.aval
    new = rank - aval.ndim
    shape = (1,) * new + aval.shape
    if type(x) is ArrayImpl and state.trace is EVAL:
        if aval.placement is None:
            return wrap_unchecked(x._data.reshape(shape), ShapedArray(shape, aval.dtype, aval.weak_type))
    return broadcast_in_dim_p.bind(x, shape=shape, broadcast_dimensions=tuple(range(new, rank)))


def _check_broadcast(api: str, shapes: Sequence[tuple[int, ...]]) -> None:
    rank = max(map(len, shapes), default=0)
    for d in range(1, rank + 1):
        sizes = {s[-d] for s in shapes if len(s) >= d} - {1}
        if len(sizes) > 1:
            raise IncompatibleShapesError(
                f"fungrad.numpy.{api}: shapes {' and '.join(map(str, shapes))} do not broadcast: dimension {-d} has "
                f"sizes {' and '.join(str(s[-d]) for s in shapes if len(s) >= d)}; align them with reshape or x[:, "
                "None]"
            )


def check_rank_promotion(api: str, shapes: Sequence[tuple[int, ...]]) -> None:
    mode = config.numpy_rank_promotion
    if mode == "allow":
        return
    message = (
        f"fungrad.numpy.{api}: operands of shapes {', '.join(map(str, shapes))} have different ranks and "
        "fungrad.config.numpy_rank_promotion is on guard; add dimensions explicitly with x[None, :] or reshape"
    )
    if mode == "raise":
        raise RankPromotionError(message, shapes)
    warnings.warn(message, stacklevel=4)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Shape to which the given shapes broadcast.

    Raises:
      ValueError: they do not.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.broadcast_shapes((3, 1), (4,))
      (3, 4)
    """
    shapes = tuple([sizes("fungrad.numpy.broadcast_shapes", "shapes", s) for s in shapes])
    _check_broadcast("broadcast_shapes", shapes)
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    return tuple([next((n for n in column if n != 1), 1) for column in zip(*padded, strict=True)])


def requested_dtype(dtype: Any, api: str) -> np.dtype | None:
    """The dtype of a ``dtype=`` argument, None if there is none."""
    return None if dtype is None else dtypes.canonicalize_dtype(dtype, f"fungrad.numpy.{api}")
