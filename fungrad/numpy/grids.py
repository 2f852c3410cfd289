"""Evenly spaced numbers, grids of coordinates, and matrices of zeros and ones.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core import dlpack, dtypes
from fungrad.core.arguments import index, shown
from fungrad.core.array import Array, as_array, wrap
from fungrad.core.avals import ShapedArray
from fungrad.core.dimensions import as_size, is_symbolic
from fungrad.numpy import creation, ufuncs
from fungrad.numpy._promotion import (
    broadcast_shapes,
    cast,
    converted,
    inexact_result_type,
    operand,
    promote_dtypes_inexact,
    raw_operand,
    requested_dtype,
)
from fungrad.numpy.creation import asarray
from fungrad.numpy.manipulation import moveaxis
from fungrad.numpy.selection import where
from fungrad.ops import compare, elementwise as lax, foundation, joining, shape as shape_ops
from fungrad.ops._operands import scalar_like
from fungrad.ops.cast import convert_element_type, copy as copy_op
from fungrad.ops.cumulative import cumprod
from fungrad.ops.resharding import on_device

# -- spaced numbers ----------------------------------------------------------------------------------------------------


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
    axis: int = 0, *,
    device: Any = None,
) -> Any:  # fmt: skip
    """Evenly spaced numbers.

    Args:
      start: first number, or array of them.
      stop: last number, or array of them.
      num: how many.
      endpoint: whether ``stop`` is the last number, or the one after it.
      retstep: return also the distance between neighbours.
      dtype: dtype of the result.
      axis: axis of the result along which the numbers run.
      device: None, a device or a sharding: where the result is to be.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.linspace(0, 1, 5)
      Array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    num = as_size(num)
    if num < 0:
        raise ValueError(f"fungrad.numpy.linspace: num must not be negative, got {num}")
    found = requested_dtype(dtype, "linspace")
    first, last, computed = _ends("linspace", start, stop)
    parts = num - 1 if endpoint else num
    apart = lax.sub(last, first)
    step = lax.div(apart, _count_like(parts, apart)) if parts > 0 else creation.full_like(apart, float("nan"))
    out = _spaced(first, last, num, parts, endpoint)
    if found is not None and dtypes.is_integer(found):
        out = ufuncs.floor(out)
    out = cast(moveaxis(out, 0, axis), found if found is not None else computed)
    out = on_device(out, device, "fungrad.numpy.linspace")
    return (out, cast(step, computed)) if retstep else out


def _ends(api: str, start: Any, stop: Any) -> tuple[Array, Array, np.dtype]:
    """First and last number, with a common shape, in the dtype of the computation; and the dtype they would have.

    The computation is in 64 bit, as NumPy's: whole numbers come out whole, and every result is the nearest number.
    """
    ends = raw_operand(start, api, "start"), raw_operand(stop, api, "stop")
    natural = inexact_result_type(*ends)
    work = dtypes.complex128 if dtypes.is_complex(natural) else dtypes.float64
    first, last = (converted(x, work, api, name) for x, name in zip(ends, ("start", "stop"), strict=True))
    shape = broadcast_shapes(first.aval.shape, last.aval.shape)
    return foundation.broadcast(first, shape), foundation.broadcast(last, shape), natural


def _count_like(n: Any, x: Array) -> Any:
    """A number of parts in the dtype of ``x``."""
    return convert_element_type(as_array(n), x.aval.dtype) if is_symbolic(n) else scalar_like(float(n), x)


def _spaced(first: Array, last: Array, num: int, parts: int, endpoint: bool) -> Array:
    """``num`` numbers along a new first axis."""
    row = shape_ops.expand_dims(first, (0,))
    if num == 0:
        return shape_ops.slice_in_dim(row, 0, 0)
    if num == 1:
        return row
    n = num - 1 if endpoint else num
    dtype = first.aval.dtype
    places = cast(shape_ops.iota(dtypes.to_real_dtype(dtype), n), dtype)
    places = shape_ops.expand_dims(places, range(1, first.aval.ndim + 1))
    inner = _from_start(row, shape_ops.expand_dims(last, (0,)), places, parts)
    return joining.concatenate([inner, shape_ops.expand_dims(last, (0,))], 0) if endpoint else inner


