"""Which operands of steps are read where their elements are, in the memory of another tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fungrad.jit.formulas.indices import Axis, Idx, linear
from fungrad.jit.formulas.tensors import (
    Compute,
    ConvolutionStep,
    Element,
    ItemsStep,
    LibraryStep,
    Opaque,
    ProductStep,
    RoutineStep,
    Tensor,
)


def strided(tensor: Tensor) -> tuple[Tensor, Idx, list[int]] | None:
    """``tensor`` as a strided part of another: that tensor, the offset and one stride per dimension, or None."""
    if type(tensor) is not Compute or type(tensor.expr) is not Element:
        return None
    base, index = tensor.expr.tensor, tensor.expr.index
    flat = linear(base.shape, index)
    own = set(tensor.axes)
    if any(type(a) is not Axis or a not in own for a in flat.terms):
        return None
    return base, Idx.of(flat.const), [flat.terms.get(a, 0) for a in tensor.axes]


def in_memory(step: Opaque) -> list[Tensor]:
    """The tensors that a step reads from memory, one per operand: the operand, or the array that it is a part of."""
    found = []
    for t in step.operands:
        part = strided(t) if is_read_in_place(step, t) else None
        found.append(t if part is None else part[0])
    return found


def is_read_in_place(step: Opaque, t: Tensor) -> bool:
    """Whether a step reads an operand where the elements of another array are."""
    if isinstance(step, ProductStep):
        return gemm_operand_fits(step, t)
    if isinstance(step, ConvolutionStep):
        return conv_operand_fits(step, t)
    return isinstance(step, RoutineStep | LibraryStep | ItemsStep) and is_dense_part(t)


def is_dense_part(t: Tensor) -> bool:
    """Whether a tensor is a block of another one, in the same order."""
    part = strided(t)
    if part is None:
        return False
    expected = 1
    for size, stride in zip(reversed(t.shape), reversed(part[2]), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def conv_operand_fits(step: ConvolutionStep, t: Tensor) -> bool:
    """Whether a convolution can read its operand ``t`` where its elements are."""
    if t is not step.operands[0] and step.routine in ("conv", "conv_each"):
        return is_dense_part(t)
    part = strided(t)
    return part is not None and (t is step.operands[0] or part[2][-1] == 1 or t.shape[-1] == 1)


def gemm_operand_fits(step: ProductStep, t: Tensor) -> bool:
    """Whether a product can read its operand ``t`` where its elements are: as rows or columns at a fixed distance."""
    part = strided(t)
    if part is None:
        return False
    side = 0 if t is step.operands[0] else 1
    return matrix_strides(t.shape, part[2], step.groups, side) is not None


def matrix_strides(
    shape: Sequence[int], strides: Sequence[int], groups: tuple[int, int, int, int], side: int
) -> tuple[int, int] | None:
    """Distances between rows and columns of a product operand with dimensions (batch, rows, columns), if BLAS takes
    them.
    """
    n_batch, n_rows, n_inner, n_columns = groups
    first = n_rows if side == 0 else n_inner
    rows = _one_stride(shape[n_batch : n_batch + first], strides[n_batch : n_batch + first])
    columns = _one_stride(shape[n_batch + first :], strides[n_batch + first :])
    if rows is None or columns is None:
        return None
    n = math.prod(shape[n_batch : n_batch + first])
    m = math.prod(shape[n_batch + first :])
    if columns == 1 and rows >= m:
        return rows, columns
    if rows == 1 and columns >= n:
        return rows, columns
    return None


def _one_stride(shape: Sequence[int], strides: Sequence[int]) -> int | None:
    """The distance of successive elements of some dimensions taken together, None if it varies."""
    stride, expected = None, None
    for size, step in zip(reversed(shape), reversed(strides), strict=True):
        if size == 1:
            continue
        if expected is None:
            stride = step
        elif step != expected:
            return None
        expected = step * size
    return 1 if stride is None else stride
