"""The exchange in which members of a mapped axis send each other slices of different sizes.

May import ``core`` and ``ops``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core.array import Array
from fungrad.ops._operands import lift
from fungrad.ops.cast import convert_element_type, full
from fungrad.ops.collectives import checked_names, members
from fungrad.ops.compare import clamp, ge, lt, select
from fungrad.ops.elementwise import add, div, mul, sub
from fungrad.ops.exchanges import all_gather, all_to_all
from fungrad.ops.foundation import broadcast_in_dim, reshape
from fungrad.ops.indexing import GatherDimensionNumbers, gather
from fungrad.ops.integer import bitwise_and
from fungrad.ops.reduce import reduce_max
from fungrad.ops.shape import broadcasted_iota, iota

_API = "fungrad.lax.ragged_all_to_all"


def _rows(x: Any, rows: Any) -> Any:
    """``x[rows]`` along the leading dimension."""
    shape = x.aval.shape
    numbers = GatherDimensionNumbers(tuple(range(1, len(shape))), (0,), (0,))
    return gather(x, reshape(rows, (*rows.aval.shape, 1)), numbers, (1, *shape[1:]), mode="clip")


def _checked(operand: Any, output: Any, ranges: dict[str, Any], size: int, axis_name: Any) -> int:
    """The number of slices that go to each member, after checking the arguments."""
    x, out = operand.aval, output.aval
    if x.dtype != out.dtype or x.shape[1:] != out.shape[1:] or not x.shape or not out.shape:
        raise ValueError(
            f"{_API}: operand and output must agree in dtype and in all but the size of their leading dimension, got "
            f"{x.str_short()} and {out.str_short()}"
        )
    for name, value in ranges.items():
        aval = value.aval
        if aval.dtype.kind not in "iu":
            raise ValueError(f"{_API}: {name} must be of integer type, got {aval.str_short()}")
        if aval.ndim != 1 or not aval.shape[0]:
            raise ValueError(f"{_API}: {name} must have one dimension, of positive size, got {aval.str_short()}")
    lengths = {name: value.aval.shape[0] for name, value in ranges.items()}
    count, *rest = lengths.values()
    if any(length != count for length in rest):
        raise ValueError(f"{_API}: offsets and sizes must have one length, got {lengths}")
    if count % size:
        raise ValueError(
            f"{_API}: the number of slices, {count}, must be a multiple of the size of axis {axis_name!r}, {size}"
        )
    return count // size


def ragged_all_to_all(
    operand: Any,
    output: Any,
    input_offsets: Any,
    send_sizes: Any,
    output_offsets: Any,
    recv_sizes: Any,
    *,
    axis_name: Any,
    axis_index_groups: Any = None,
) -> Array:
    """Slices of different sizes along the leading dimension, sent between all members of a mapped axis.

    Slice ``i`` of a member are the rows of ``operand`` from ``input_offsets[i]`` on, ``send_sizes[i]`` of them. Of
    ``n`` slices, the first ``n / size`` go to the first member, and so on. There they are written into ``output`` from
    row ``output_offsets[i]`` on, which the sender says.

    Args:
      operand: the rows to be sent.
      output: what the result is where nothing is received; of the dtype of ``operand``.
      input_offsets: where slices begin in ``operand``: one integer for each slice.
      send_sizes: how many rows each has.
      output_offsets: where each begins in the result of the member to which it goes.
      recv_sizes: how many rows each slice that comes in has: ``all_to_all`` of ``send_sizes``.
      axis_name: name of a mapped axis, or a tuple of names.
      axis_index_groups: must be None.

    Returns:
      ``output`` with the rows received. It has derivatives by ``operand`` and ``output``.

    Raises:
      UnboundAxisNameError: a name is not in scope.
      ValueError: the arguments do not fit together.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> def exchange(x, start, sent, where, received):
      ...   return lax.ragged_all_to_all(x, jnp.zeros(4), start, sent, where, received, axis_name='i')
      >>> fungrad.vmap(exchange, axis_name='i')(
      ...   jnp.array([[1., 2., 2.], [3., 4., 0.]]), jnp.array([[0, 1], [0, 1]]), jnp.array([[1, 2], [1, 1]]),
      ...   jnp.array([[0, 0], [1, 2]]), jnp.array([[1, 1], [2, 1]]))
      Array([[1., 3., 0., 0.],
             [2., 2., 4., 0.]], dtype=float32)
    """
    names = checked_names("ragged_all_to_all", axis_name, axis_index_groups)
    size = members(names, "ragged_all_to_all")
    operand, output = lift(operand, f"{_API}: operand"), lift(output, f"{_API}: output")
    given = {
        "input_offsets": input_offsets, "send_sizes": send_sizes,
        "output_offsets": output_offsets, "recv_sizes": recv_sizes,
    }  # fmt: skip
    ranges = {name: lift(value, f"{_API}: {name}") for name, value in given.items()}
    per_member = _checked(operand, output, ranges, size, axis_name)
    begin, sent, into, _ = (convert_element_type(x, np.int32) for x in ranges.values())
    # What each slice that comes in is: number, rows and place are said by its sender.
    begin, sent, into = (all_to_all(x, names, 0, 0, tiled=True) for x in (begin, sent, into))
    count, rows, have = size * per_member, operand.aval.shape[0], output.aval.shape[0]
    if not rows or not have:
        return output
    shape = (count, have)
    per_row = [broadcast_in_dim(x, shape, (0,)) for x in (begin, sent, into)]
    # Which row of slice i the row of the result would be.
    inside = sub(broadcasted_iota(np.int32, shape, 1), per_row[2])
    received = bitwise_and(ge(inside, full(shape, 0, np.int32)), lt(inside, per_row[1]))
    # Slices are written one after the other: the last one that has a row is the one that is left.
    number = broadcasted_iota(np.int32, shape, 0)
    last = reduce_max(select(received, number, full(shape, -1, np.int32)), (0,))
    some = ge(last, full((have,), 0, np.int32))
    last = clamp(np.int32(0), last, np.int32(count - 1))
    row = add(sub(iota(np.int32, have), _rows(into, last)), _rows(begin, last))
    row = clamp(np.int32(0), row, np.int32(rows - 1))
    source = div(last, full((have,), per_member, np.int32))
    everything = reshape(all_gather(operand, names), (size * rows, *operand.aval.shape[1:]))
    values = _rows(everything, add(mul(source, full((have,), rows, np.int32)), row))
    return select(broadcast_in_dim(some, output.aval.shape, (0,)), values, output)

