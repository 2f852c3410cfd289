"""Contraction: ``dot_general`` and the products made of it.

A product of arrays pairs *batch* dimensions (kept, aligned), sums over *contracting* dimensions (which disappear) and
keeps all others, the *free* ones. The result has the batch dimensions first, then the free ones of the left operand,
then those of the right one.

May import ``core``, ``ops._operands``, ``ops.foundation`` and ``ops.cast``.
"""

from __future__ import annotations

import enum
import functools
import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.core import dtypes, products
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData, evaluate
from fungrad.core.primitive import Primitive, is_linear
from fungrad.core.printing import register_param_type
from fungrad.ops._operands import check_kind, kind_of, lift, lift_pair
from fungrad.ops.cast import convert_element_type
from fungrad.ops.foundation import Dims, add_any_p, add_zeros, inverse_permutation, sum_of, transpose
from fungrad.ops.resharding import at_sharding

DimensionNumbers = tuple[tuple[Dims, Dims], tuple[Dims, Dims]]


class Precision(enum.Enum):
    """How exactly products of floating numbers are computed.

    Products here always have the full precision of their dtype: the levels are accepted so that programs written for
    hardware with faster, less exact modes run unchanged.
    """

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2


register_param_type(Precision)

_PRECISION_NAMES = {
    "default": Precision.DEFAULT,
    "fastest": Precision.DEFAULT,
    "bfloat16": Precision.DEFAULT,
    "high": Precision.HIGH,
    "tensorfloat32": Precision.HIGH,
    "bfloat16_3x": Precision.HIGH,
    "highest": Precision.HIGHEST,
    "float32": Precision.HIGHEST,
}


class DotAlgorithm(NamedTuple):
    """How hardware multiplies matrices: the dtypes in which it multiplies and adds up, and how often.

    Accepted as ``precision``: products here are never less exact than an algorithm of up to 32 bits asks for.
    """

    lhs_precision_type: Any
    rhs_precision_type: Any
    accumulation_type: Any
    lhs_component_count: int = 1
    rhs_component_count: int = 1
    num_primitive_operations: int = 1
    allow_imprecise_accumulation: bool = False


class DotAlgorithmPreset(enum.Enum):
    """Algorithms by name: dtypes of the factors, of the sum, and a number of products that add up to one.

    Accepted as ``precision``; see ``DotAlgorithm``.
    """

    DEFAULT = enum.auto()
    ANY_F8_ANY_F8_F32 = enum.auto()
    ANY_F8_ANY_F8_F32_FAST_ACCUM = enum.auto()
    ANY_F8_ANY_F8_ANY = enum.auto()
    ANY_F8_ANY_F8_ANY_FAST_ACCUM = enum.auto()
    F16_F16_F16 = enum.auto()
    F16_F16_F32 = enum.auto()
    BF16_BF16_BF16 = enum.auto()
    BF16_BF16_F32 = enum.auto()
    BF16_BF16_F32_X3 = enum.auto()
    BF16_BF16_F32_X6 = enum.auto()
    BF16_BF16_F32_X9 = enum.auto()
    TF32_TF32_F32 = enum.auto()
    TF32_TF32_F32_X3 = enum.auto()
    F32_F32_F32 = enum.auto()
    F64_F64_F64 = enum.auto()


def _level_of_algorithm(precision: Any, api: str) -> Any:
    """The level of precision for an algorithm; other values as they are."""
    if isinstance(precision, str) and precision in DotAlgorithmPreset.__members__:
        precision = DotAlgorithmPreset[precision]
    if not isinstance(precision, (DotAlgorithm, DotAlgorithmPreset)):
        return precision
    exact = precision is DotAlgorithmPreset.F64_F64_F64
    if exact or isinstance(precision, DotAlgorithm) and np.dtype(precision.accumulation_type).itemsize > 4:
        raise NotImplementedError(
            f"{api}: products are added up in the precision of their operands, so the algorithm {precision} is there "
            "for float64 operands only; convert them and leave it out"
        )
    return Precision.HIGHEST


