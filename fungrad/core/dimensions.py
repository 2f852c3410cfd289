"""Sizes of dimensions that are expressions instead of numbers, as far as types need to know them.

Only functions that are traced for exporting have such sizes (``fungrad.exports.dimensions``). Here is what code that
computes with sizes asks about them; of integers everything is known.

May import ``errors`` only.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, TypeGuard

from fungrad.errors import InconclusiveDimensionOperation

LARGEST_SYMBOLIC = 2**31 - 1


class SymbolicDim:
    """A size that is an expression of variables; ``fungrad.exports.dimensions.Dim`` is the only subclass.

    It has the operators of integers. What is not the same for all values of the variables raises
    ``InconclusiveDimensionOperation``: comparisons, and every use as a number.
    """

    __slots__ = ()

    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value, as far as they are known."""
        raise NotImplementedError

    def evaluate(self, values: dict[str, Any]) -> Any:
        """The value for some values of the variables."""
        raise NotImplementedError


def is_symbolic(d: Any) -> TypeGuard[SymbolicDim]:
    """Whether a size is an expression."""
    return isinstance(d, SymbolicDim)


def is_symbolic_shape(shape: tuple[Any, ...]) -> bool:
    """Whether a size among those of a shape is an expression."""
    return any(isinstance(d, SymbolicDim) for d in shape)


def size_of_dimension(d: Any) -> Any:
    """A dimension as types hold it: an ``int``, or the expression."""
    return d if isinstance(d, SymbolicDim) else int(d)


def as_size(d: Any) -> Any:
    """A size that a user gave, as an ``int``, or as the expression that it is.

    Raises:
      TypeError: it is no integer.
    """
    return d if isinstance(d, SymbolicDim) else operator.index(d)


def sizes_of(shape: Iterable[Any]) -> tuple[Any, ...]:
    """The sizes of a shape that a user gave; see ``as_size``."""
    try:
        return tuple(map(operator.index, shape))
    except InconclusiveDimensionOperation:
        return tuple(map(as_size, shape))


def least_value(d: Any) -> float:
    """The least value that a size can have; -inf if nothing is known."""
    return d.bounds()[0] if isinstance(d, SymbolicDim) else d


def greatest_value(d: Any) -> float:
    """The greatest value that a size can have; inf if nothing is known."""
    return d.bounds()[1] if isinstance(d, SymbolicDim) else d


def index_bound(d: Any) -> float:
    """A size, as far as the integers that hold positions in it are concerned.

    Symbolic sizes are less than 2**31, which is checked when they get their values.
    """
    return min(d.bounds()[1], LARGEST_SYMBOLIC) if isinstance(d, SymbolicDim) else d


def max_size(a: Any, b: Any) -> Any:
    """The larger one of two sizes, of which any may be an expression."""
    if isinstance(a, SymbolicDim):
        return a.max(b)  # type: ignore[attr-defined]
    if isinstance(b, SymbolicDim):
        return b.rmax(a)  # type: ignore[attr-defined]
    return max(a, b)


def min_size(a: Any, b: Any) -> Any:
    """The smaller one of two sizes, of which any may be an expression."""
    if isinstance(a, SymbolicDim):
        return a.min(b)  # type: ignore[attr-defined]
    if isinstance(b, SymbolicDim):
        return b.rmin(a)  # type: ignore[attr-defined]
    return min(a, b)