def _from_start(row: Array, end: Array, places: Array, parts: int) -> Array:
    """``start + i * step``; a mean of the ends where their distance is beyond the greatest number."""
    count = _count_like(parts, row)
    apart = lax.sub(end, row)
    step = lax.div(apart, count)
    # A step that is 0 although the ends differ has lost its digits: the ratio goes first.
    lost = compare.eq(step, scalar_like(0, step))
    steps = compare.select_n(
        foundation.broadcast(lost, broadcast_shapes(lost.aval.shape, places.aval.shape)),
        lax.mul(places, step),
        lax.mul(lax.div(places, count), apart),
    )
    near = lax.add(row, steps)
    ratio = lax.div(places, count)
    mean = lax.add(lax.mul(row, lax.sub(scalar_like(1, ratio), ratio)), lax.mul(end, ratio))
    finite = ufuncs.isfinite(apart)
    return compare.select_n(foundation.broadcast(finite, near.aval.shape), mean, near)


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Array:
    """Powers of ``base`` whose exponents are evenly spaced; see ``linspace``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.logspace(0, 2, 3)
      Array([  1.,  10., 100.], dtype=float32)
    """
    found = requested_dtype(dtype, "logspace")
    given = [raw_operand(x, "logspace", n) for x, n in ((start, "start"), (stop, "stop"), (base, "base"))]
    # A base that is a Python number follows the exponents.
    natural = inexact_result_type(*(given[:2] if type(base) in (int, float) else given))
    first, last, _ = _ends("logspace", start, stop)
    exponents = linspace(first, last, num, endpoint, axis=axis)
    out = ufuncs.power(promote_dtypes_inexact("logspace", given[2], exponents)[0], exponents)
    return cast(out, natural if found is None else found)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Array:
    """Numbers in a constant ratio between ``start`` and ``stop``; see ``linspace``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.geomspace(1, 4, 3)
      Array([1., 2., 4.], dtype=float32)
    """
    found = requested_dtype(dtype, "geomspace")
    start_row, stop_row, computed = _ends("geomspace", start, stop)
    work = start_row.aval.dtype
    sign = ufuncs.sign(start_row)
    if not dtypes.is_complex(work):
        first, last = lax.div(start_row, sign), lax.div(stop_row, sign)
    else:
        last = lax.div(stop_row, sign)
        first = cast(ufuncs.absolute(start_row), work)
    logs = linspace(ufuncs.log(first), ufuncs.log(last), num, endpoint, axis=0)
    out = lax.mul(ufuncs.exp(logs), shape_ops.expand_dims(sign, (0,)))
    if num > 0:
        # Exactly the ends that were given.
        row = shape_ops.expand_dims(start_row, (0,))
        out = joining.concatenate([row, shape_ops.slice_in_dim(out, 1, None)], 0)
    if endpoint and num > 1:
        row = shape_ops.expand_dims(stop_row, (0,))
        out = joining.concatenate([shape_ops.slice_in_dim(out, 0, num - 1), row], 0)
    return cast(moveaxis(out, 0, axis), computed if found is None else found)


# -- matrices ----------------------------------------------------------------------------------------------------------


def _default_float(dtype: Any, api: str) -> np.dtype:
    found = requested_dtype(dtype, api)
    return dtypes.default_float() if found is None else found


def _compare_places(rows: int, columns: int, k: Any, compare: Callable[[Any, Any], Array]) -> Array:
    if not isinstance(k, Array) or k.aval.shape or not dtypes.is_integer(k.aval.dtype):
        # Beyond all elements, one offset is as good as another.
        k = max(-rows - 1, min(index("fungrad.numpy", "k", k), columns + 1))
    row = shape_ops.broadcasted_iota(np.int32, (rows, columns), 0)
    column = shape_ops.broadcasted_iota(np.int32, (rows, columns), 1)
    return compare(ufuncs.add(row, k), column)


def eye(N: int, M: int | None = None, k: Any = 0, dtype: Any = None, *, device: Any = None) -> Array:
    """A matrix with ones on a diagonal.

    Args:
      N: number of rows.
      M: number of columns, by default ``N``.
      k: how far right of the main diagonal.
      dtype: dtype of the result.
      device: None, a device or a sharding: where the result is to be.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.eye(2)
      Array([[1., 0.],
             [0., 1.]], dtype=float32)
    """
    found = _default_float(dtype, "eye")
    rows, columns = _matrix_shape("eye", N, M)
    return on_device(cast(_compare_places(rows, columns, k, ufuncs.equal), found), device, "fungrad.numpy.eye")


def _matrix_shape(api: str, n: Any, m: Any) -> tuple[int, int]:
    rows = as_size(n)
    columns = rows if m is None else as_size(m)
    if rows < 0 or columns < 0:
        raise ValueError(f"fungrad.numpy.{api}: sizes must not be negative, got {rows} and {columns}")
    return rows, columns