def canonical_precision(api: str, precision: Any) -> tuple[Precision, Precision] | None:
    """``precision`` (None, a level, its name, or a pair of them) as a pair of levels.

    Raises:
      ValueError: it is none of these.
    """
    precision = _level_of_algorithm(precision, api)
    if precision is None:
        return None
    pair = tuple(precision) if isinstance(precision, (tuple, list)) else (precision, precision)
    levels: list[Any] = [_PRECISION_NAMES.get(p.lower()) if isinstance(p, str) else p for p in pair]
    levels = [Precision.DEFAULT if p is None and q is None else p for p, q in zip(levels, pair, strict=True)]
    if len(levels) != 2 or not all(isinstance(p, Precision) for p in levels):
        raise ValueError(
            f"{api}: precision must be None, a fungrad.lax.Precision, one of {sorted(_PRECISION_NAMES)}, or a pair of "
            f"them, got {precision!r}"
        )
    return levels[0], levels[1]


# -- evaluation --------------------------------------------------------------------------------------------------------


class _Plan(NamedTuple):
    """How NumPy evaluates a product of operands of given ranks: a permutation of each operand (None: as it is) that
    brings the dimensions of each group together, and the sizes of the groups."""

    left: Dims | None
    right: Dims | None
    n_batch: int
    n_rows: int
    n_inner: int
    n_columns: int


@functools.lru_cache(maxsize=1024)
def _plan(ndim_x: int, ndim_y: int, dimension_numbers: DimensionNumbers) -> _Plan:
    (inner_x, inner_y), (batch_x, batch_y) = dimension_numbers
    rows = free_dims(ndim_x, inner_x, batch_x)
    columns = free_dims(ndim_y, inner_y, batch_y)
    # In the order of the left operand, a reshape of the contracted dimensions is a view more often.
    order = sorted(range(len(inner_x)), key=inner_x.__getitem__)
    left = (*batch_x, *rows, *[inner_x[i] for i in order])
    right = (*batch_y, *[inner_y[i] for i in order], *columns)
    return _Plan(
        None if left == tuple(range(ndim_x)) else left,
        None if right == tuple(range(ndim_y)) else right,
        len(batch_x), len(rows), len(inner_x), len(columns),
    )  # fmt: skip


def free_dims(ndim: int, *used: Sequence[int]) -> Dims:
    """The dimensions that are in none of the groups ``used``."""
    taken = {d for group in used for d in group}
    return tuple([d for d in range(ndim) if d not in taken])


def _contract(x: np.ndarray, y: np.ndarray, plan: _Plan) -> np.ndarray:
    """The product of operands of the dtype of the result."""
    if plan.left is not None:
        x = x.transpose(plan.left)
    if plan.right is not None:
        y = y.transpose(plan.right)
    _, _, n_batch, n_rows, n_inner, n_columns = plan
    few = n_inner == 1 and n_rows <= 1 and n_columns <= 1 and (n_batch == 0 or n_rows == n_columns == 1)
    if few and not _is_long(x):
        return products.matmul(x, y)
    split = n_batch + n_rows
    shape = x.shape[:split] + y.shape[n_batch + n_inner :]
    batch, rows = x.shape[:n_batch], math.prod(x.shape[n_batch:split])
    inner, columns = math.prod(x.shape[split:]), math.prod(y.shape[n_batch + n_inner :])
    if n_inner == 0 or inner == 1:
        # An outer product: no sums.
        x = x.reshape((*batch, *x.shape[n_batch:split], *(1,) * n_columns))
        y = y.reshape((*batch, *(1,) * n_rows, *y.shape[n_batch + n_inner :]))
        return np.logical_and(x, y) if x.dtype.kind == "b" else np.multiply(x, y)
    if rows == columns == 1 and n_batch and x.dtype.kind != "b":
        # One sum per example: BLAS would be called for each.
        return _inner_products(x.reshape((*batch, inner)), y.reshape((*batch, inner))).reshape(shape)
    return _matmul(x.reshape((*batch, rows, inner)), y.reshape((*batch, inner, columns))).reshape(shape)


