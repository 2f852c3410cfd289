"""Functions of ``lax`` that take functions, or are loops: choices by platform, named compositions, ragged products.

May import ``core``, ``ops`` and the modules of ``control``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.control._base import check_callables
from fungrad.control.scan import scan
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.source import named_scope
from fungrad.ops._operands import lift
from fungrad.ops.cast import convert_element_type, full
from fungrad.ops.compare import ge, lt, select
from fungrad.ops.cumulative import cumsum
from fungrad.ops.dot import dot_general
from fungrad.ops.elementwise import sub
from fungrad.ops.foundation import broadcast_in_dim
from fungrad.ops.integer import bitwise_and
from fungrad.ops.resharding import at_sharding
from fungrad.ops.shape import iota


def platform_dependent(
    *args: Any, default: Callable[..., Any] | None = None, **per_platform: Callable[..., Any]
) -> Any:
    """The result of the function for the platform, which is the CPU.

    Args:
      *args: arguments of the function.
      default: the function for platforms that are not named.
      **per_platform: functions for platforms: ``cpu``, ``cuda``, ``rocm``, ``tpu``.

    Raises:
      NotImplementedError: there is neither a function for ``cpu`` nor a default.
      TypeError: something given for a platform is no function.

    Example:
      >>> from fungrad import lax
      >>> lax.platform_dependent(2.0, cpu=lax.sqrt, default=lax.exp)
      Array(1.4142135, dtype=float32, weak_type=True)
    """
    check_callables("lax.platform_dependent", **per_platform)
    if default is not None:
        check_callables("lax.platform_dependent", default=default)
    chosen = per_platform.get("cpu", default)
    if chosen is None:
        raise NotImplementedError(
            f"fungrad.lax.platform_dependent: there is no function for the platform cpu, and no default, among "
            f"{', '.join(per_platform) or 'none'}; pass cpu= or default="
        )
    return chosen(*args)


def composite(decomposition: Callable[..., Any], name: str, version: int = 0) -> Callable[..., Any]:
    """A function under a name that compilers could know as a whole; here it is its decomposition, in a named scope.

    Args:
      decomposition: the function.
      name: the name of the scope of its operations.
      version: ignored.

    Returns:
      A function like ``decomposition``, which can also be differentiated (JAX's cannot).

    Raises:
      TypeError: ``decomposition`` is no function or ``name`` no text.

    Example:
      >>> import functools
      >>> from fungrad import lax
      >>> @functools.partial(lax.composite, name="my.square")
      ... def square(x):
      ...     return x * x
      >>> square(3.0)
      9.0
    """
    check_callables("lax.composite", decomposition=decomposition)
    if not isinstance(name, str):
        raise TypeError(f"fungrad.lax.composite: name must be a text, got {name!r}")
    return functools.wraps(decomposition)(named_scope(name)(decomposition))


def ragged_dot(
    lhs: Any, rhs: Any, group_sizes: Any, precision: Any = None, preferred_element_type: Any = None,
    group_offset: Any = None, out_sharding: Any = None,
) -> Array:  # fmt: skip
    """Products of groups of rows with a matrix for each group.

    Args:
      lhs: array of shape ``(m, k)``, whose rows are those of the groups, one group after the other.
      rhs: array of shape ``(g, k, n)``: a matrix for each group.
      group_sizes: integers of shape ``(g,)``: how many rows each group has.
      precision: as of ``dot_general``.
      preferred_element_type: dtype of the result.
      group_offset: must be None.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      Array of shape ``(m, n)``; zeros for rows that belong to no group.

    Raises:
      TypeError: shapes or dtypes do not fit.
      NotImplementedError: ``group_offset`` is given.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.ragged_dot(jnp.ones((3, 2)), jnp.array([[[1.0], [1.0]], [[5.0], [5.0]]]), jnp.array([1, 2]))
      Array([[ 2.],
             [10.],
             [10.]], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(
            ragged_dot, out_sharding, "fungrad.lax.ragged_dot", lhs, rhs, group_sizes, precision,
            preferred_element_type, group_offset
        )
    api = "fungrad.lax.ragged_dot"
    x, w, sizes = lift(lhs, f"{api}: lhs"), lift(rhs, f"{api}: rhs"), lift(group_sizes, f"{api}: group_sizes")
    if group_offset is not None:
        raise NotImplementedError(f"{api}: group_offset must be None, got {group_offset!r}")
    if x.ndim != 2 or w.ndim != 3 or x.shape[1] != w.shape[1]:
        raise TypeError(
            f"{api}: lhs must have shape (m, k) and rhs (g, k, n), got {x.aval.str_short()} and {w.aval.str_short()}"
        )
    if sizes.shape != w.shape[:1] or not dtypes.is_integer(sizes.dtype):
        raise TypeError(
            f"{api}: group_sizes must be {w.shape[0]} integers, one for each matrix of rhs, got "
            f"{sizes.aval.str_short()}"
        )
    if dtypes.is_unsigned(sizes.dtype) or sizes.dtype.itemsize < 4:
        sizes = convert_element_type(sizes, np.int64 if sizes.dtype.itemsize >= 4 else np.int32)
    ends = cumsum(sizes, 0)
    rows = iota(sizes.dtype, x.shape[0])

    def product(matrix: Any) -> Array:
        return dot_general(x, matrix, (((1,), (0,)), ((), ())), precision, preferred_element_type)

    if not w.shape[0]:
        return full((x.shape[0], w.shape[2]), 0, preferred_element_type or x.dtype)

    def step(total: Any, group: Any) -> tuple[Any, None]:
        matrix, start, end = group
        inside = bitwise_and(ge(rows, start), lt(rows, end))
        mask = broadcast_in_dim(inside, total.shape, (0,))
        return select(mask, product(matrix), total), None

    kind = preferred_element_type or x.dtype
    start = full((x.shape[0], w.shape[2]), 0, kind)
    return scan(step, start, (w, sub(ends, sizes), ends))[0]  # type: ignore[no-any-return]


__all__ = ["composite", "platform_dependent", "ragged_dot"]
