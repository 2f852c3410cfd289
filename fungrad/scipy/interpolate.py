"""Interpolation on grids, under the names of ``jax.scipy.interpolate``.

May import ``core``, ``fungrad.numpy`` and ``scipy._operands``.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.core.source import api_class
from fungrad.core.tree_registration import register_pytree_node
from fungrad.scipy._operands import inexact, number, operand

_API = "interpolate.RegularGridInterpolator"


def _check_method(method: Any) -> str:
    if method not in ("linear", "nearest"):
        raise ValueError(f"fungrad.scipy.{_API}: method must be 'linear' or 'nearest', got {method!r}")
    return str(method)


@api_class
class RegularGridInterpolator:
    """Values between the points of a grid whose lines are parallel to the axes, not necessarily evenly spaced.

    The interpolator is a pytree of its arrays.

    Args:
      points: coordinates of the grid along each axis, ascending, shapes ``(m1,)``, ..., ``(mn,)``.
      values: at the points, shape ``(m1, ..., mn, ...)``.
      method: ``"linear"`` or ``"nearest"``.
      bounds_error: must be False: points outside are no errors.
      fill_value: value outside of the grid; None extrapolates.

    Raises:
      TypeError: an argument is no array.
      ValueError: there is no such method, there are more axes than ``values`` has dimensions, the sizes differ, or
        ``fill_value`` does not fit the dtype of ``values``.
      NotImplementedError: ``bounds_error``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy.interpolate import RegularGridInterpolator
      >>> f = RegularGridInterpolator((jnp.array([0.0, 1.0, 3.0]),), jnp.array([0.0, 10.0, 30.0]))
      >>> print(f(jnp.array([[0.5], [2.0], [4.0]])))
      [ 5. 20. nan]
    """

    def __init__(
        self,
        points: Sequence[Any],
        values: Any,
        method: str = "linear",
        bounds_error: bool = False,
        fill_value: Any = float("nan"),
    ):
        full = f"fungrad.scipy.{_API}"
        self.method = _check_method(method)
        if bounds_error:
            raise NotImplementedError(f"{full}: bounds_error must be False: whether a point is outside may be traced")
        self.bounds_error = False
        self.values = inexact(_API, "values", values)
        self.grid = tuple([operand(_API, "points", p) for p in points])
        if len(self.grid) > self.values.ndim:
            raise ValueError(
                f"{full}: points must have at most one array per dimension of values, got {len(self.grid)} for "
                f"{self.values.ndim}"
            )
        for axis, p in enumerate(self.grid):
            if p.ndim != 1 or p.shape[0] != self.values.shape[axis]:
                raise ValueError(
                    f"{full}: points[{axis}] must have shape ({self.values.shape[axis]},) as values along that axis, "
                    f"got {p.shape}"
                )
            if p.shape[0] < 2:
                raise ValueError(f"{full}: points[{axis}] must have at least two elements, got {p.shape[0]}")
        if fill_value is not None:
            if jnp.iscomplexobj(fill_value) and not dtypes.is_complex(self.values.dtype):
                raise ValueError(f"{full}: fill_value must fit values of dtype {self.values.dtype}, got a complex one")
            fill_value = number(_API, "fill_value", fill_value, self.values.dtype)
        self.fill_value = fill_value

    def __call__(self, xi: Any, method: str | None = None) -> Array:
        """Values at points.

        Args:
          xi: points, shape ``(..., n)``, or a tuple of ``n`` arrays of coordinates that broadcast together.
          method: instead of that of the interpolator.

        Returns:
          Shape ``(..., *values.shape[n:])``.

        Raises:
          ValueError: there is no such method, or the points do not have ``n`` coordinates.
        """
        method = self.method if method is None else _check_method(method)
        n = len(self.grid)
        at = self._points(xi, n)
        if at.shape[-1] != n:
            raise ValueError(f"fungrad.scipy.{_API}: xi must have {n} coordinates per point, got shape {at.shape}")
        shape = at.shape[:-1]
        rows = at.reshape(-1, n)
        lower, shares, outside = [], [], jnp.zeros(rows.shape[0], bool)
        for k, p in enumerate(self.grid):
            x = rows[:, k]
            i = jnp.clip(jnp.searchsorted(p, x) - 1, 0, p.shape[0] - 2)
            lower.append(i)
            shares.append((x - p[i]) / (p[i + 1] - p[i]))
            outside = outside | (x < p[0]) | (x > p[-1])
        more = (slice(None), *[None] * (self.values.ndim - n))
        if method == "nearest":
            found = self.values[tuple([jnp.where(t <= 0.5, i, i + 1) for i, t in zip(lower, shares, strict=True)])]
        else:
            terms = []
            for corner in itertools.product((0, 1), repeat=n):
                weights = [t if c else 1 - t for c, t in zip(corner, shares, strict=True)]
                value = self.values[tuple([i + c for c, i in zip(corner, lower, strict=True)])]
                terms.append(value * functools.reduce(operator.mul, weights)[more])
            found = functools.reduce(operator.add, terms)
        if self.fill_value is not None:
            found = jnp.where(outside[more], jnp.asarray(self.fill_value, found.dtype), found)
        return found.reshape(*shape, *self.values.shape[n:])

    @staticmethod
    def _points(xi: Any, n: int) -> Array:
        if isinstance(xi, tuple) and len(xi) == 1 and isinstance(xi[0], tuple):
            xi = xi[0]
        if isinstance(xi, tuple):
            parts = jnp.broadcast_arrays(*[inexact(_API, "xi", x) for x in xi])
            return jnp.stack(parts, -1)
        at = inexact(_API, "xi", xi)
        return at.reshape(-1, n) if at.ndim == 1 else at


def _rebuilt(aux: str, children: Any) -> RegularGridInterpolator:
    # Without the checks: leaves may be anything while trees are mapped.
    new = object.__new__(RegularGridInterpolator)
    new.method, new.bounds_error = aux, False
    new.grid, new.values, new.fill_value = children
    return new


register_pytree_node(RegularGridInterpolator, lambda f: ((f.grid, f.values, f.fill_value), f.method), _rebuilt)

__all__ = ["RegularGridInterpolator"]

publish(globals(), __name__, __all__)