def _matrix_product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``_contract`` for the product of two matrices."""
    return np.multiply(x, y) if x.shape[1] == 1 else _matmul(x, y)


# Sums in single precision of more terms are added up in blocks, for inner products and for two matrices from the second
# number on: of these BLAS adds up few terms one after the other, of a matrix and a vector more, or all if it goes down
# columns. `einsum` is for what is not contiguous.
_LONG, _VERY_LONG = 2048, 16384
_BLOCK, _SHORT_BLOCK, _STRIDED_BLOCK = 2048, 256, 64


def _is_long(x: np.ndarray | ShapedArray) -> bool:
    return x.shape[-1] > _LONG and x.dtype in (np.float32, np.complex64)


def _matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`np.matmul` whose errors do not grow with the number of terms."""
    if not _is_long(x) or y.dtype != x.dtype:
        return products.matmul(x, y)
    (rows, inner), columns = x.shape[-2:], y.shape[-1]
    along = (columns == 1 and x.strides[-1] == x.itemsize) or (rows == 1 and y.strides[-2] == y.itemsize)
    inner_product = rows == columns == 1
    in_order = min(rows, columns) == 1 and not along
    if (min(rows, columns) > 1 or (inner_product and along)) and inner <= _VERY_LONG:
        return products.matmul(x, y)
    if min(rows, columns) > _BLOCK // 8:
        return _in_halves(x, y)  # the products of all blocks would take too much memory
    size = _SHORT_BLOCK if in_order else _BLOCK // 2 if along and not inner_product else _BLOCK
    blocks = inner // size
    split = blocks * size
    left = np.moveaxis(x[..., :split].reshape((*x.shape[:-1], blocks, size)), -2, 0)
    right = np.moveaxis(y[..., :split, :].reshape((*y.shape[:-2], blocks, size, columns)), -3, 0)
    total = sum_of(products.matmul(left, right), (0,))
    return total + products.matmul(x[..., split:], y[..., split:, :]) if split < inner else total


def _in_halves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The product as the sum of those of two halves, and so on."""
    inner = x.shape[-1]
    if inner <= _VERY_LONG:
        return products.matmul(x, y)
    half = inner // 2
    out = _in_halves(x[..., :half], y[..., :half, :])
    out += _in_halves(x[..., half:], y[..., half:, :])
    return out


def _inner_products(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sums of products along the last dimension."""
    if not _is_long(x):
        return np.einsum("...k,...k->...", x, y)
    if x.strides[-1] == y.strides[-1] == x.itemsize:
        return _matmul(x[..., None, :], y[..., :, None])[..., 0, 0]
    inner = x.shape[-1]
    blocks = inner // _STRIDED_BLOCK
    split = blocks * _STRIDED_BLOCK
    parts = [v[..., :split].reshape((*v.shape[:-1], blocks, _STRIDED_BLOCK)) for v in (x, y)]
    total = sum_of(np.einsum("...k,...k->...", *parts), (x.ndim - 1,))
    return total + np.einsum("...k,...k->...", x[..., split:], y[..., split:]) if split < inner else total


@functools.lru_cache(maxsize=256)
def _arithmetic_dtype(result: np.dtype, out: np.dtype) -> np.dtype:
    """In which dtype sums are accumulated: float32 for narrow floats, int32 for integers that NumPy cannot multiply."""
    kind = kind_of(out)
    if kind == "f":
        wide = result if kind_of(result) == "f" and result.itemsize > out.itemsize else out
        return np.dtype(np.float32) if wide.itemsize < 4 else wide
    return np.dtype(np.int32) if kind in "iu" and out.kind not in "iu" else out


# -- types -------------------------------------------------------------------------------------------------------------


def _check_dims(side: str, x: ShapedArray, contracting: Dims, batch: Dims) -> None:
    dims = (*batch, *contracting)
    if any(not 0 <= d < x.ndim for d in dims) or len(set(dims)) != len(dims):
        raise TypeError(
            f"fungrad.lax.dot_general: {side} of type {x.str_short()}: batch dimensions {batch} and contracting "
            f"dimensions {contracting} must be distinct and in [0, {x.ndim})"
        )


