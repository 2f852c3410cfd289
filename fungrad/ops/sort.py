"""Sorting: a stable sort of several arrays by some of them, and the k greatest elements.

May import ``core``, ``ops._operands``, ``ops.foundation``, ``ops.compare``, ``ops.shape``,
``ops.indexing`` and ``ops.sort_lowering``.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData
from fungrad.core.dimensions import as_size, greatest_value, index_bound, least_value
from fungrad.core.key_values import keys_of, words_of
from fungrad.core.primitive import Primitive
from fungrad.ops._operands import check_kind, kind_of, lift
from fungrad.ops.compare import total_order_key
from fungrad.ops.elementwise import neg
from fungrad.ops.foundation import batch_to, broadcast_in_dim, move_dim, zeros
from fungrad.ops.indexing import GatherDimensionNumbers, gather
from fungrad.ops.shape import broadcasted_iota, canonical_axis, expand_dims
from fungrad.ops.sort_lowering import is_found, is_native, lower_sort, lower_top

# From this size on, finding the few greatest elements first beats sorting all.
_PARTITION_SIZE = 1024
# From this size on, sorting small keys together with their positions beats a stable sort of positions.
_PACKED_SIZE = 1024


def _numbering(n: int) -> np.dtype:
    """The dtype of positions among ``n`` elements: int32, unless it is too short."""
    return dtypes.int32 if index_bound(n) < 2**31 else dtypes.int64


def take_along(x: Any, indices: Any, axis: int, *, distinct: bool) -> Any:
    """The elements of ``x`` at ``indices`` along ``axis``; both agree in the other dimensions, and
    indices are in range.

    ``distinct`` promises that no element is taken twice.
    """
    shape = indices.aval.shape
    if not indices.aval.size:
        return zeros(x.aval.update(shape=shape))
    others = tuple([d for d in range(len(shape)) if d != axis])
    numbers = GatherDimensionNumbers(
        offset_dims=(),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
        operand_batching_dims=others,
        start_indices_batching_dims=others,
    )
    return gather(
        x,
        expand_dims(indices, (-1,)),
        numbers,
        (1,) * len(shape),
        unique_indices=distinct,
        mode="promise_in_bounds",
    )


# -- sort ------------------------------------------------------------------------------------------


def sort_keys(x: np.ndarray) -> list[np.ndarray]:
    """Arrays that NumPy orders, one after the other, as ``x`` is to be ordered.

    NaN comes last, -0.0 and 0.0 are equal, and complex numbers are ordered by their real, then by
    their imaginary part.
    """
    if x.dtype.kind == "c":
        return [x.real, x.imag]
    if x.dtype.kind == "V":
        # NumPy orders the small types of ml_dtypes without regard to NaN.
        return [x.astype(np.float32)]
    return [x]


def _order(keys: Sequence[np.ndarray], dimension: int) -> np.ndarray:
    """Positions along ``dimension`` in the order of the keys, the first of which counts most."""
    parts = [part for key in keys for part in sort_keys(key)]
    order = stable_order(parts[-1], dimension)
    for part in parts[-2::-1]:
        order = _permuted(order, stable_order(_permuted(part, order, dimension), dimension), dimension)
    return order


def stable_order(x: np.ndarray, dimension: int = -1) -> np.ndarray:
    """The same as ``np.argsort(x, dimension, kind="stable")``, by way of NumPy's vectorised sort of 64-bit integers.

    Key and position make one integer: all are different, so that the sort need not be stable.
    """
    n = x.shape[dimension]
    small = x.dtype.itemsize == 4 or x.dtype == np.float16
    if not small or x.size < _PACKED_SIZE or not 32 <= n < 2**31:
        return np.argsort(x, dimension, kind="stable")
    ranked = _ranks(np.moveaxis(x, dimension, -1))
    ranked <<= 32
    ranked |= np.arange(n)
    ranked.sort(-1)
    ranked &= 0xFFFFFFFF
    return np.moveaxis(ranked, -1, dimension)


def _ranks(x: np.ndarray) -> np.ndarray:
    """Integers of 64 bits, within the range of signed ones of 32, that are ordered as ``x``."""
    if x.dtype.kind != "f":
        return x.astype(np.int64, order="C") - (2**31 if x.dtype.kind == "u" else 0)
    # Adding zero makes -0.0 equal to 0.0; every NaN becomes the same one, after infinity.
    bits = np.add(x, np.float32(0), dtype=np.float32, order="C").view(np.int32)
    bits ^= (bits >> 31) & 0x7FFFFFFF
    nan = np.isnan(x)
    if nan.any():
        bits[nan] = 0x7FFFFFFF
    return bits.astype(np.int64)


def _permuted(x: np.ndarray, order: np.ndarray, dimension: int) -> np.ndarray:
    return x[order] if x.ndim == 1 else np.take_along_axis(x, order, dimension)


class Sort(Primitive):
    """Sorts all operands along ``dimension`` by the first ``num_keys`` of them."""

    multiple_results = True
    quiet = True

    def abstract_eval(
        self, *avals: ShapedArray, dimension: int, is_stable: bool, num_keys: int
    ) -> Sequence[ShapedArray]:
        api = "fungrad.lax.sort"
        if any(a.shape != avals[0].shape for a in avals):
            shapes = ", ".join(str(a.shape) for a in avals)
            raise TypeError(f"{api}: operands must have equal shapes, got {shapes}")
        if not 1 <= num_keys <= len(avals):
            raise ValueError(
                f"{api}: num_keys must be in [1, {len(avals)}], the number of operands, got "
                f"{num_keys}"
            )
        for position, aval in enumerate(avals[:num_keys]):
            check_kind("sort", aval, "biufc", position)
        return avals

    def impl(
        self, *xs: np.ndarray, dimension: int, is_stable: bool, num_keys: int
    ) -> Sequence[np.ndarray]:
        if len(xs) == 1 and xs[0].dtype.kind in "biuf":
            x = xs[0]
            # Equal elements can be told apart only if they are zeros of different sign. (The vectorised sort may even
            # give two zeros the same one.)
            both_zeros = x.dtype.kind == "f" and is_stable and _has_both_zeros(x)
            return [np.sort(x, dimension, kind="stable" if both_zeros else None)]
        order = _order(xs[:num_keys], dimension)
        return [_permuted(x, order, dimension) for x in xs]

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, dimension: int, is_stable: bool, num_keys: int
    ) -> tuple[Any, Any]:
        positions = broadcasted_iota(_numbering(primals[0].aval.shape[dimension]), primals[0].aval.shape, dimension)
        *ys, order = self.bind(
            *primals, positions, dimension=dimension, is_stable=is_stable, num_keys=num_keys
        )
        return ys, [t if type(t) is Zero else take_along(t, order, dimension, distinct=True) for t in tangents]

    def batch(
        self,
        axis: AxisData,
        args: Sequence[Any],
        dims: Sequence[Any],
        *,
        dimension: int,
        is_stable: bool,
        num_keys: int,
    ) -> tuple[Any, Any]:
        d = next(d for d in dims if d is not None)
        moved = [batch_to(x, dim, d, axis) for x, dim in zip(args, dims, strict=True)]
        out = self.bind(
            *moved, dimension=dimension + (dimension >= d), is_stable=is_stable, num_keys=num_keys
        )
        return out, [d] * len(out)

    def on_key_words(self, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        """Random keys follow what is sorted: their words are taken in its order (``core.key_values``)."""
        shape, dimension = args[0].aval.shape, params["dimension"]
        positions = broadcasted_iota(_numbering(shape[dimension]), shape, dimension)
        *ys, order = self.bind(*[x for x in args if not x.aval.compound], positions, **params)
        others = iter(ys)
        return [_keys_along(x, order, dimension) if x.aval.compound else next(others) for x in args]

    def lower(
        self, ctx: Any, *xs: Any, dimension: int, is_stable: bool, num_keys: int
    ) -> Sequence[Any]:
        if not is_native(xs[0].shape, dimension, len(xs) == 1):
            params = {"dimension": dimension, "is_stable": is_stable, "num_keys": num_keys}
            return list(ctx.host(self, xs, params))
        return lower_sort(ctx, xs, dimension, num_keys)


def _keys_along(keys: Any, order: Any, axis: int) -> Any:
    """Random keys, known by their words, in another order along an axis."""
    words = words_of(keys)
    indices = broadcast_in_dim(order, words.aval.shape, tuple(range(order.aval.ndim)))
    return keys_of(take_along(words, indices, axis, distinct=True), keys.aval)


def _has_both_zeros(x: np.ndarray) -> bool:
    zeros = x == 0
    if not zeros.any():
        return False
    signs = np.signbit(x[zeros])
    return bool(signs.any() and not signs.all())


sort_p = Sort("sort")


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """Sorts one or several arrays, ascending along a dimension.

    NaN comes last, -0.0 equals 0.0, and complex numbers are ordered lexicographically.

    Args:
      operand: an array, or a sequence of arrays of one shape that are permuted together.
      dimension: dimension to sort along; may be negative.
      is_stable: keep the order of equal elements.
      num_keys: how many operands to compare: by the first, equal ones by the second, and so on.

    Returns:
      An array, or a tuple of arrays if ``operand`` is a sequence.

    Raises:
      TypeError: shapes differ, or a key has no order.
      ValueError: there is no such dimension, or not as many operands as keys.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.sort((np.array([2, 1, 2]), np.array([6, 5, 4])), num_keys=2)
      (Array([1, 2, 2], dtype=int32), Array([5, 4, 6], dtype=int32))
    """
    api = "fungrad.lax.sort"
    several = isinstance(operand, (list, tuple))
    xs = [lift(x, f"{api}: operand") for x in (operand if several else (operand,))]
    if not xs:
        raise TypeError(f"{api}: expected an array or a sequence of arrays, got an empty sequence")
    dimension = canonical_axis(api, dimension, xs[0].aval.ndim, "dimension")
    out = sort_p.bind(
        *xs, dimension=dimension, is_stable=bool(is_stable), num_keys=operator.index(num_keys)
    )
    return tuple(out) if several else out[0]


def sort_key_val(
    keys: Any, values: Any, dimension: int = -1, is_stable: bool = True
) -> tuple[Array, Array]:
    """Sorts ``keys`` along a dimension and permutes ``values`` of the same shape with them.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.sort_key_val(np.array([3, 1, 2]), np.array([10, 20, 30]))
      (Array([1, 2, 3], dtype=int32), Array([20, 30, 10], dtype=int32))
    """
    return sort((keys, values), dimension, is_stable, 1)


# -- top_k -----------------------------------------------------------------------------------------


class TopK(Primitive):
    """The ``k`` greatest elements along ``axis``, in descending order, and their positions."""

    multiple_results = True

    def abstract_eval(self, x: ShapedArray, *, axis: int, k: int) -> Sequence[ShapedArray]:
        api = "fungrad.lax.top_k"
        check_kind("top_k", x, "biuf")
        # Whether a symbolic size is large enough shows when it gets its value.
        if greatest_value(k) < 0 or least_value(k - x.shape[axis]) > 0:
            raise ValueError(
                f"{api}: k must be in [0, {x.shape[axis]}], the size of axis {axis} of operand "
                f"{x.str_short()}, got {k}"
            )
        shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
        return [x.update(shape=shape), ShapedArray(shape, _numbering(x.shape[axis]))]

    def impl(self, x: np.ndarray, *, axis: int, k: int) -> Sequence[np.ndarray]:
        if kind_of(x.dtype) in "iu" and x.dtype.kind == "V":
            key = x.astype(np.int8 if kind_of(x.dtype) == "i" else np.uint8)
        else:
            key = total_order_key(x)
        # Complementing bits reverses the order without overflow: equal elements stay in order.
        last = axis == x.ndim - 1
        order = _first_k(~key if last else np.moveaxis(~key, axis, -1), k)
        if not last:
            order = np.moveaxis(order, -1, axis)
        return [_permuted(x, order, axis), order.astype(_numbering(x.shape[axis]), order="C")]

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, axis: int, k: int
    ) -> tuple[Any, Any]:
        values, indices = self.bind(*primals, axis=axis, k=k)
        tangent = take_along(tangents[0], indices, axis, distinct=True)
        return [values, indices], [tangent, Zero(indices.aval.tangent())]

    def batch(
        self, axis_data: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axis: int, k: int
    ) -> tuple[Any, Any]:
        x = move_dim(args[0], dims[0], 0)
        return self.bind(x, axis=axis + 1, k=k), [0, 0]

    def lower(self, ctx: Any, x: Any, *, axis: int, k: int) -> Sequence[Any]:
        if x.shape[axis] >= 2**31 or not (is_found(x, axis, k) or is_native(x.shape, axis, False)):
            return list(ctx.host(self, [x], {"axis": axis, "k": k}))
        return lower_top(ctx, x, axis, k)


def _first_k(key: np.ndarray, k: int) -> np.ndarray:
    """Positions of the ``k`` least keys along the last axis, in ascending order, the first of equal
    ones first.
    """
    n = key.shape[-1]
    if n < _PARTITION_SIZE or k == 0 or 8 * k > n or key.dtype.itemsize > 4:
        return stable_order(key)[..., :k]
    # Key and position in one integer: all are different, so that a partial sort is exact.
    low = np.iinfo(key.dtype).min if key.dtype.kind in "iu" else 0
    ranked = (key.astype(np.int64) - low - 2**31 << 32) | np.arange(n)
    least = np.partition(ranked, k - 1)[..., :k]
    least.sort()
    return least & 0xFFFFFFFF


top_k_p = TopK("top_k")


def top_k(operand: Any, k: int, *, axis: int = -1) -> list[Array]:
    """The ``k`` greatest elements along an axis, in descending order, with their positions.

    Of equal elements the first comes first. Floats are compared in the total order: NaN is greatest
    (with the sign bit set, least), and 0.0 is greater than -0.0.

    Args:
      operand: array of a boolean, integer or real floating dtype.
      k: how many; at most the size of the axis.
      axis: may be negative.

    Returns:
      Values, and int32 positions, both with size ``k`` along ``axis``.

    Raises:
      TypeError: the operand is complex.
      ValueError: ``k`` is negative or too large, or there is no such axis.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.top_k(np.array([3, 1, 3, 2]), 3)
      [Array([3, 3, 2], dtype=int32), Array([0, 2, 3], dtype=int32)]
    """
    operand = lift(operand, "fungrad.lax.top_k: operand")
    axis = canonical_axis("fungrad.lax.top_k", axis, operand.aval.ndim)
    return list(top_k_p.bind(operand, axis=axis, k=as_size(k)))


# -- approximate -----------------------------------------------------------------------------------


def approx_max_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> list[Array]:
    """The ``k`` greatest elements along a dimension, in descending order, and their positions.

    On other processors an approximation may be faster; here the result is exact, as it is in JAX on a CPU.

    Args:
      operand: array of a real floating dtype.
      k: how many; at most the size of the dimension.
      reduction_dimension: may be negative.
      recall_target: the wanted share of right results; not used.
      reduction_input_size_override: not used.
      aggregate_to_topk: if False, all elements are returned in order.

    Returns:
      Values and int32 positions.

    Raises:
      TypeError: the operand is not of a real floating dtype.
      ValueError: ``k`` is negative or too large.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.approx_max_k(np.float32([3, 1, 2]), 2)
      [Array([3., 2.], dtype=float32), Array([0, 2], dtype=int32)]
    """
    return _exact("approx_max_k", operand, k, reduction_dimension, aggregate_to_topk)


def approx_min_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> list[Array]:
    """The ``k`` least elements along a dimension, in ascending order, and their positions; as ``approx_max_k``.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.approx_min_k(np.float32([3, 1, 2]), 2)
      [Array([1., 2.], dtype=float32), Array([1, 2], dtype=int32)]
    """
    values, places = _exact("approx_min_k", neg(operand), k, reduction_dimension, aggregate_to_topk)
    return [neg(values), places]


def _exact(name: str, operand: Any, k: int, dimension: int, only_k: bool) -> list[Array]:
    api = f"fungrad.lax.{name}"
    operand = lift(operand, f"{api}: operand")
    check_kind(name, operand.aval, "f")
    axis = canonical_axis(api, dimension, operand.aval.ndim, "reduction_dimension")
    size, k = operand.aval.shape[axis], as_size(k)
    if not 0 <= k <= size:
        raise ValueError(f"{api}: k must be in [0, {size}], the size of dimension {axis}, got {k}")
    return top_k(operand, k if only_k else size, axis=axis)