def identity(n: int, dtype: Any = None) -> Array:
    """The identity matrix.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.identity(2)
      Array([[1., 0.],
             [0., 1.]], dtype=float32)
    """
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Array:
    """A matrix with ones on and below a diagonal, float32 unless ``dtype`` is given.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.tri(3, 2)
      Array([[1., 0.],
             [1., 1.],
             [1., 1.]], dtype=float32)
    """
    rows, columns = _matrix_shape("tri", N, M)
    found = requested_dtype(dtype, "tri")
    mask = _compare_places(rows, columns, k, ufuncs.greater_equal)
    return cast(mask, dtypes.float32 if found is None else found)


def _triangle(api: str, m: Any, k: int, compare: Callable[[Any, Any], Array]) -> Array:
    m = operand(m, api, "m")
    if m.aval.ndim < 2:
        raise ValueError(f"fungrad.numpy.{api}: m must have at least 2 dimensions, got {m.aval.str_short()}")
    rows, columns = m.aval.shape[-2:]
    mask = _compare_places(rows, columns, k, compare)
    return where(foundation.broadcast(mask, m.aval.shape), m, creation.zeros_like(m))


def tril(m: Any, k: int = 0) -> Array:
    """Matrices with zeros above a diagonal.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.tril(jnp.ones((2, 2)))
      Array([[1., 0.],
             [1., 1.]], dtype=float32)
    """
    return _triangle("tril", m, k, ufuncs.greater_equal)


def triu(m: Any, k: int = 0) -> Array:
    """Matrices with zeros below a diagonal.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.triu(jnp.array([[1, 2], [3, 4]]))
      Array([[1, 2],
             [0, 4]], dtype=int32)
    """
    return _triangle("triu", m, k, ufuncs.less_equal)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    """The Vandermonde matrix: the powers of a vector as columns.

    Args:
      x: vector.
      N: number of columns, by default the length of ``x``.
      increasing: whether the powers grow to the right.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.vander(jnp.array([2, 3]), 3)
      Array([[4, 2, 1],
             [9, 3, 1]], dtype=int32)
    """
    x = operand(x, "vander", "x")
    if x.aval.ndim != 1:
        raise ValueError(f"fungrad.numpy.vander: x must have one dimension, got {x.aval.str_short()}")
    count = x.aval.shape[0] if N is None else as_size(N)
    if count < 0:
        raise ValueError(f"fungrad.numpy.vander: N must not be negative, got {count}")
    if dtypes.is_bool(x.aval.dtype):
        x = cast(x, dtypes.default_int())
    n = x.aval.shape[0]
    column = shape_ops.expand_dims(x, (1,))
    if count == 0:
        return creation.zeros_like(x, shape=(n, 0))
    repeated = foundation.broadcast(column, (n, count - 1))
    out = joining.concatenate([creation.ones_like(column), cumprod(repeated, 1)], 1)
    return out if increasing else shape_ops.rev(out, (1,))