def _check_shapes(x: ShapedArray, y: ShapedArray, dimension_numbers: DimensionNumbers) -> None:
    (inner_x, inner_y), (batch_x, batch_y) = dimension_numbers
    _check_dims("lhs", x, inner_x, batch_x)
    _check_dims("rhs", y, inner_y, batch_y)
    for what, dims_x, dims_y in (("contracting", inner_x, inner_y), ("batch", batch_x, batch_y)):
        sizes_x, sizes_y = tuple([x.shape[d] for d in dims_x]), tuple([y.shape[d] for d in dims_y])
        if sizes_x != sizes_y:
            raise TypeError(
                f"fungrad.lax.dot_general: {what} dimensions must have the same sizes in both operands, got sizes "
                f"{sizes_x} (dimensions {dims_x} of lhs {x.str_short()}) and {sizes_y} (dimensions {dims_y} of rhs "
                f"{y.str_short()})"
            )


def _breadth(dtype: np.dtype) -> tuple:
    """Orders dtypes by which of two operands decides the result: complex, float, integer, boolean; then width."""
    kind = kind_of(dtype)
    rank = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}[kind]
    if kind == "f":
        # Of equally wide floats the one with the larger range.
        return rank, dtype.itemsize, float(dtypes.finfo(dtype).max)
    return rank, dtypes.itemsize_bits(dtype), kind == "i"


@functools.lru_cache(maxsize=1024)
def _result_dtype(x: np.dtype, y: np.dtype, preferred: np.dtype | None) -> np.dtype:
    natural = x if x == y else max(x, y, key=_breadth)
    if preferred is None or preferred == natural:
        return natural
    before, after = kind_of(natural), kind_of(preferred)
    narrower = before in "iu" and dtypes.itemsize_bits(preferred) < dtypes.itemsize_bits(natural)
    if after not in "biufc" or narrower or "biufc".index(after) < "biufc".index("i" if before == "u" else before):
        raise TypeError(
            f"fungrad.lax.dot_general: preferred_element_type must be able to hold the products of dtype "
            f"{natural.name} (no narrower integer, no simpler kind), got {preferred.name}; convert the result with "
            ".astype instead"
        )
    return preferred


def converted_after(x: np.dtype, y: np.dtype, preferred: np.dtype) -> bool:
    """Whether a product is computed in the dtype of its operands and then converted to ``preferred``, a simpler kind.

    Floats become anything, complex numbers what is as wide as their parts.
    """
    natural = _result_dtype(x, y, None)
    before, after = kind_of(natural), kind_of(preferred)
    if "biufc".find(after) >= "biufc".find(before) or after not in "biufc":
        return False
    width = dtypes.itemsize_bits(preferred)
    return before == "f" or before == "c" and width >= dtypes.itemsize_bits(dtypes.to_real_dtype(natural))


# -- the primitive -----------------------------------------------------------------------------------------------------


# The product of two matrices, and the dtypes that NumPy leaves to BLAS, also for transposed operands.
_MATRIX_PRODUCT: DimensionNumbers = (((1,), (0,)), ((), ()))
_BLAS_DTYPES = (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128)


def _is_matrix_product(x: ShapedArray, y: ShapedArray, params: dict[str, Any]) -> bool:
    """Whether BLAS computes it as it stands."""
    plain = x.ndim == y.ndim == 2 and params["dimension_numbers"] == _MATRIX_PRODUCT
    return plain and x.dtype is y.dtype and x.dtype in _BLAS_DTYPES


