"""Counting and co-variation: bincount, histograms, covariance and correlation coefficients.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.dimensions import as_size, is_symbolic
from fungrad.numpy import creation, reductions, ufuncs
from fungrad.numpy._promotion import (
    cast,
    converted,
    inexact,
    inexact_result_type,
    operand,
    promote_dtypes_inexact,
    raw_operand,
)
from fungrad.numpy.grids import linspace
from fungrad.numpy.joining import concatenate
from fungrad.numpy.linear import diag, dot
from fungrad.numpy.manipulation import expand_dims, ravel, reshape
from fungrad.numpy.selection import clip, where
from fungrad.numpy.sorting import searchsorted
from fungrad.ops import shape as shape_ops
from fungrad.ops.complex_parts import complex as make_complex
from fungrad.ops.indexing import ScatterDimensionNumbers, scatter_add
from fungrad.ops.resharding import at_sharding
from fungrad.ops.shape import slice_in_dim


def add_at(length: int, positions: Array, values: Array) -> Array:
    """Zeros of a length with ``values`` added at ``positions``; what is outside is dropped."""
    numbers = ScatterDimensionNumbers(
        update_window_dims=(), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,),
        operand_batching_dims=(), scatter_indices_batching_dims=(),
    )  # fmt: skip
    zeros = creation.zeros(length, values.aval.dtype)
    if not length:
        return zeros
    return scatter_add(zeros, expand_dims(positions, 1), values, numbers, mode="drop")


def bincount(
    x: Any, weights: Any = None, minlength: int = 0, *, length: int | None = None, out_sharding: Any = None
) -> Array:
    """How often each non-negative integer occurs.

    Args:
      x: vector of integers; negative ones count as 0.
      weights: what each occurrence counts, by default 1.
      minlength: least length of the result, if ``length`` is not given.
      length: length of the result, needed for traced arrays; larger numbers are dropped.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.bincount(jnp.array([1, 1, 3]))
      Array([0, 2, 0, 1], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(bincount, out_sharding, "fungrad.numpy.bincount", x, weights, minlength, length=length)
    x = operand(x, "bincount", "x")
    if dtypes.is_bool(x.aval.dtype):
        x = cast(x, dtypes.uint8)
    if not dtypes.is_integer(x.aval.dtype):
        raise TypeError(f"fungrad.numpy.bincount: x must be an integer array, got {x.aval.str_short()}")
    if x.aval.ndim != 1:
        raise ValueError(f"fungrad.numpy.bincount: x must have one dimension, got {x.aval.str_short()}")
    least = operator.index(minlength)
    if least < 0:
        raise ValueError(f"fungrad.numpy.bincount: minlength must not be negative, got {least}")
    if length is None:
        values = x._known("bincount()")
        length = max(least, int(values.max()) + 1 if values.size else 0)
    else:
        length = as_size(length)
        if length < 0:
            raise ValueError(f"fungrad.numpy.bincount: length must not be negative, got {length}")
    if weights is None:
        values_: Array = creation.ones(x.aval.shape, dtypes.default_int())
    else:
        values_ = operand(weights, "bincount", "weights")
        if values_.aval.shape != x.aval.shape:
            raise ValueError(
                f"fungrad.numpy.bincount: weights must have the shape {x.aval.shape} of x, got {values_.aval.shape}"
            )
        if dtypes.is_bool(values_.aval.dtype):
            values_ = cast(values_, dtypes.default_int())
    return add_at(length, clip(x, 0) if dtypes.is_signed(x.aval.dtype) else x, values_)


# -- histograms --------------------------------------------------------------------------------------------------------


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Array:
    """The edges of the bins of a histogram.

    Args:
      a: array.
      bins: number of bins of equal width, or their edges.
      range: lower and upper end, by default the extremes of ``a``.
      weights: ignored.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.histogram_bin_edges(jnp.array([0.0, 4.0]), bins=2)
      Array([0., 2., 4.], dtype=float32)
    """
    if isinstance(bins, str):
        raise NotImplementedError(
            f"fungrad.numpy.histogram_bin_edges: bins={bins!r} is not supported; give their number or edges"
        )
    a = operand(a, "histogram_bin_edges", "a")
    dtype = promote_dtypes_inexact("histogram_bin_edges", a)[0].aval.dtype
    if np.ndim(bins) == 1:
        return creation.asarray(bins, dtype)
    count = operator.index(bins)
    if count < 1:
        raise ValueError(f"fungrad.numpy.histogram_bin_edges: the number of bins must be positive, got {count}")
    if range is not None:
        low, high = (converted(x, dtype, "histogram_bin_edges", "range") for x in range)
    elif a.aval.size == 0:
        low, high = creation.zeros((), dtype), creation.ones((), dtype)
    else:
        low, high = cast(reductions.min(a), dtype), cast(reductions.max(a), dtype)
    # An interval of no width gets width 1.
    flat = ufuncs.equal(low, high)
    low, high = where(flat, ufuncs.subtract(low, 0.5), low), where(flat, ufuncs.add(high, 0.5), high)
    return linspace(low, high, count + 1, dtype=dtype)


def histogram(
    a: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool | None = None
) -> tuple[Array, Array]:
    """How many elements lie in each bin; the last one contains its right edge.

    Args:
      a: array; it is flattened.
      bins: number of bins of equal width, or their edges.
      range: lower and upper end, by default the extremes of ``a``.
      weights: what each element counts, by default 1.
      density: divide by the total and the widths of bins.

    Returns:
      The counts, and the edges.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.histogram(jnp.array([1, 2, 1]), bins=jnp.array([0, 1, 2]))
      (Array([0., 3.], dtype=float32), Array([0., 1., 2.], dtype=float32))
    """
    x = ravel(operand(a, "histogram", "a"))
    if weights is None:
        x = inexact(x, "histogram")
        w = creation.ones(x.aval.shape, x.aval.dtype)
    else:
        w = operand(weights, "histogram", "weights")
        if w.aval.size != x.aval.size:
            raise ValueError(
                f"fungrad.numpy.histogram: weights must have as many elements as a, got {w.aval.str_short()}"
            )
        x, w = promote_dtypes_inexact("histogram", x, ravel(w))
    edges = histogram_bin_edges(x, bins, range)
    count = edges.aval.shape[0] - 1
    place = ufuncs.subtract(searchsorted(edges, x, "right"), 1)
    last = shape_ops.index_in_dim(edges, count, 0, False)
    place = where(ufuncs.equal(x, last), count - 1, place)
    # -1, below the first edge, and `count`, above the last, must be dropped and not counted from the end.
    place = where(ufuncs.less(place, 0), count, place)
    counts = add_at(count, place, cast(w, w.aval.dtype))
    if density:
        widths = ufuncs.subtract(slice_in_dim(edges, 1, None), slice_in_dim(edges, 0, count))
        counts = ufuncs.true_divide(ufuncs.true_divide(counts, widths), reductions.sum(counts))
    return counts, edges


def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool | None = None
) -> tuple[Array, list[Array]]:
    """Histogram of points in several dimensions.

    Args:
      sample: array of shape (points, dimensions), or sequence of vectors, one per dimension.
      bins: number of bins, or one number or array of edges per dimension.
      range: lower and upper end per dimension.
      weights: what each point counts.
      density: divide by the total and the volumes of bins.

    Returns:
      The counts, and the edges of each dimension.

    Example:
      >>> import fungrad.numpy as jnp
      >>> counts, edges = jnp.histogramdd(jnp.array([[0.0, 0.0], [1.0, 1.0]]), bins=2)
      >>> counts
      Array([[1, 0],
             [0, 1]], dtype=int32)
    """
    if isinstance(sample, (tuple, list)):
        columns = [ravel(operand(s, "histogramdd", f"sample[{i}]")) for i, s in enumerate(sample)]
    else:
        points = operand(sample, "histogramdd", "sample")
        if points.aval.ndim != 2:
            raise ValueError(
                f"fungrad.numpy.histogramdd: sample must have shape (points, dimensions), got {points.aval.shape}"
            )
        columns = [reshape(slice_in_dim(points, d, d + 1, axis=1), (-1,)) for d in _range(points.aval.shape[1])]
    columns = promote_dtypes_inexact("histogramdd", *columns)
    rank = len(columns)
    per_axis = [bins] * rank if isinstance(bins, (int, np.integer)) else list(bins)
    if len(per_axis) != rank:
        raise ValueError(f"fungrad.numpy.histogramdd: bins must have one entry for each of the {rank} dimensions")
    if range is not None and len(range) != rank:
        raise ValueError(f"fungrad.numpy.histogramdd: range must have one pair for each of the {rank} dimensions")
    edges, flat = [], None
    for d, column in enumerate(columns):
        own = histogram_bin_edges(column, per_axis[d], None if range is None else range[d])
        edges.append(own)
        # Bin 0 lies below the first edge and bin n + 1 above the last; both are cut off below.
        place = searchsorted(own, column, "right")
        top = shape_ops.index_in_dim(own, own.aval.shape[0] - 1, 0, False)
        place = where(ufuncs.equal(column, top), ufuncs.subtract(place, 1), place)
        flat = place if flat is None else ufuncs.add(ufuncs.multiply(flat, own.aval.shape[0] + 1), place)
    shape = [e.aval.shape[0] + 1 for e in edges]
    assert flat is not None
    w = (
        creation.ones(flat.aval.shape, dtypes.default_int())
        if weights is None
        else operand(weights, "histogramdd", "weights")
    )
    counts = reshape(add_at(math.prod(shape), flat, w), tuple(shape))
    counts = shape_ops.slice(counts, (1,) * rank, [n - 1 for n in shape])
    if density:
        counts = promote_dtypes_inexact("histogramdd", counts, columns[0])[0]
        counts = ufuncs.true_divide(counts, reductions.sum(counts))
        for d, own in enumerate(edges):
            widths = ufuncs.subtract(slice_in_dim(own, 1, None), slice_in_dim(own, 0, own.aval.shape[0] - 1))
            counts = ufuncs.true_divide(counts, reshape(widths, (-1,) + (1,) * (rank - d - 1)))
    return counts, edges


