"""Index arrays: making them (``ix_``, ``tril_indices``, ``unravel_index`` ...), and writing to positions (``put``,
``place``, ``fill_diagonal``).

May import everything below ``numpy`` and the modules of ``numpy`` for creation, promotion, indexing and ufuncs.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.context import Tracer
from fungrad.core.dimensions import is_symbolic, max_size
from fungrad.errors import FungradTypeError
from fungrad.numpy import division, ufuncs
from fungrad.numpy._promotion import cast, converted, operand, promote_dtypes
from fungrad.numpy.creation import arange, asarray, canonical_shape, ones, raw_values
from fungrad.numpy.grids import tri
from fungrad.numpy.indexing import require_integers, size_like, take
from fungrad.numpy.selection import nonzero, where
from fungrad.numpy.updating import index_update, require_copy
from fungrad.ops.cumulative import cumsum
from fungrad.ops.foundation import reshape
from fungrad.ops.scatter import scatter

Shape = tuple[int, ...]


def ix_(*args: Any) -> tuple[Array, ...]:
    """Index arrays that together select the grid of all combinations of positions.

    Args:
      *args: 1-d integer arrays, or boolean arrays with known values, which stand for the positions where they are true.

    Returns:
      One array per argument, of shape ``(1, ..., n, ..., 1)``.

    Raises:
      ValueError: an argument is not 1-dimensional.
      TypeError: an argument is neither integer nor boolean.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.arange(12).reshape(3, 4)[jnp.ix_(jnp.array([0, 2]), jnp.array([1, 3]))]
      Array([[ 1,  3],
             [ 9, 11]], dtype=int32)
    """
    out = []
    for n, arg in enumerate(args):
        x = operand(arg, "ix_", f"argument {n}")
        if x.aval.ndim != 1:
            raise ValueError(f"fungrad.numpy.ix_: arguments must be 1-dimensional, got {x.aval.str_short()}")
        if dtypes.is_bool(x.aval.dtype):
            (x,) = nonzero(x)
        elif not x.aval.size and dtypes.is_float(x.aval.dtype):
            x = cast(x, dtypes.int32)
        require_integers(x, "ix_", f"argument {n}")
        out.append(reshape(x, tuple([x.aval.size if d == n else 1 for d in range(len(args))])))
    return tuple(out)


def unravel_index(indices: Any, shape: Any) -> tuple[Array, ...]:
    """Positions along each dimension for positions in the flattened array.

    Args:
      indices: integers; negative ones count from the end, those out of range are moved inside.
      shape: of the array; sizes may be traced.

    Returns:
      One array of the shape of ``indices`` per dimension.

    Raises:
      TypeError: ``indices`` are not integers.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.unravel_index(jnp.array([1, 7]), (3, 4))
      (Array([0, 1], dtype=int32), Array([1, 3], dtype=int32))
    """
    indices = operand(indices, "unravel_index", "indices")
    require_integers(indices, "unravel_index", "indices")
    weak = indices.aval.weak_type and not isinstance(shape, Array)
    sizes: Sequence[Any] = list(shape) if isinstance(shape, (tuple, list)) or np.ndim(shape) else [shape]
    if any(isinstance(n, Tracer) for n in sizes):
        for n in sizes:
            require_integers(operand(n, "unravel_index", "shape"), "unravel_index", "shape")
        total = functools.reduce(ufuncs.multiply, sizes)
        indices, total = promote_dtypes("unravel_index", indices, total)
    else:
        sizes = canonical_shape(shape, "unravel_index")
        total = size_like(indices, math.prod(sizes))
    indices = cast(indices, total.aval.dtype, indices.aval.weak_type)
    if indices.aval.dtype.kind == "i":
        indices = where(ufuncs.less(indices, 0), ufuncs.add(indices, total), indices)
    indices = ufuncs.minimum(ufuncs.maximum(indices, 0), ufuncs.subtract(total, 1))
    out = []
    for size in reversed(sizes):
        n = asarray(size, total.aval.dtype)
        out.append(cast(division.remainder(indices, n), n.aval.dtype, weak))
        indices = division.floor_divide(indices, n)
    return tuple(reversed(out))


def ravel_multi_index(
    multi_index: Sequence[Any], dims: Sequence[int], mode: str = "raise", order: str = "C", *, dtype: Any = None
) -> Array:
    """Positions in the flattened array for positions along each dimension.

    Args:
      multi_index: one integer array per dimension; they broadcast.
      dims: shape of the array.
      mode: what happens to positions out of range: ``"raise"`` an error (which needs known values), ``"clip"`` moves
        them inside, ``"wrap"`` counts on from the other end.
      order: ``"C"`` for row-major, ``"F"`` for column-major flattening.
      dtype: integer dtype of the result; default that of the positions.

    Raises:
      ValueError: a position is out of range, the numbers of arrays and dimensions differ, or an option is not one of
        the above.
      TypeError: the positions are not integers.
      ConcretizationTypeError: ``mode`` is ``"raise"`` and the positions are traced.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.ravel_multi_index((jnp.array([0, 1]), jnp.array([1, 3])), (3, 4))
      Array([1, 7], dtype=int32)
    """
    api = "ravel_multi_index"
    sizes = canonical_shape(dims, api)
    positions = [operand(x, api, f"multi_index[{n}]") for n, x in enumerate(multi_index)]
    if len(positions) != len(sizes):
        raise ValueError(
            f"fungrad.numpy.{api}: expected one array for each of the {len(sizes)} dims, got {len(positions)}"
        )
    if mode not in ("raise", "clip", "wrap"):
        raise ValueError(f"fungrad.numpy.{api}: mode must be 'raise', 'clip' or 'wrap', got {mode!r}")
    if order not in ("C", "F"):
        raise ValueError(f"fungrad.numpy.{api}: order must be 'C' or 'F', got {order!r}")
    for n, x in enumerate(positions):
        require_integers(x, api, f"multi_index[{n}]")
    if dtype is not None:
        wanted = dtypes.canonicalize_dtype(dtype, f"fungrad.numpy.{api}: dtype")
        positions = [cast(x, wanted) for x in positions]
    else:
        positions = list(promote_dtypes(api, *positions))
        if positions and math.prod(sizes) > np.iinfo(positions[0].aval.dtype).max:
            # Positions in the flattened array need more bits than those along dimensions.
            wide = dtypes.position_dtype(math.prod(sizes))
            positions = [cast(x, wide) for x in positions]
    inside = [_inside(x, n, axis, mode) for axis, (x, n) in enumerate(zip(positions, sizes, strict=True))]
    if not inside:
        return asarray(0)
    pairs = list(zip(inside, sizes, strict=True))
    if order == "F":
        pairs.reverse()
    total = pairs[0][0]
    for x, n in pairs[1:]:
        total = ufuncs.add(ufuncs.multiply(total, asarray(n, x.aval.dtype)), x)
    return total


def _inside(x: Array, size: int, axis: int, mode: str) -> Array:
    if mode == "clip":
        return ufuncs.minimum(ufuncs.maximum(x, 0), asarray(size - 1, x.aval.dtype))
    if mode == "wrap":
        return division.remainder(x, asarray(size, x.aval.dtype))
    try:
        values = x._known("ravel_multi_index with mode='raise'")
    except FungradTypeError as error:
        raise type(error)(
            "fungrad.numpy.ravel_multi_index: mode='raise' needs the values of multi_index, which are traced; use "
            "mode='clip' or 'wrap'"
        ) from None
    bad = (values < 0) | (values >= size)
    if bad.any():
        raise ValueError(
            f"fungrad.numpy.ravel_multi_index: position {values[bad].reshape(-1)[0]} in multi_index[{axis}] is out of "
            f"range for size {size}"
        )
    return x


# -- triangles and diagonals -------------------------------------------------------------------------------------------


def mask_indices(
    n: int, mask_func: Callable[[Any, int], Array], k: int = 0, *, size: int | None = None
) -> tuple[Array, Array]:
    """Positions in an ``(n, n)`` array that ``mask_func`` keeps.

    Args:
      n: size of the array.
      mask_func: function such as ``triu``: ``mask_func(ones((n, n)), k)`` is not 0 at the positions.
      k: second argument of ``mask_func``.
      size: how many positions to return, filled up with 0; needed where ``mask_func`` returns traced values.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.mask_indices(3, jnp.triu, 1)
      (Array([0, 0, 1], dtype=int32), Array([1, 2, 2], dtype=int32))
    """
    rows, columns = nonzero(mask_func(ones((n, n)), k), size=size)
    return rows, columns


def diag_indices(n: int, ndim: int = 2) -> tuple[Array, ...]:
    """Positions of the main diagonal of an array with ``ndim`` dimensions of size ``n``.

    Raises:
      ValueError: ``n`` or ``ndim`` is negative.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.diag_indices(2)
      (Array([0, 1], dtype=int32), Array([0, 1], dtype=int32))
    """
    n, ndim = operator.index(n), operator.index(ndim)
    if n < 0 or ndim < 0:
        raise ValueError(f"fungrad.numpy.diag_indices: n and ndim must not be negative, got {n} and {ndim}")
    return (arange(n),) * ndim


def diag_indices_from(arr: Any) -> tuple[Array, ...]:
    """Positions of the main diagonal of ``arr``, whose dimensions must have equal sizes.

    Raises:
      ValueError: ``arr`` has fewer than two dimensions, or their sizes differ.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.diag_indices_from(jnp.zeros((2, 2)))
      (Array([0, 1], dtype=int32), Array([0, 1], dtype=int32))
    """
    shape = operand(arr, "diag_indices_from", "arr").aval.shape
    _require_cube("diag_indices_from", "arr", shape)
    return diag_indices(shape[0], len(shape))


def _require_cube(api: str, name: str, shape: Shape) -> None:
    if len(shape) < 2 or len(set(shape)) > 1:
        raise ValueError(
            f"fungrad.numpy.{api}: {name} must have at least two dimensions, all of the same size, got shape {shape}"
        )


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
    """Positions of the lower triangle of an ``(n, m)`` array.

    Args:
      n: number of rows.
      k: the highest diagonal that belongs to it; 0 is the main one, positive ones are above.
      m: number of columns; default ``n``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.tril_indices(2)
      (Array([0, 1, 1], dtype=int32), Array([0, 0, 1], dtype=int32))
    """
    if is_symbolic(n) or is_symbolic(m):
        m = n if m is None else m
        return nonzero(tri(n, m, operator.index(k)), size=_in_lower(n, m, operator.index(k)))  # type: ignore[return-value]
    rows, columns = np.tril_indices(operator.index(n), operator.index(k), None if m is None else operator.index(m))
    return asarray(rows), asarray(columns)


def _in_lower(n: Any, m: Any, k: int) -> Any:
    """How many elements of an ``(n, m)`` array are in its lower triangle, sizes being symbolic or not."""

    def up_to(t: Any) -> Any:
        t = max_size(t, 0)
        return t * (t + 1) // 2

    # It is never negative, which the sizes may not tell.
    return max_size(up_to(n + k) - up_to(k) - up_to(n + k - m) + up_to(k - m), 0)


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
    """Positions of the upper triangle of an ``(n, m)`` array.

    Args:
      n: number of rows.
      k: the lowest diagonal that belongs to it; 0 is the main one, positive ones are above.
      m: number of columns; default ``n``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.triu_indices(2)
      (Array([0, 0, 1], dtype=int32), Array([0, 1, 1], dtype=int32))
    """
    if is_symbolic(n) or is_symbolic(m):
        m, k = n if m is None else m, operator.index(k)
        above = ufuncs.logical_not(tri(n, m, k - 1, bool))
        return nonzero(above, size=_in_lower(m, n, -k))  # type: ignore[return-value]
    rows, columns = np.triu_indices(operator.index(n), operator.index(k), None if m is None else operator.index(m))
    return asarray(rows), asarray(columns)


def tril_indices_from(arr: Any, k: int = 0) -> tuple[Array, Array]:
    """Positions of the lower triangle of the 2-d array ``arr``, see ``tril_indices``.

    Raises:
      ValueError: ``arr`` is not 2-dimensional.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.tril_indices_from(jnp.zeros((2, 2)))
      (Array([0, 1, 1], dtype=int32), Array([0, 0, 1], dtype=int32))
    """
    rows, columns = _matrix_shape("tril_indices_from", arr)
    return tril_indices(rows, k, columns)


def triu_indices_from(arr: Any, k: int = 0) -> tuple[Array, Array]:
    """Positions of the upper triangle of the 2-d array ``arr``, see ``triu_indices``.

    Raises:
      ValueError: ``arr`` is not 2-dimensional.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.triu_indices_from(jnp.zeros((2, 2)))
      (Array([0, 0, 1], dtype=int32), Array([0, 1, 1], dtype=int32))
    """
    rows, columns = _matrix_shape("triu_indices_from", arr)
    return triu_indices(rows, k, columns)


def _matrix_shape(api: str, arr: Any) -> Shape:
    shape = tuple(arr.shape) if hasattr(arr, "shape") else operand(arr, api, "arr").aval.shape
    if len(shape) != 2:
        raise ValueError(f"fungrad.numpy.{api}: arr must be 2-dimensional, got shape {shape}")
    return shape


# -- writing -----------------------------------------------------------------------------------------------------------


def put(a: Any, ind: Any, v: Any, mode: str | None = None, *, inplace: bool = True) -> Array:
    """A copy of ``a`` with the elements at positions in the flattened array replaced.

    Arrays are immutable, so that ``inplace=False`` must be given.

    Args:
      a: array.
      ind: integer positions.
      v: values, repeated if there are fewer than positions.
      mode: what happens to positions out of range: ``"clip"`` (default) moves them inside, so that negative ones do
        not count from the end; ``"wrap"`` counts on from the other end.
      inplace: must be False.

    Raises:
      ValueError: ``inplace`` is true, or ``mode`` is none of the above.
      NotImplementedError: ``mode`` is ``"raise"``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.put(jnp.zeros(4), jnp.array([0, 2]), 7.0, inplace=False)
      Array([7., 0., 7., 0.], dtype=float32)
    """
    require_copy("put", inplace)
    if mode == "raise":
        raise NotImplementedError(
            "fungrad.numpy.put: mode 'raise' is not supported, since the values of ind may be unknown; use 'clip' or "
            "'wrap'"
        )
    if mode not in (None, "clip", "wrap"):
        raise ValueError(f"fungrad.numpy.put: mode must be 'clip' or 'wrap', got {mode!r}")
    a, ind = operand(a, "put", "a"), operand(ind, "put", "ind")
    require_integers(ind, "put", "ind")
    v = raw_values(v)
    if not a.aval.size or not ind.aval.size or not np.size(v):
        return a
    ind = reshape(ind, (ind.aval.size,))
    if mode == "wrap":
        ind = division.remainder(ind, size_like(ind, a.aval.size))
    flat = reshape(a, (a.aval.size,))
    out = index_update(
        flat, ind, _repeated(v, ind.aval.size), scatter, mode="clip", wrap_negative_indices=False,
        api="fungrad.numpy.put",
    )  # fmt: skip
    return reshape(out, a.aval.shape)


def _repeated(v: Any, count: int) -> Any:
    """The first ``count`` elements of the endless repetition of ``v``; a single one stays as it is."""
    if not np.ndim(v):
        return v
    v = operand(v, "repeat", "values")
    if v.aval.size == 1:
        return reshape(v, ())
    return take(reshape(v, (v.aval.size,)), np.arange(count) % v.aval.size, mode="clip")


def place(arr: Any, mask: Any, vals: Any, *, inplace: bool = True) -> Array:
    """A copy of ``arr`` with the elements where ``mask`` is true replaced by values, one after the other.

    Arrays are immutable, so that ``inplace=False`` must be given.

    Args:
      arr: array.
      mask: boolean array with as many elements.
      vals: values, repeated if there are fewer than positions.
      inplace: must be False.

    Raises:
      ValueError: ``inplace`` is true, sizes differ, or there are no values.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.place(jnp.zeros(4), jnp.array([True, False, True, True]), jnp.array([1., 2.]), inplace=False)
      Array([1., 0., 2., 1.], dtype=float32)
    """
    require_copy("place", inplace)
    arr, mask = operand(arr, "place", "arr"), operand(mask, "place", "mask")
    vals = converted(raw_values(vals), arr.aval.dtype, "place", "vals")
    if arr.aval.size != mask.aval.size:
        raise ValueError(
            f"fungrad.numpy.place: arr and mask must have the same number of elements, got {arr.aval.str_short()} and "
            f"{mask.aval.str_short()}"
        )
    if not vals.aval.size:
        raise ValueError("fungrad.numpy.place: vals must not be empty")
    if not arr.aval.size:
        return arr
    wanted = reshape(ufuncs.not_equal(mask, 0), (mask.aval.size,))
    count = ufuncs.subtract(cumsum(cast(wanted, dtypes.int32 if mask.aval.size < 2**31 else dtypes.int64), 0), 1)
    values = take(reshape(vals, (vals.aval.size,)), count, mode="wrap")
    flat = reshape(arr, (arr.aval.size,))
    return reshape(where(wanted, values, flat), arr.aval.shape)


def fill_diagonal(a: Any, val: Any, wrap: bool = False, *, inplace: bool = True) -> Array:
    """A copy of ``a`` with its main diagonal replaced.

    Arrays are immutable, so that ``inplace=False`` must be given.

    Args:
      a: array of at least two dimensions; with more than two, all sizes must be equal.
      val: values, repeated if there are fewer than diagonal elements.
      wrap: whether the diagonal of a tall matrix starts again after every square.
      inplace: must be False.

    Raises:
      ValueError: ``inplace`` is true, or ``a`` has the wrong shape.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.fill_diagonal(jnp.zeros((2, 3)), 5.0, inplace=False)
      Array([[5., 0., 0.],
             [0., 5., 0.]], dtype=float32)
    """
    require_copy("fill_diagonal", inplace)
    a = operand(a, "fill_diagonal", "a")
    val = raw_values(val)
    shape = a.aval.shape
    if len(shape) != 2:
        _require_cube("fill_diagonal", "a", shape)
    # In the flattened array, the diagonal has one constant step.
    step = 1 + sum(math.prod(shape[d:]) for d in range(1, len(shape)))
    end = a.aval.size if wrap or len(shape) > 2 else min(a.aval.size, shape[1] * shape[1])
    places = range(0, end, step)
    if not places or not np.size(val):
        return a
    flat = reshape(a, (a.aval.size,))
    values = _repeated(val, len(places))
    return reshape(index_update(flat, slice(0, end, step), values, scatter, api="fungrad.numpy.fill_diagonal"), shape)