class DotGeneral(Primitive):
    """The general product; linear in each operand with the other fixed."""

    kind = "contraction"
    quiet = True

    def abstract_eval(
        self, x: ShapedArray, y: ShapedArray, *,
        dimension_numbers: DimensionNumbers, precision: Any, preferred_element_type: np.dtype | None,
    ) -> ShapedArray:  # fmt: skip
        for position, operand in enumerate((x, y)):
            check_kind("dot_general", operand, "biufc", position)
        _check_shapes(x, y, dimension_numbers)
        (inner_x, inner_y), (batch_x, batch_y) = dimension_numbers
        rows, columns = free_dims(x.ndim, inner_x, batch_x), free_dims(y.ndim, inner_y, batch_y)
        shape = [x.shape[d] for d in (*batch_x, *rows)] + [y.shape[d] for d in columns]
        dtype = _result_dtype(x.dtype, y.dtype, preferred_element_type)
        weak = x.weak_type and y.weak_type and preferred_element_type is None
        return ShapedArray(tuple(shape), dtype, weak)

    def impl(
        self, x: np.ndarray, y: np.ndarray, *,
        dimension_numbers: DimensionNumbers, precision: Any, preferred_element_type: np.dtype | None,
    ) -> Any:  # fmt: skip
        dtype = _result_dtype(x.dtype, y.dtype, preferred_element_type)
        wide = _arithmetic_dtype(_result_dtype(x.dtype, y.dtype, None), dtype)
        if x.dtype != wide:
            x = x.astype(wide)
        if y.dtype != wide:
            y = y.astype(wide)
        out = _contract(x, y, _plan(x.ndim, y.ndim, dimension_numbers))
        return out if wide == dtype else out.astype(dtype)

    def specialized(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        x, y = avals
        if _is_matrix_product(x, y, params) and params["preferred_element_type"] in (None, x.dtype):
            if x.shape[1] == 1 or _is_long(x):
                return _matrix_product
            (rows, terms), columns = x.shape, y.shape[1]
            return np.matmul if products.is_small(rows * terms * columns, rows, columns) else products.matmul
        return super().specialized(avals, params)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (x, y), (dx, dy) = primals, tangents
        out = self.bind(x, y, **params)
        zero = Zero(out.aval.tangent())
        left = zero if type(dx) is Zero else self.bind(dx, y, **params)
        right = zero if type(dy) is Zero else self.bind(x, dy, **params)
        return out, add_zeros(left, right)

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        (x, y), (dx, dy) = primals, tangents
        out = evaluate(self, primals, params)
        left = None if dx is None else record(self, (dx, y), params, out.aval if dx.aval is x.aval else None)
        right = None if dy is None else record(self, (x, dy), params, out.aval if dy.aval is y.aval else None)
        if left is None or right is None:
            return out, right if left is None else left
        return out, record(add_any_p, (left, right), {})

    def transpose(
        self, ct: Any, x: Any, y: Any, *,
        dimension_numbers: DimensionNumbers, precision: Any, preferred_element_type: np.dtype | None,
    ) -> Sequence[Any]:  # fmt: skip
        (inner_x, inner_y), (batch_x, batch_y) = dimension_numbers
        n_batch = len(batch_x)
        n_rows = x.aval.ndim - n_batch - len(inner_x)
        rows = tuple(range(n_batch, n_batch + n_rows))
        columns = tuple(range(n_batch + n_rows, ct.aval.ndim))
        options = {"precision": precision, "preferred_element_type": preferred_element_type}
        if is_linear(x):
            own, other = (inner_x, batch_x), (inner_y, batch_y)
            return _cotangent(ct, columns, x.aval, own, y, other, options), None
        own, other = (inner_y, batch_y), (inner_x, batch_x)
        options["precision"] = precision and precision[::-1]
        return None, _cotangent(ct, rows, y.aval, own, x, other, options)

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        x, y = args
        if not _is_matrix_product(x.aval, y.aval, params) or ct.dtype is not x.aval.dtype:
            return NotImplemented
        return _matrix_product(x._data.T, ct) if position else _matrix_product(ct, y._data.T)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *,
        dimension_numbers: DimensionNumbers, **params: Any,
    ) -> tuple[Any, int]:  # fmt: skip
        (x, y), (dim_x, dim_y) = args, dims
        (inner_x, inner_y), (batch_x, batch_y) = dimension_numbers
        if dim_x is not None:
            inner_x, batch_x = _skip(inner_x, dim_x), _skip(batch_x, dim_x)
        if dim_y is not None:
            inner_y, batch_y = _skip(inner_y, dim_y), _skip(batch_y, dim_y)
        if dim_x is not None and dim_y is not None:
            out_dim = 0
            batch_x, batch_y = (dim_x, *batch_x), (dim_y, *batch_y)
        elif dim_x is not None:
            # A batch of one operand alone is one more free dimension.
            out_dim = len(batch_x) + free_dims(x.aval.ndim, inner_x, batch_x).index(dim_x)
        else:
            n_rows = x.aval.ndim - len(batch_x) - len(inner_x)
            out_dim = len(batch_x) + n_rows + free_dims(y.aval.ndim, inner_y, batch_y).index(dim_y)
        numbers = ((inner_x, inner_y), (batch_x, batch_y))
        return self.bind(x, y, dimension_numbers=numbers, **params), out_dim

    def lower(
        self, ctx: Any, x: Any, y: Any, *,
        dimension_numbers: DimensionNumbers, precision: Any, preferred_element_type: np.dtype | None,
    ) -> Any:  # fmt: skip
        contracting, batch = dimension_numbers
        dtype = _result_dtype(x.dtype, y.dtype, preferred_element_type)
        return ctx.dot(x, y, contracting, batch, dtype)

    def printed_params(self, params: dict[str, Any]) -> dict[str, Any]:
        """Parameters worth printing: those that ask for something. Dimensions are lists, as in JAX."""
        numbers = tuple([tuple([list(dims) for dims in pair]) for pair in params["dimension_numbers"]])
        asked = {name: value for name, value in params.items() if value is not None}
        return {**asked, "dimension_numbers": numbers}

    def restored_params(self, printed: dict[str, Any], in_avals: Any, out_avals: Any) -> dict[str, Any]:
        """All parameters, from those that are printed."""
        return {"precision": None, "preferred_element_type": None, **printed}


