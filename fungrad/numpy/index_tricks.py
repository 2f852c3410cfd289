"""Objects that are indexed to make arrays: ``mgrid``, ``ogrid``, ``r_``, ``c_``.

May import ``core`` and the modules of ``numpy``.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core.array import Array
from fungrad.numpy._promotion import promote_dtypes
from fungrad.numpy.creation import arange, array
from fungrad.numpy.grids import linspace, meshgrid
from fungrad.numpy.joining import concatenate, stack
from fungrad.numpy.manipulation import expand_dims, transpose


def _numbers(part: Any, api: str) -> Array:
    """The numbers of a slice: steps of a size, or with an imaginary step that many numbers, the end included."""
    if not isinstance(part, slice):
        raise TypeError(f"fungrad.numpy.{api}: indices must be slices such as 0:4 or 0:1:5j, got {part!r}")
    start = 0 if part.start is None else part.start
    step = 1 if part.step is None else part.step
    if part.stop is None:  # as for `range`, the only number is the end
        if np.iscomplexobj(step):
            raise ValueError(f"fungrad.numpy.{api}: a slice with a number of points must have an end, got {part!r}")
        return arange(0, start, step)
    if np.iscomplexobj(step):
        return linspace(start, part.stop, int(abs(step)))  # type: ignore[no-any-return]
    return arange(start, part.stop, step)


def _vectors(key: tuple, api: str) -> list[Array]:
    """The vectors of several slices, in their common dtype."""
    vectors = [_numbers(part, api) for part in key]
    with config.override("numpy_dtype_promotion", "standard"):  # these are no operands that a program promotes
        return promote_dtypes(api, *vectors) if vectors else []


class MGrid:
    """Coordinates of a grid as one array, made by indexing with slices.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.mgrid[0:2, 0:3]
      Array([[[0, 0, 0],
              [1, 1, 1]],
      <BLANKLINE>
             [[0, 1, 2],
              [0, 1, 2]]], dtype=int32)
      >>> jnp.mgrid[0:1:3j]
      Array([0. , 0.5, 1. ], dtype=float32)
    """

    __slots__ = ()

    def __getitem__(self, key: Any) -> Array:
        if not isinstance(key, tuple):
            return _numbers(key, "mgrid")
        return stack(meshgrid(*_vectors(key, "mgrid"), indexing="ij"), 0) if key else arange(0)

    def __reduce__(self) -> str:
        return "mgrid"


class OGrid:
    """Coordinates of a grid as arrays that broadcast to it, made by indexing with slices.

    Example:
      >>> import fungrad.numpy as jnp
      >>> [x.shape for x in jnp.ogrid[0:2, 0:3]]
      [(2, 1), (1, 3)]
    """

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, tuple):
            return _numbers(key, "ogrid")
        return meshgrid(*_vectors(key, "ogrid"), indexing="ij", sparse=True)

    def __reduce__(self) -> str:
        return "ogrid"


class Concatenator:
    """Arrays, numbers, lists and the numbers of slices joined along an axis, by indexing.

    A text as the first index is ``"axis,dimensions,place"``: the axis along which parts are joined, the least number of
    their dimensions, and where in these the dimensions of parts with fewer come. ``"r"`` and ``"c"`` make a row or
    column of a vector.
    """

    __slots__ = ("axis", "dimensions", "name", "place")

    def __init__(self, name: str, axis: int, dimensions: int, place: int):
        self.name, self.axis, self.dimensions, self.place = name, axis, dimensions, place

    def __reduce__(self) -> str:
        return self.name

    def __len__(self) -> int:
        return 0

    def __getitem__(self, key: Any) -> Array:
        parts = key if isinstance(key, tuple) else (key,)
        axis, dimensions, place, matrix = self.axis, self.dimensions, self.place, None
        if parts and isinstance(parts[0], str):
            axis, dimensions, place, matrix = self._directive(parts[0])
            parts = parts[1:]
        if not parts:
            raise ValueError(f"fungrad.numpy.{self.name}: there is nothing to join")
        made = []
        for part in parts:
            if isinstance(part, str):
                raise ValueError(f"fungrad.numpy.{self.name}: a text must be the first index, got {part!r}")
            # The dimension that a slice has is a new one, as those of numbers are.
            own = 0 if isinstance(part, slice) else None
            x = _numbers(part, self.name) if own == 0 else array(part)
            own = x.ndim if own is None else own
            x = expand_dims(x, tuple(range(dimensions - x.ndim))) if x.ndim < dimensions else x
            if place != -1 and own < dimensions:
                x = transpose(x, self._order(dimensions, place))
            made.append(x)
        out = concatenate(made, axis=axis)
        return expand_dims(out, "rc".index(matrix)) if matrix is not None and out.ndim == 1 else out

    def _directive(self, text: str) -> tuple[int, int, int, str | None]:
        if text in ("r", "c"):
            return self.axis, self.dimensions, self.place, text
        try:
            given = [int(n) for n in text.split(",")][:3]
        except ValueError:
            raise ValueError(
                f"fungrad.numpy.{self.name}: the directive must be 'r', 'c' or up to three integers 'axis,dimensions,"
                f"place', got {text!r}"
            ) from None
        axis, dimensions, place = [*given, *(self.axis, self.dimensions, self.place)[len(given) :]]
        return axis, operator.index(dimensions), place, None

    @staticmethod
    def _order(dimensions: int, place: int) -> tuple[int, ...]:
        """The order of dimensions in which the last one has come to ``place``."""
        shift = dimensions - abs(dimensions + place + 1) % dimensions
        order = tuple(range(dimensions))
        return order[shift:] + order[:shift]


mgrid = MGrid()
ogrid = OGrid()
r_ = Concatenator("r_", 0, 1, -1)
c_ = Concatenator("c_", -1, 2, 0)
s_ = np.s_
index_exp = np.index_exp

__all__ = ["c_", "index_exp", "mgrid", "ogrid", "r_", "s_"]