_range = range


def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool | None = None
) -> tuple[Array, Array, Array]:
    """Histogram of points in the plane; see ``histogramdd``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> counts, _, _ = jnp.histogram2d(jnp.array([0.0, 1.0, 1.0]), jnp.array([0.0, 1.0, 1.0]), bins=2)
      >>> counts
      Array([[1, 0],
             [0, 2]], dtype=int32)
    """
    per_axis = bins
    if not isinstance(bins, (int, np.integer)) and len(bins) == 1:
        per_axis = [bins[0], bins[0]]
    elif not isinstance(bins, (int, np.integer)) and len(bins) != 2:
        edges = creation.asarray(bins)
        per_axis = [edges, edges]
    counts, (of_x, of_y) = histogramdd((x, y), per_axis, range, weights, density)
    return counts, of_x, of_y


# -- covariance --------------------------------------------------------------------------------------------------------


def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
    aweights: Any = None, dtype: Any = None,
) -> Array:  # fmt: skip
    """Covariance matrix of variables.

    Args:
      m: matrix with a variable per row (column unless ``rowvar``), or vector.
      y: more variables.
      rowvar: whether rows are variables.
      bias: divide by the number of observations, not one less.
      ddof: what is subtracted from the number of observations; overrides ``bias``.
      fweights: how often each observation was made; signs do not count.
      aweights: relative weight of each observation; signs do not count.
      dtype: dtype of the result.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.cov(jnp.array([[0.0, 2.0], [2.0, 0.0]]))
      Array([[ 2., -2.],
             [-2.,  2.]], dtype=float32)
    """
    x = _variables(m, rowvar, "m")
    if y is not None:
        other = _variables(y, rowvar, "y")
        x = concatenate(promote_dtypes_inexact("cov", x, other), 0)
    x = inexact(x, "cov")
    if dtype is not None:
        found = dtypes.canonicalize_dtype(dtype, "fungrad.numpy.cov")
        if not dtypes.is_inexact(found):
            raise ValueError(
                f"fungrad.numpy.cov: dtype must be a floating or complex dtype, got {dtypes.display_name(found)}"
            )
        x = cast(x, found)
    n = x.aval.shape[1]
    if ddof is None:
        ddof = 0 if bias else 1
    w = _observation_weights(fweights, aweights, x)
    if w is not None:
        if dtype is None and aweights is not None:  # integers take the dtype of the observations
            x = cast(x, inexact_result_type(w, x))
        w = cast(w, dtypes.to_real_dtype(x.aval.dtype))
    mean = reductions.average(x, axis=1, weights=w) if n else reductions.mean(x, 1)
    total: Any = n if w is None else reductions.sum(w)
    if w is None:
        left: Any = n - ddof
    elif ddof == 0:
        left = total
    elif aweights is None:
        left = ufuncs.subtract(total, ddof)
    else:
        a = ufuncs.absolute(_relative_weights(aweights, x))
        left = ufuncs.subtract(
            total, ufuncs.true_divide(ufuncs.multiply(ddof, reductions.sum(ufuncs.multiply(w, a))), total)
        )
    apart = ufuncs.subtract(x, expand_dims(mean, 1))
    scaled = apart if w is None else ufuncs.multiply(apart, expand_dims(w, 0))
    products = dot(apart, ufuncs.conjugate(scaled).T)
    divisor = float(left) if w is None and not is_symbolic(left) else left
    if isinstance(divisor, float) and divisor <= 0:
        divisor = 0.0
    out = ufuncs.true_divide(products, divisor)
    rows = out.aval.shape[0]
    # Whether one variable is a number must be known of symbolic sizes too, so they are not asked for equality only.
    return reshape(out, ()) if rows < 2 and rows == 1 else out