def _skip(dims: Dims, new: int) -> Dims:
    """``dims`` of an operand that has got one more dimension at position ``new``."""
    return tuple([d + (d >= new) for d in dims])


def _cotangent(
    ct: Any, ct_dims: Dims, aval: ShapedArray, own: tuple[Dims, Dims], other: Any, other_groups: tuple[Dims, Dims],
    options: dict[str, Any],
) -> Any:  # fmt: skip
    """Cotangent of one operand: the product of ``ct`` with the other operand over the free dimensions of the latter.

    Args:
      ct: cotangent of the result.
      ct_dims: where ``ct`` has the free dimensions of ``other``.
      aval: type of the operand.
      own: contracting and batch dimensions of the operand.
      other: the other operand.
      other_groups: its contracting and batch dimensions.
      options: precision and preferred_element_type.
    """
    (inner, batch), (other_inner, other_batch) = own, other_groups
    other_free = free_dims(other.aval.ndim, other_inner, other_batch)
    numbers = ((ct_dims, other_free), (tuple(range(len(batch))), other_batch))
    out = dot_general_p.bind(ct, other, dimension_numbers=numbers, **options)
    # Contracted dimensions come out in the order of the other operand.
    by_other = [i for _, i in sorted(zip(other_inner, inner, strict=True))]
    made = (*batch, *free_dims(aval.ndim, inner, batch), *by_other)
    out = transpose(out, inverse_permutation(made))
    return out if out.aval.dtype == aval.dtype else convert_element_type(out, aval.dtype)


dot_general_p = DotGeneral("dot_general")


# -- functions ---------------------------------------------------------------------------------------------------------


def _dims(dims: Sequence[int]) -> Dims:
    return tuple(map(operator.index, dims))


def dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]],
    precision: Any = None,
    preferred_element_type: Any = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """The general product of two arrays: sums over some dimensions, runs along others.

    Args:
      lhs: array.
      rhs: array.
      dimension_numbers: ``((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch))``: the dimensions that are
        summed over and those along which the operands run together, paired in order.
      precision: accepted for compatibility, see ``Precision``.
      preferred_element_type: dtype of the result, in which sums are accumulated; default that of the operands. Sums of
        half-precision products are accumulated in float32 in any case. A simpler kind (integers for floats, real
        numbers for complex ones) is what the result is converted to.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      An array with the batch dimensions, then the other dimensions of ``lhs``, then those of ``rhs``.

    Raises:
      TypeError: the dimensions do not match, or ``preferred_element_type`` cannot hold the products.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> x, y = np.ones((5, 2, 3)), np.ones((5, 3, 4))
      >>> lax.dot_general(x, y, (([2], [1]), ([0], [0]))).shape
      (5, 2, 4)
    """
    if out_sharding is not None:
        return at_sharding(
            dot_general, out_sharding, "fungrad.lax.dot_general", lhs, rhs, dimension_numbers, precision,
            preferred_element_type
        )
    lhs, rhs = lift_pair("dot_general", lhs, rhs)
    (inner_x, inner_y), (batch_x, batch_y) = dimension_numbers
    if preferred_element_type is not None:
        preferred_element_type = dtypes.canonicalize_dtype(
            preferred_element_type, "fungrad.lax.dot_general: preferred_element_type"
        )
        if converted_after(lhs.aval.dtype, rhs.aval.dtype, preferred_element_type):
            out = dot_general(lhs, rhs, dimension_numbers, precision)
            return convert_element_type(out, preferred_element_type)
    return dot_general_p.bind(
        lhs,
        rhs,
        dimension_numbers=((_dims(inner_x), _dims(inner_y)), (_dims(batch_x), _dims(batch_y))),
        precision=canonical_precision("fungrad.lax.dot_general", precision),
        preferred_element_type=preferred_element_type,
    )


def dot(
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Array:
    """Product of vectors and matrices, or with ``dimension_numbers`` the general product (``dot_general``).

    Args:
      lhs: vector or matrix.
      rhs: vector or matrix, whose first dimension is as long as the last of ``lhs``.
      dimension_numbers, precision, preferred_element_type, out_sharding: as in ``dot_general``.

    Raises:
      ValueError: without ``dimension_numbers``, for operands that are not vectors or matrices of matching sizes.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.dot(np.float32([[1, 2], [3, 4]]), np.float32([1, 1]))
      Array([3., 7.], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(
            dot, out_sharding, "fungrad.lax.dot", lhs, rhs, dimension_numbers=dimension_numbers,
            precision=precision, preferred_element_type=preferred_element_type
        )
    lhs, rhs = lift_pair("dot", lhs, rhs)
    if dimension_numbers is None:
        x, y = lhs.aval, rhs.aval
        if not (1 <= x.ndim <= 2 and 1 <= y.ndim <= 2 and x.shape[-1] == y.shape[0]):
            raise ValueError(
                "fungrad.lax.dot: operands must be vectors or matrices, the last dimension of lhs as long as the first "
                f"of rhs, got {x.str_short()} and {y.str_short()}; give dimension_numbers for other products"
            )
        dimension_numbers = (((x.ndim - 1,), (0,)), ((), ()))
    return dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type, out_sharding=out_sharding)


def batch_matmul(lhs: Any, rhs: Any, precision: Any = None) -> Array:
    """Matrix product of the last two dimensions, for all leading ones, which must agree.

    Raises:
      TypeError: operands have different ranks, or fewer than two dimensions.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> lax.batch_matmul(np.ones((5, 2, 3)), np.ones((5, 3, 4))).shape
      (5, 2, 4)
    """
    lhs, rhs = lift(lhs, "fungrad.lax.batch_matmul: lhs"), lift(rhs, "fungrad.lax.batch_matmul: rhs")
    n = lhs.aval.ndim
    if n < 2 or rhs.aval.ndim != n:
        raise TypeError(
            "fungrad.lax.batch_matmul: operands must have the same rank, at least 2, got "
            f"{lhs.aval.str_short()} and {rhs.aval.str_short()}"
        )
    batch = tuple(range(n - 2))
    return dot_general(lhs, rhs, (((n - 1,), (n - 2,)), (batch, batch)), precision)
