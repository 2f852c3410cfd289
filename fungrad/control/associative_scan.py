"""``associative_scan``: running combinations with an associative function, in logarithmic depth.

May import ``core`` and ``ops``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.control._base import check_callables, flat_operands
from fungrad.core import tree
from fungrad.core.array import as_array
from fungrad.core.signatures import T
from fungrad.core.source import api_boundary, function_name
from fungrad.core.treedef import structure_text
from fungrad.ops.foundation import reshape
from fungrad.ops.joining import concatenate, stack
from fungrad.ops.shape import canonical_axis, rev, slice_in_dim

API = "lax.associative_scan"


@api_boundary
def associative_scan(
    fn: Callable[[T, T], T], elems: T, reverse: bool = False, axis: int = 0
) -> T:
    """Combines each element with all before it, by an associative function.

    Element ``i`` of the result is ``fn(...fn(fn(elems[0], elems[1]), elems[2])..., elems[i])``, computed in
    about ``2 log2(n)`` applications of ``fn`` to whole arrays.

    Args:
      fn: associative function ``fn(a, b)`` of trees structured like ``elems``; applied to arrays that hold
        many elements along ``axis``, which it must combine one by one.
      elems: tree of arrays of one size along ``axis``.
      reverse: whether to combine each element with all after it instead.
      axis: dimension along which elements are combined.

    Returns:
      A tree like ``elems``.

    Raises:
      ValueError: there are no arrays, or sizes along ``axis`` differ.
      TypeError: ``fn`` returns another structure.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.associative_scan(jnp.maximum, jnp.array([1, 3, 2, 5, 4]))
      Array([1, 3, 3, 5, 5], dtype=int32)
    """
    check_callables(API, fn=fn)
    xs, structure = flat_operands(elems, API, "elems")
    axes = [canonical_axis(f"fungrad.{API}", axis, x.aval.ndim) for x in xs]
    sizes = {x.aval.shape[a] for x, a in zip(xs, axes, strict=True)}
    if len(sizes) != 1:
        shapes = ", ".join(str(x.aval.shape) for x in xs)
        raise ValueError(
            f"fungrad.{API}: elems must be arrays of one size along axis {axis}, got shapes {shapes or 'none'}"
        )
    if reverse:
        xs = [rev(x, (a,)) for x, a in zip(xs, axes, strict=True)]

    def combine(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
        out = fn(tree.unflatten(structure, left), tree.unflatten(structure, right))
        leaves, found = tree.flatten(out)
        if found != structure:
            raise TypeError(
                f"fungrad.{API}: {function_name(fn)} must return the structure of elems, "
                f"{structure_text(structure)}, got {structure_text(found)}"
            )
        return [as_array(y) for y in leaves]

    out = _running(combine, xs, axes)
    if reverse:
        out = [rev(y, (a,)) for y, a in zip(out, axes, strict=True)]
    return tree.unflatten(structure, out)


def _running(
    combine: Callable[..., list[Any]], xs: Sequence[Any], axes: Sequence[int]
) -> list[Any]:
    """Running combinations: those of neighbouring pairs give every second result, and one more
    combination each of the others.
    """

    def part(ys: Sequence[Any], start: int, limit: int | None, step: int = 1) -> list[Any]:
        return [slice_in_dim(y, start, limit, step, a) for y, a in zip(ys, axes, strict=True)]

    n = xs[0].aval.shape[axes[0]]
    if n < 2:
        return list(xs)
    odd = _running(combine, combine(part(xs, 0, n - 1, 2), part(xs, 1, n, 2)), axes)
    before = odd if n % 2 else part(odd, 0, n // 2 - 1)
    later = combine(before, part(xs, 2, n, 2)) if n > 2 else part(xs, 0, 0)
    even = [concatenate(pair, a) for *pair, a in zip(part(xs, 0, 1), later, axes, strict=True)]
    return [_interleaved(e, o, a) for e, o, a in zip(even, odd, axes, strict=True)]


def _interleaved(even: Any, odd: Any, axis: int) -> Any:
    """Elements of two arrays in turn along ``axis``; the first may have one more."""
    n = odd.aval.shape[axis]
    pairs = stack([slice_in_dim(even, 0, n, 1, axis), odd], axis + 1)
    shape = odd.aval.shape
    both = reshape(pairs, (*shape[:axis], 2 * n, *shape[axis + 1 :]))
    if even.aval.shape[axis] == n:
        return both
    return concatenate([both, slice_in_dim(even, n, n + 1, 1, axis)], axis)