def _variables(m: Any, rowvar: bool, name: str) -> Array:
    x = operand(m, "cov", name)
    if x.aval.ndim > 2:
        raise ValueError(f"fungrad.numpy.cov: {name} must have at most 2 dimensions, got {x.aval.str_short()}")
    if x.aval.ndim < 2:
        return reshape(x, (1, -1))
    return x if rowvar or x.aval.shape[0] == 1 else x.T  # type: ignore[attr-defined]


def _observation_weights(fweights: Any, aweights: Any, x: Array) -> Array | None:
    """How much each of the observations ``x`` counts."""
    n = x.aval.shape[1]
    out = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        w = operand(given, "cov", name) if name == "fweights" else _relative_weights(given, x)
        if w.aval.shape != (n,):
            raise ValueError(
                f"fungrad.numpy.cov: {name} must have one entry for each of the {n} observations, got {w.aval.shape}"
            )
        if name == "fweights" and not dtypes.is_integer(w.aval.dtype):
            raise TypeError(f"fungrad.numpy.cov: fweights must be integers, got {w.aval.str_short()}")
        w = ufuncs.absolute(w)
        out = w if out is None else ufuncs.multiply(out, w)
    return out


def _relative_weights(aweights: Any, x: Array) -> Array:
    """The weights in the real dtype that they have together with the observations ``x``."""
    given = raw_operand(aweights, "cov", "aweights")
    return converted(given, dtypes.to_real_dtype(inexact_result_type(given, x)), "cov", "aweights")


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, dtype: Any = None) -> Array:
    """Matrix of correlation coefficients of variables; see ``cov``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.corrcoef(jnp.array([[0.0, 2.0], [2.0, 0.0]]))
      Array([[ 1., -1.],
             [-1.,  1.]], dtype=float32)
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.aval.ndim:
        return ufuncs.true_divide(c, c)
    spread = ufuncs.sqrt(ufuncs.real(diag(c)))
    c = ufuncs.true_divide(ufuncs.true_divide(c, expand_dims(spread, 1)), expand_dims(spread, 0))
    if dtypes.is_complex(c.aval.dtype):
        return make_complex(clip(ufuncs.real(c), -1, 1), clip(ufuncs.imag(c), -1, 1))
    return clip(c, -1, 1)


__all__ = [
    "bincount",
    "corrcoef",
    "cov",
    "histogram",
    "histogram2d",
    "histogram_bin_edges",
    "histogramdd",
]
