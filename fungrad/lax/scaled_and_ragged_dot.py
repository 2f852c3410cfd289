"""Products of arrays one of whose dimensions is divided into groups of different sizes, and products of scaled arrays.

May import ``core``, ``ops`` and ``control``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.control.scan import scan
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.ops._operands import lift
from fungrad.ops.cast import convert_element_type, full
from fungrad.ops.compare import ge, lt, select
from fungrad.ops.cumulative import cumsum
from fungrad.ops.dot import dot_general
from fungrad.ops.elementwise import mul, sub
from fungrad.ops.foundation import broadcast_in_dim, reshape, transpose
from fungrad.ops.integer import bitwise_and
from fungrad.ops.resharding import at_sharding
from fungrad.ops.shape import iota

DotDimensionNumbers = tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]


class RaggedDotDimensionNumbers(NamedTuple):
    """What is what in ``ragged_dot_general``.

    Attributes:
      dot_dimension_numbers: what is contracted and what is batched, as of ``dot_general``.
      lhs_ragged_dimensions: the one dimension of ``lhs`` that is divided into groups.
      rhs_group_dimensions: the dimension of ``rhs`` that numbers the groups, none if a contracted or batch dimension is
        divided.

    Example:
      >>> from fungrad import lax
      >>> lax.RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), [0], [0]).lhs_ragged_dimensions
      [0]
    """

    dot_dimension_numbers: DotDimensionNumbers
    lhs_ragged_dimensions: Sequence[int]
    rhs_group_dimensions: Sequence[int]


def ragged_dot_general(
    lhs: Any, rhs: Any, group_sizes: Any, ragged_dot_dimension_numbers: RaggedDotDimensionNumbers,
    precision: Any = None, preferred_element_type: Any = None, group_offset: Any = None, out_sharding: Any = None,
) -> Array:  # fmt: skip
    """Products as of ``dot_general`` in which a dimension of ``lhs`` is divided into groups.

    A dimension that stays in the result: each group of it is multiplied with the part of ``rhs`` that has its number.
    A dimension that is contracted: the result has a product for each group.  A batch dimension: the product itself.

    Args:
      lhs: array.
      rhs: array; has a dimension more, which numbers the groups, if the ragged dimension stays.
      group_sizes: integers of shape ``(g,)``, or with the sizes of the batch dimensions and of the dimensions of the
        ragged one's kind before it in front.
      ragged_dot_dimension_numbers: which dimensions these are.
      precision: as of ``dot_general``.
      preferred_element_type: dtype of the result.
      group_offset: must be None.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      The array that ``dot_general`` would return, with a leading dimension of size ``g`` if the ragged dimension is
      contracted; zeros for what belongs to no group.

    Raises:
      TypeError: shapes or dtypes do not fit.
      NotImplementedError: ``group_offset`` is given.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> numbers = lax.RaggedDotDimensionNumbers((((0,), (0,)), ((), ())), [0], [])
      >>> lax.ragged_dot_general(jnp.array([1.0, 2.0, 3.0]), jnp.ones(3), jnp.array([1, 2]), numbers)
      Array([1., 5.], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(
            ragged_dot_general, out_sharding, "fungrad.lax.ragged_dot_general", lhs, rhs, group_sizes,
            ragged_dot_dimension_numbers, precision, preferred_element_type, group_offset
        )
    api = "fungrad.lax.ragged_dot_general"
    x, y, sizes = lift(lhs, f"{api}: lhs"), lift(rhs, f"{api}: rhs"), lift(group_sizes, f"{api}: group_sizes")
    if group_offset is not None:
        raise NotImplementedError(f"{api}: group_offset must be None, got {group_offset!r}")
    numbers, ragged_dims, group_dims = ragged_dot_dimension_numbers
    (contracted, _), (batch, _) = numbers
    contracted, batch = tuple(contracted), tuple(batch)
    if len(ragged_dims) != 1 or not 0 <= ragged_dims[0] < x.ndim:
        raise TypeError(
            f"{api}: lhs_ragged_dimensions must be one dimension of {x.aval.str_short()}, got {ragged_dims}"
        )
    (ragged,) = ragged_dims
    free = tuple([d for d in range(x.ndim) if d not in contracted and d not in batch])
    stays = ragged in free
    if len(group_dims) != int(stays):
        raise TypeError(f"{api}: rhs_group_dimensions must have {int(stays)} elements here, got {group_dims}")
    if not dtypes.is_integer(sizes.dtype) or not sizes.ndim:
        raise TypeError(f"{api}: group_sizes must be an array of integers, got {sizes.aval.str_short()}")
    kind = batch if ragged in batch else free if stays else contracted
    before = (*(batch if ragged not in batch else ()), *kind[: kind.index(ragged)])
    count = sizes.shape[-1]
    if sizes.ndim > 1 and sizes.shape[:-1] != tuple([x.shape[d] for d in before]):
        raise TypeError(
            f"{api}: group_sizes must have the shape (g,) or {(*[x.shape[d] for d in before], 'g')}, got {sizes.shape}"
        )
    if ragged in batch:
        return dot_general(x, y, numbers, precision, preferred_element_type)
    if stays and y.shape[group_dims[0]] != count:
        raise TypeError(
            f"{api}: rhs must have {count} groups along dimension {group_dims[0]}, got {y.aval.str_short()}"
        )
    if dtypes.is_unsigned(sizes.dtype) or sizes.dtype.itemsize < 4:
        sizes = convert_element_type(sizes, np.int64 if sizes.dtype.itemsize >= 4 else np.int32)
    ends = cumsum(sizes, sizes.ndim - 1)
    starts, ends = (transpose(v, (v.ndim - 1, *range(v.ndim - 1))) for v in (sub(ends, sizes), ends))
    placed = before if sizes.ndim > 1 else ()

    def inside(start: Array, end: Array, shape: tuple[int, ...], places: dict[int, int]) -> Array:
        """Where a group is, in an array of ``shape`` whose dimension ``places[d]`` is dimension d of ``lhs``."""
        axis = tuple([places[d] for d in placed])
        position = broadcast_in_dim(iota(ends.dtype, x.shape[ragged]), shape, (places[ragged],))
        return bitwise_and(
            ge(position, broadcast_in_dim(start, shape, axis)), lt(position, broadcast_in_dim(end, shape, axis))
        )

    if not stays:
        zeros = full(x.shape, 0, x.dtype)
        own = {d: d for d in range(x.ndim)}

        def one(_: None, bounds: Any) -> tuple[None, Array]:
            start, end = bounds
            part = select(inside(start, end, x.shape, own), x, zeros)
            return None, dot_general(part, y, numbers, precision, preferred_element_type)

        return scan(one, None, (starts, ends))[1]  # type: ignore[no-any-return]

    group = group_dims[0]
    matrices = transpose(y, (group, *[d for d in range(y.ndim) if d != group]))
    (_, of_y), (_, batch_y) = numbers
    without = [tuple([d - (d > group) for d in dims]) for dims in (of_y, batch_y)]
    inner = ((contracted, without[0]), (batch, without[1]))
    rest = [matrices.shape[1 + d] for d in range(y.ndim - 1) if d not in without[0] and d not in without[1]]
    shape = (*[x.shape[d] for d in (*batch, *free)], *rest)
    places = {d: i for i, d in enumerate((*batch, *free))}

    def step(total: Array, given: Any) -> tuple[Array, None]:
        matrix, start, end = given
        product = dot_general(x, matrix, inner, precision, preferred_element_type)
        return select(inside(start, end, shape, places), product, total), None

    kind_out = preferred_element_type or x.dtype
    return scan(step, full(shape, 0, kind_out), (matrices, starts, ends))[0]  # type: ignore[no-any-return]


def scaled_dot(
    lhs: Any, rhs: Any, *, lhs_scale: Any = None, rhs_scale: Any = None,
    dimension_numbers: DotDimensionNumbers | None = None, preferred_element_type: Any = None,
) -> Array:  # fmt: skip
    """The product of ``lhs * lhs_scale`` and ``rhs * rhs_scale``, of which each scale belongs to a block of elements.

    Args:
      lhs: array, often of 8-bit floats.
      rhs: array.
      lhs_scale: array of the rank of ``lhs``, whose sizes divide those of ``lhs``; by default 1.
      rhs_scale: likewise for ``rhs``.
      dimension_numbers: as of ``dot_general``; by default products of matrices, with batch dimensions in front.
      preferred_element_type: dtype of the computation and of the result; by default bfloat16.

    Returns:
      The array that ``dot_general`` returns.

    Raises:
      TypeError: shapes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> x, scale = jnp.ones((1, 4), "float8_e4m3fn"), jnp.array([[2.0, 0.5]], "float8_e8m0fnu")
      >>> lax.scaled_dot(x, jnp.ones((4, 1)), lhs_scale=scale, preferred_element_type="float32")
      Array([[5.]], dtype=float32)
    """
    api = "fungrad.lax.scaled_dot"
    x, y = lift(lhs, f"{api}: lhs"), lift(rhs, f"{api}: rhs")
    if dimension_numbers is None:
        if x.ndim != y.ndim or x.ndim < 2:
            raise TypeError(
                f"{api}: without dimension_numbers, lhs and rhs must be matrices or batches of them, got "
                f"{x.aval.str_short()} and {y.aval.str_short()}"
            )
        batch = tuple(range(x.ndim - 2))
        dimension_numbers = (((x.ndim - 1,), (y.ndim - 2,)), (batch, batch))
    kind = dtypes.canonicalize_dtype(preferred_element_type or dtypes.bfloat16, api)
    x, y = [
        _scaled(api, name, convert_element_type(v, kind), s)
        for name, v, s in (("lhs_scale", x, lhs_scale), ("rhs_scale", y, rhs_scale))
    ]
    return dot_general(x, y, dimension_numbers, preferred_element_type=kind)


def _scaled(api: str, name: str, x: Array, scale: Any) -> Array:
    """``x`` times its scales, each of which is that of a block."""
    if scale is None:
        return x
    s = lift(scale, f"{api}: {name}")
    if s.ndim != x.ndim or any(not m or n % m for n, m in zip(x.shape, s.shape, strict=True)):
        raise TypeError(
            f"{api}: the sizes of {name} must divide those of {x.aval.str_short()}, got {s.aval.str_short()}"
        )
    blocks = [size for n, m in zip(x.shape, s.shape, strict=True) for size in (m, n // m)]
    assert math.prod(blocks) == x.size
    spread = broadcast_in_dim(convert_element_type(s, x.dtype), blocks, tuple(range(0, 2 * x.ndim, 2)))
    return mul(x, reshape(spread, x.shape))


__all__ = ["DotDimensionNumbers", "RaggedDotDimensionNumbers", "ragged_dot_general", "scaled_dot"]
