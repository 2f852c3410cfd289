"""Random choices: categories, permutations and samples from arrays.

May import ``core``, ``ops`` and the other modules of ``random``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fungrad.core import dtypes
from fungrad.core.array import PYTHON_SCALARS, Array, as_array, is_array_like
from fungrad.core.dimensions import as_size, max_size
from fungrad.ops._operands import kind_of, scalar_array
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import le, select_n
from fungrad.ops.cumulative import cumsum
from fungrad.ops.elementwise import add, div, mul, sub
from fungrad.ops.foundation import Dims, broadcast_in_dim, move_dim, reshape
from fungrad.ops.indexing import GatherDimensionNumbers, gather
from fungrad.ops.random_bits import random_bits
from fungrad.ops.reduce import argmax
from fungrad.ops.resharding import at_sharding
from fungrad.ops.shape import canonical_axis, expand_dims, index_in_dim, iota, slice_in_dim
from fungrad.ops.sort import sort_key_val, top_k
from fungrad.ops.transcendental import log
from fungrad.random._arguments import one_key, shape_of
from fungrad.random.bits import below, split_keys, unit
from fungrad.random.continuous import GUMBEL_MODES, standard_gumbel

# -- categories --------------------------------------------------------------------------------------------------------


def categorical(
    key: Any, logits: Any, axis: int = -1, shape: Any = None, replace: bool = True, mode: str | None = None, *,
    out_sharding: Any = None,
) -> Array:  # fmt: skip
    """Categories drawn with given logarithms of their probabilities.

    The category is that of the greatest sum of a logit and a Gumbel number, so the logits need not be normalised.

    Args:
      key: a random key.
      logits: floating array of logarithms of weights; ``-inf`` excludes a category.
      axis: dimension of ``logits`` along which the categories are; may be negative.
      shape: shape of the result; it ends with (or broadcasts from) the shape of ``logits`` without ``axis``, which is
        also the default.
      replace: whether categories may be drawn several times.  If not, the draws along the leading dimensions of
        ``shape`` are all different.
      mode: ``"high"`` or ``"highest"`` for an accurate tail, as in ``gumbel``.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      Indices of categories, an integer array of ``shape``.

    Raises:
      TypeError: ``key`` is not a key.
      ValueError: ``logits`` is not floating or has no categories, ``shape`` does not fit, there are fewer categories
        than different draws, or there is no such mode.

    Example:
      >>> import numpy as np
      >>> from fungrad import random
      >>> random.categorical(random.key(0), np.log(np.float32([0.1, 0.1, 0.8])), shape=(5,))
      Array([1, 2, 2, 1, 2], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(
            categorical, out_sharding, "fungrad.random.categorical", key, logits, axis, shape, replace, mode
        )
    api = "fungrad.random.categorical"
    single, _ = one_key("categorical", key)
    weights = as_array(logits, f"{api}: logits")
    aval = weights.aval
    if kind_of(aval.dtype) != "f":
        raise ValueError(f"{api}: logits must be floating, got {aval.str_short()}")
    if mode not in GUMBEL_MODES:
        raise ValueError(f"{api}: mode must be 'low', 'high' or 'highest', got {mode!r}")
    axis = canonical_axis(api, axis, aval.ndim)
    if not aval.shape[axis]:
        raise ValueError(f"{api}: there are no categories along axis {axis} of logits of shape {aval.shape}")
    batch = aval.shape[:axis] + aval.shape[axis + 1 :]
    dims = batch if shape is None else shape_of("categorical", shape)
    leading = len(dims) - len(batch)
    if leading < 0 or any(n not in (1, d) for n, d in zip(batch, dims[leading:], strict=True)):
        raise ValueError(f"{api}: shape {dims} must end with {batch}, the shape of logits without axis {axis}")
    if replace:
        return _with_replacement(single, weights, axis, dims, leading, mode)
    return _without_replacement(single, weights, axis, dims, leading, mode)


def _with_replacement(key: Array, logits: Array, axis: int, shape: Dims, leading: int, mode: str | None) -> Array:
    noisy = list(shape)
    noisy.insert(leading + axis, logits.aval.shape[axis])
    noise = standard_gumbel(key, tuple(noisy), logits.aval.dtype, mode)
    return argmax(add(noise, expand_dims(logits, range(leading))), leading + axis, dtypes.default_int())


def _without_replacement(key: Array, logits: Array, axis: int, shape: Dims, leading: int, mode: str | None) -> Array:
    aval = logits.aval
    count = math.prod(shape[:leading])
    if count > aval.shape[axis]:
        raise ValueError(
            f"fungrad.random.categorical: {count} draws without replacement (shape {shape[:leading]} per row) from "
            f"only {aval.shape[axis]} categories"
        )
    noisy = add(logits, standard_gumbel(key, aval.shape, aval.dtype, mode))
    _, indices = top_k(noisy, count, axis=axis)
    batch = aval.shape[:axis] + aval.shape[axis + 1 :]
    drawn = reshape(move_dim(indices, axis, 0), (*shape[:leading], *batch))
    drawn = broadcast_in_dim(drawn, shape, tuple(range(len(shape))))
    return convert_element_type(drawn, dtypes.default_int())


# -- permutations ------------------------------------------------------------------------------------------------------


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False, *, out_sharding: Any = None) -> Array:
    """The elements of an array in random order.

    Args:
      key: a random key.
      x: array, or an integer for the numbers ``0 ... x - 1``.
      axis: dimension to permute; may be negative.
      independent: whether every line along ``axis`` is permuted in its own way; else whole slices are moved.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      An array like ``x`` (an integer array of shape ``(x,)`` for an integer).

    Raises:
      TypeError: ``key`` is not a key, or ``x`` is a scalar that is not an integer, or a list.
      ValueError: there is no such axis, or ``key`` is an array of keys.

    Example:
      >>> from fungrad import random
      >>> random.permutation(random.key(0), 5)
      Array([0, 1, 4, 3, 2], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(permutation, out_sharding, "fungrad.random.permutation", key, x, axis, independent)
    api = "fungrad.random.permutation"
    single, _ = one_key("permutation", key)
    array = _population(api, "x", x)
    axis = canonical_axis(api, axis, array.aval.ndim)
    if independent or array.aval.ndim == 1:
        return _shuffle(single, array, axis)
    order = _shuffle(single, iota(dtypes.default_int(), array.aval.shape[axis]), 0)
    return _take(array, order, axis)


def _population(api: str, name: str, x: Any) -> Array:
    """The elements to choose from: an array of at least one dimension, or the first numbers for an integer."""
    if isinstance(x, PYTHON_SCALARS) or is_array_like(x) and not x.ndim:
        scalar = as_array(x, f"{api}: {name}")
        if kind_of(scalar.aval.dtype) not in "iu":
            raise TypeError(f"{api}: {name} must be an integer or an array, got {scalar.aval.str_short()}")
        return iota(dtypes.default_int(), max_size(0, as_size(scalar)))
    return as_array(x, f"{api}: {name}")


def _shuffle(key: Array, x: Array, axis: int) -> Array:
    """``x`` with all lines along ``axis`` in random order, by sorting random numbers along with it.

    Equal numbers leave elements in order.  It is unlikely that two elements meet equal numbers in every round.
    """
    size = max(1, x.aval.size)
    for _ in range(math.ceil(3 * math.log(size) / math.log(2**32 - 1))):
        key, subkey = split_keys(key)
        _, x = sort_key_val(random_bits(subkey, 32, x.aval.shape), x, axis)
    return x


def _take(x: Array, indices: Array, axis: int) -> Array:
    """``x`` at positions along ``axis``, which are in range."""
    aval, rank = x.aval, indices.aval.ndim
    numbers = GatherDimensionNumbers(
        offset_dims=(*range(axis), *range(axis + rank, aval.ndim + rank - 1)),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
    )
    sizes = (*aval.shape[:axis], 1, *aval.shape[axis + 1 :])
    return gather(x, expand_dims(indices, (rank,)), numbers, sizes, mode="promise_in_bounds")


# -- choices -----------------------------------------------------------------------------------------------------------


def choice(
    key: Any, a: Any, shape: Any = (), replace: bool = True, p: Any = None, axis: int = 0, mode: str | None = None
) -> Array:
    """Random elements of an array.

    Args:
      key: a random key.
      a: array, or an integer for the numbers ``0 ... a - 1``.
      shape: shape of the sample, in place of ``axis`` of ``a``.
      replace: whether an element may be chosen several times.
      p: probabilities of the positions along ``axis``; default equal.
      axis: dimension of ``a`` along which elements (slices) are chosen; may be negative.
      mode: ``"high"`` for an accurate tail where Gumbel numbers are used, without replacement and with ``p``.

    Returns:
      An array of shape ``a.shape[:axis] + shape + a.shape[axis + 1:]``.

    Raises:
      TypeError: ``key`` is not a key, or ``a`` is a scalar that is not an integer, or a list.
      ValueError: there are no elements, or fewer than wanted without replacement, or ``p`` has the wrong shape.

    Example:
      >>> import numpy as np
      >>> from fungrad import random
      >>> random.choice(random.key(0), np.array([5, 6, 7]), (4,))
      Array([6, 5, 7, 6], dtype=int32)
    """
    api = "fungrad.random.choice"
    single, _ = one_key("choice", key)
    if not isinstance(shape, Sequence):
        raise TypeError(f"{api}: shape must be a sequence, got {shape!r}; for one dimension pass (n,)")
    dims = shape_of("choice", shape)
    # Positions are the elements themselves for an integer.
    whole = isinstance(a, PYTHON_SCALARS) or is_array_like(a) and not a.ndim
    array = _population(api, "a", a)
    axis = canonical_axis(api, axis, array.aval.ndim)
    n, wanted = array.aval.shape[axis], math.prod(dims)
    if wanted and not n:
        raise ValueError(f"{api}: there is nothing to choose from: axis {axis} of a has size 0")
    if not replace and wanted > n:
        raise ValueError(f"{api}: {wanted} elements cannot be chosen from {n} without replacement")
    weights = None if p is None else _weights(api, p, n)
    if not wanted:
        shape = (*array.aval.shape[:axis], *dims, *array.aval.shape[axis + 1 :])
        return reshape(slice_in_dim(array, 0, 0, axis=axis), shape)
    if weights is None:
        if replace:
            positions = below(single, dims, n)
        else:
            positions = slice_in_dim(_shuffle(single, iota(dtypes.default_int(), n), 0), 0, wanted)
    elif replace:
        positions = _by_weight(single, weights, dims)
    else:
        noisy = add(standard_gumbel(single, (n,), weights.aval.dtype, mode), log(weights))
        positions = convert_element_type(top_k(noisy, wanted)[1], dtypes.default_int())
    positions = reshape(positions, dims)
    return positions if whole else _take(array, positions, axis)


def _weights(api: str, p: Any, n: int) -> Array:
    weights = as_array(p, f"{api}: p")
    if weights.aval.shape != (n,):
        raise ValueError(
            f"{api}: p must be a vector of {n} probabilities, one for each position along axis, got "
            f"{weights.aval.str_short()}"
        )
    if kind_of(weights.aval.dtype) != "f":
        weights = convert_element_type(weights, dtypes.default_float())
    return weights


def _by_weight(key: Array, weights: Array, shape: Dims) -> Array:
    """Positions drawn with given weights: where the running sum of weights passes a uniform number."""
    total = cumsum(weights)
    last = reshape(index_in_dim(total, -1), ())
    dtype = weights.aval.dtype
    level = mul(last, sub(scalar_array(1.0, dtype), unit(key, shape, dtype)))
    return _first_not_less(total, level)


def _first_not_less(ascending: Array, levels: Array) -> Array:
    """For each level the first position at which ``ascending`` is not less, by bisection."""
    n = ascending.aval.shape[0]
    index = dtypes.default_int()
    shape = levels.aval.shape
    low, high = (broadcast_in_dim(scalar_array(k, index), shape, ()) for k in (0, n))
    two = scalar_array(2, index)
    for _ in range(n.bit_length()):
        middle = add(low, div(sub(high, low), two))
        reached = le(levels, _take(ascending, middle, 0))
        low, high = select_n(reached, middle, low), select_n(reached, high, middle)
    return high