# -- coordinates -------------------------------------------------------------------------------------------------------


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    """Coordinate arrays of a grid from one vector per axis.

    Args:
      *xi: vectors (scalars count as vectors of one element).
      copy: ignored.
      sparse: leave the axes along which an array is constant at size 1.
      indexing: ``xy`` exchanges the first two axes, as in plots; ``ij`` does not.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.meshgrid(jnp.arange(2), jnp.arange(3), indexing="ij")[1]
      Array([[0, 1, 2],
             [0, 1, 2]], dtype=int32)
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"fungrad.numpy.meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    vectors = [operand(x, "meshgrid", f"argument {i}") for i, x in enumerate(xi)]
    for i, v in enumerate(vectors):
        if v.aval.ndim > 1:
            raise ValueError(f"fungrad.numpy.meshgrid: argument {i} must be a vector, got {v.aval.str_short()}")
    order = list(range(len(vectors)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = [1, 0]
    sizes = [v.aval.shape[0] if v.aval.ndim else 1 for v in vectors]
    shape = [0] * len(sizes)
    for axis, n in zip(order, sizes, strict=True):
        shape[axis] = n
    out = []
    for axis, v in zip(order, vectors, strict=True):
        full = [1] * len(shape) if sparse else list(shape)
        full[axis] = shape[axis]
        v = foundation.reshape(v, (shape[axis],))
        out.append(foundation.broadcast_in_dim(v, full, (axis,)))
    return tuple(out)


def indices(dimensions: Sequence[int], dtype: Any = None, sparse: bool = False) -> Any:
    """The index of every element of a grid: one array per axis, stacked unless ``sparse``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.indices((2, 2))[0]
      Array([[0, 0],
             [1, 1]], dtype=int32)
    """
    found = requested_dtype(dtype, "indices")
    found = dtypes.default_int() if found is None else found
    shape = creation.canonical_shape(dimensions, "indices")
    if not shape:
        return () if sparse else creation.zeros((0,), found)
    out = []
    for axis, n in enumerate(shape):
        full = tuple(n if d == axis else 1 for d in range(len(shape))) if sparse else shape
        out.append(shape_ops.broadcasted_iota(found, full, axis))
    return tuple(out) if sparse else joining.stack(out, 0)


def fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    """The result of a function of the index arrays of a grid.

    Args:
      function: called once, with one array of indices per axis.
      shape: shape of the grid.
      dtype: dtype of the indices.
      **kwargs: passed to ``function``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.fromfunction(lambda i, j: i + j, (2, 2), dtype=int)
      Array([[0, 1],
             [1, 2]], dtype=int32)
    """
    sizes = creation.canonical_shape(shape, "fromfunction")
    found = dtypes.canonicalize_dtype(dtype, "fungrad.numpy.fromfunction")
    return function(*[shape_ops.broadcasted_iota(found, sizes, d) for d in range(len(sizes))], **kwargs)


# -- from other containers ---------------------------------------------------------------------------------------------


def _read(data: np.ndarray, dtype: Any, api: str) -> Array:
    """An array of freshly read NumPy data; an explicit dtype is kept at its width."""
    return asarray(data, dtype=data.dtype if dtype is not None else None)


def _numpy_request(dtype: Any, api: str) -> np.dtype:
    return dtypes.canonicalize_dtype(dtype, f"fungrad.numpy.{api}")


def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0) -> Array:
    r"""An array of the bytes of a buffer.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.frombuffer(b'\x01\x02', dtype='uint8')
      Array([1, 2], dtype=uint8)
    """
    return _read(np.frombuffer(buffer, _numpy_request(dtype, "frombuffer"), count, offset), dtype, "frombuffer")


def fromiter(iter: Any, dtype: Any, count: int = -1) -> Array:
    """An array of the numbers that an iterable yields.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.fromiter((n * n for n in range(4)), dtype='int32')
      Array([0, 1, 4, 9], dtype=int32)
    """
    return _read(np.fromiter(iter, _numpy_request(dtype, "fromiter"), count), dtype, "fromiter")


def fromstring(string: str, dtype: Any = float, count: int = -1, *, sep: str) -> Array:
    """An array of the numbers in a text, separated by ``sep``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.fromstring('1 2 3', dtype='int32', sep=' ')
      Array([1, 2, 3], dtype=int32)
    """
    return _read(np.fromstring(string, _numpy_request(dtype, "fromstring"), count, sep=sep), dtype, "fromstring")


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """An array of the data of another library's array, copied.

    Args:
      x: an array of a library that has DLPack, in memory of the CPU.
      device: None, a device or a sharding: where the result is to be.
      copy: False is refused, since the other library could write to the array; arrays of fungrad stay as they are.

    Raises:
      TypeError: ``x`` has no DLPack.
      BufferError: it is not in memory of the CPU, or of a dtype that DLPack or fungrad does not have.
      ValueError: ``copy=False``.

    Example:
      >>> import numpy as np, fungrad.numpy as jnp
      >>> jnp.from_dlpack(np.arange(3, dtype="int16"))
      Array([0, 1, 2], dtype=int16)
    """
    if isinstance(x, Array):
        return on_device(copy_op(x) if copy else x, device, "fungrad.numpy.from_dlpack")
    if not hasattr(x, "__dlpack__"):
        raise TypeError(
            f"fungrad.numpy.from_dlpack: x must be an array with __dlpack__, got {shown(x)}; "
            "fungrad.numpy.asarray converts numbers, lists and ndarrays"
        )
    if copy is False:
        raise ValueError(
            f"fungrad.numpy.from_dlpack: copy=False is not possible for a {type(x).__name__}; arrays are never views "
            "of mutable data"
        )
    data = dlpack.receive(x)
    dtype = dtypes.canonicalize_dtype(data.dtype, "fungrad.numpy.from_dlpack")
    out = wrap(np.array(data, dtype, order="C"), ShapedArray(data.shape, dtype))
    return on_device(out, device, "fungrad.numpy.from_dlpack")


__all__ = [
    "eye",
    "from_dlpack",
    "frombuffer",
    "fromfunction",
    "fromiter",
    "fromstring",
    "geomspace",
    "identity",
    "indices",
    "linspace",
    "logspace",
    "meshgrid",
    "tri",
    "tril",
    "triu",
    "vander",
]
