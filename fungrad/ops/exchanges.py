"""Collectives that move values: all_gather, psum_scatter, all_to_all, ppermute and pbroadcast.

May import ``core``, ``ops._operands``, ``ops.foundation``, ``ops.compare``, ``ops.shape``,
``ops.indexing``, ``ops.dynamic`` and ``ops.collectives``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from fungrad.core import context, tree
from fungrad.core.avals import ShapedArray
from fungrad.core.context import AxisData
from fungrad.core.primitive import Primitive
from fungrad.core.sharded_types import lenient
from fungrad.ops._operands import lift, scalar_array
from fungrad.ops.collectives import (
    LinearCollective,
    Names,
    axis_index,
    axis_names_of,
    axis_size,
    checked_kind,
    checked_names,
    members,
    over_manual_axes,
    preduced_p,
    psum_p,
    refuse_sums,
    times_size,
    unreduced_psum_p,
    varying_along,
)
from fungrad.ops.compare import eq, select
from fungrad.ops.dynamic import dynamic_index_in_dim, dynamic_slice_in_dim
from fungrad.ops.elementwise import mul
from fungrad.ops.foundation import batch_to, move_dim, reduce_sum, reshape, zeros
from fungrad.ops.indexing import GatherDimensionNumbers, gather
from fungrad.ops.shape import canonical_axis, expand_dims, index_in_dim, squeeze


def _around(names: Names, name: Hashable) -> tuple[Names, Names]:
    """The names before and after ``name``."""
    position = names.index(name)
    return names[:position], names[position + 1 :]


# -- gathering and scattering ----------------------------------------------------------------------


class AllGather(LinearCollective):
    """All members' operands, along a new dimension or (``tiled``) one after the other along an
    existing one.
    """

    def abstract_eval(
        self,
        x: ShapedArray,
        *,
        all_gather_dimension: int,
        axis_index_groups: None,
        axis_name: Names,
        axis_size: int,
        tiled: bool,
    ) -> ShapedArray:
        members(axis_name, "all_gather")
        shape, d = list(x.shape), all_gather_dimension
        if tiled:
            shape[d] *= axis_size
        else:
            shape.insert(d, axis_size)
        return x.update(shape=tuple(shape))

    def transpose(
        self, ct: Any, *args: Any, all_gather_dimension: int, axis_name: Names, axis_size: int, tiled: bool, **_: Any
    ) -> Sequence[Any]:
        return (_bind_reduce_scatter(ct, axis_name, axis_size, all_gather_dimension, tiled),)

    def batch(
        self,
        axis: AxisData,
        args: Sequence[Any],
        dims: Sequence[Any],
        *,
        all_gather_dimension: int,
        axis_index_groups: None,
        axis_name: Names,
        axis_size: int,
        tiled: bool,
    ) -> tuple[Any, Any]:
        d, x = all_gather_dimension, batch_to(args[0], dims[0], 0, axis)
        if axis.name not in axis_name:
            return _bind_all_gather(x, axis_name, axis_size, d + 1, tiled), 0
        before, after = _around(axis_name, axis.name)
        # From the least significant name to the most: each puts its dimension in front of those
        # before.
        if after:
            x = _bind_all_gather(x, after, members(after, "all_gather"), d + 1, False)
        x = move_dim(x, 0, d)
        if before:
            x = _bind_all_gather(x, before, members(before, "all_gather"), d, False)
        shape = x.aval.shape
        end = d + len([part for part in (before, axis, after) if part]) + tiled
        return reshape(x, (*shape[:d], math.prod(shape[d:end]), *shape[end:])), None


all_gather_p = AllGather("all_gather")


def _checked(primitive: Primitive, x: Any, **params: Any) -> Any:
    """Applies a collective after checking it for one member: its ``batch`` rule takes that for
    granted.
    """
    primitive.abstract((x.aval,), params)
    return primitive.bind(x, **params)


def _bind_all_gather(x: Any, names: Names, size: int, dimension: int, tiled: bool) -> Any:
    return all_gather_p.bind(
        x,
        all_gather_dimension=dimension,
        axis_index_groups=None,
        axis_name=names,
        axis_size=size,
        tiled=tiled,
    )


def all_gather(
    x: Any, axis_name: Any, *, axis_index_groups: Any = None, axis: int = 0, tiled: bool = False, to: str = "varying"
) -> Any:
    """The values of ``x`` of all members of a mapped axis.

    Args:
      x: array or pytree of arrays.
      axis_name: name of a mapped axis, or a tuple of names.
      axis_index_groups: must be None.
      axis: where the members are put: position of the new dimension in the result; with ``tiled``,
        the existing dimension along which their values are concatenated. May be negative.
      tiled: concatenate instead of stacking.
      to: how the result varies over the axis, ``"varying"``, ``"reduced"`` or ``"invarying"``; the values are the same.
        A reduced result has unreduced cotangents (``pcast``).

    Returns:
      The gathered values, the same for all members, in the structure of ``x``.

    Raises:
      UnboundAxisNameError: a name is not in scope.
      ValueError: there is no such ``axis`` or ``to``.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> f = fungrad.vmap(lambda x: lax.all_gather(x, 'i'), axis_name='i')
      >>> f(jnp.array([1., 3.]))
      Array([[1., 3.],
             [1., 3.]], dtype=float32)
    """
    names = checked_names("all_gather", axis_name, axis_index_groups)
    if to not in ("varying", "reduced", "invarying"):
        raise ValueError(
            f"fungrad.lax.all_gather: Got unexpected `to` value for `jax.lax.all_gather`. Allowed `to` values are: "
            f"'varying', 'reduced' and 'invarying', got {to!r}"
        )
    size = members(names, "all_gather")

    def one(leaf: Any) -> Any:
        leaf = lift(leaf, "fungrad.lax.all_gather: x")
        refuse_sums(leaf.aval, names, "all_gather")
        d = canonical_axis("fungrad.lax.all_gather", axis, leaf.aval.ndim + (not tiled))
        out = _bind_all_gather(leaf, names, size, d, bool(tiled))
        if not over_manual_axes(names) or to == "invarying":
            return out
        return preduced_p.bind(out, axes=names) if to == "reduced" else varying_along(out, names)

    return tree.map(one, x)


class ReduceScatter(LinearCollective):
    """Sum over all members, of which each gets its own part."""

    def abstract_eval(
        self,
        x: ShapedArray,
        *,
        axis_index_groups: None,
        axis_name: Names,
        axis_size: int,
        scatter_dimension: int,
        tiled: bool,
    ) -> ShapedArray:
        members(axis_name, "psum_scatter")
        shape, d = list(x.shape), scatter_dimension
        if shape[d] % axis_size if tiled else shape[d] != axis_size:
            wanted = "a multiple of" if tiled else "equal to"
            raise ValueError(
                f"fungrad.lax.psum_scatter: the size of dimension {d} of {x.str_short()} must be "
                f"{wanted} {axis_size}, the number of members of {axis_name}"
            )
        if tiled:
            shape[d] //= axis_size
        else:
            del shape[d]
        return x.update(shape=tuple(shape))

    def transpose(
        self, ct: Any, *args: Any, axis_name: Names, axis_size: int, scatter_dimension: int, tiled: bool, **_: Any
    ) -> Sequence[Any]:
        return (_bind_all_gather(ct, axis_name, axis_size, scatter_dimension, tiled),)

    def batch(
        self,
        axis: AxisData,
        args: Sequence[Any],
        dims: Sequence[Any],
        *,
        axis_index_groups: None,
        axis_name: Names,
        axis_size: int,
        scatter_dimension: int,
        tiled: bool,
    ) -> tuple[Any, Any]:
        (x,), s = args, scatter_dimension
        if axis.name not in axis_name:
            x = move_dim(x, dims[0], 0)
            return _bind_reduce_scatter(x, axis_name, axis_size, s + 1, tiled), 0
        x = times_size(x, axis.size) if dims[0] is None else reduce_sum(x, (dims[0],))
        before, after = _around(axis_name, axis.name)
        shape = x.aval.shape
        rest, first = axis_size // axis.size, members(before, "psum_scatter")
        x = reshape(
            x, (*shape[:s], first, axis.size, shape[s] // (first * axis.size), *shape[s + 1 :])
        )
        x = move_dim(x, s + 1, 0)
        x = reshape(x, (axis.size, *shape[:s], shape[s] // axis.size, *shape[s + 1 :]))
        if before or after:
            x = _bind_reduce_scatter(x, before + after, rest, s + 1, True)
        return x if tiled else squeeze(x, (s + 1,)), 0


reduce_scatter_p = ReduceScatter("reduce_scatter")


def _bind_reduce_scatter(x: Any, names: Names, size: int, dimension: int, tiled: bool) -> Any:
    return _checked(
        reduce_scatter_p,
        x,
        axis_index_groups=None,
        axis_name=names,
        axis_size=size,
        scatter_dimension=dimension,
        tiled=tiled,
    )


def _my_part(x: Any, names: Names, size: int, dimension: int, tiled: bool) -> Any:
    """The part of the sum that each member gets of what is unreduced."""
    # The shape is checked as that of other operands.
    params = {"axis_index_groups": None, "axis_name": names, "axis_size": size}
    reduce_scatter_p.abstract((x.aval.plain(),), {**params, "scatter_dimension": dimension, "tiled": tiled})
    x = unreduced_psum_p.bind(x, axes=names)
    n = x.aval.shape[dimension] // size
    with lenient():  # along other axes it may still be unreduced
        part = dynamic_slice_in_dim(x, mul(axis_index(names), n), n, dimension)
    return part if tiled else squeeze(part, (dimension,))


def psum_scatter(
    x: Any, axis_name: Any, *, scatter_dimension: int = 0, axis_index_groups: Any = None, tiled: bool = False
) -> Any:
    """Sum of ``x`` over all members of a mapped axis, of which each member gets its part.

    Args:
      x: array or pytree of arrays.
      axis_name: name of a mapped axis, or a tuple of names.
      scatter_dimension: dimension of ``x`` that is divided among the members; may be negative.
      axis_index_groups: must be None.
      tiled: the dimension is a multiple of the number of members and stays, with the size of one
        part; otherwise its size is the number of members and it disappears.

    Raises:
      UnboundAxisNameError: a name is not in scope.
      ValueError: the dimension does not exist, or its size does not fit.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> f = fungrad.vmap(lambda x: lax.psum_scatter(x, 'i'), axis_name='i')
      >>> f(jnp.array([[1., 2.], [3., 4.]]))
      Array([4., 6.], dtype=float32)
    """
    names = checked_names("psum_scatter", axis_name, axis_index_groups)
    size = members(names, "psum_scatter")

    def one(leaf: Any) -> Any:
        leaf = lift(leaf, "fungrad.lax.psum_scatter: x")
        d = canonical_axis("fungrad.lax.psum_scatter", scatter_dimension, leaf.aval.ndim)
        if checked_kind(leaf.aval, names, "psum_scatter") == "unreduced":
            return _my_part(leaf, names, size, d, bool(tiled))
        return _bind_reduce_scatter(leaf, names, size, d, bool(tiled))

    return tree.map(one, x)


class AllToAll(LinearCollective):
    """Every member divides ``split_axis`` among all, and puts what it gets one after the other
    along ``concat_axis``.
    """

    def abstract_eval(
        self, x: ShapedArray, *, axis_index_groups: None, axis_name: Any, concat_axis: int, split_axis: int, tiled: bool
    ) -> ShapedArray:
        size = members(axis_names_of(axis_name), "all_to_all")
        shape = list(x.shape)
        if shape[split_axis] % size:
            raise ValueError(
                f"fungrad.lax.all_to_all: the size of split_axis {split_axis} of {x.str_short()} "
                f"must be a multiple of {size}, the number of members of {axis_name!r}"
            )
        shape[split_axis] //= size
        shape[concat_axis] *= size
        return x.update(shape=tuple(shape))

    def transpose(
        self, ct: Any, *args: Any, concat_axis: int, split_axis: int, **params: Any
    ) -> Sequence[Any]:
        return (self.bind(ct, concat_axis=split_axis, split_axis=concat_axis, **params),)

    def batch(
        self,
        axis: AxisData,
        args: Sequence[Any],
        dims: Sequence[Any],
        *,
        axis_index_groups: None,
        axis_name: Any,
        concat_axis: int,
        split_axis: int,
        tiled: bool,
    ) -> tuple[Any, Any]:
        x, s, c = batch_to(args[0], dims[0], 0, axis), split_axis, concat_axis
        names = axis_names_of(axis_name)
        if axis.name not in names:
            return _bind_all_to_all(x, axis_name, s + 1, c + 1, tiled), 0
        before, after = _around(names, axis.name)
        first, n = members(before, "all_to_all"), axis.size
        # The split dimension is (before, to, after and part). The destination `to` becomes the
        # batch, and the source the next dimension, until it can be put where it belongs among the
        # sources of the other names.
        shape = x.aval.shape[1:]
        x = reshape(x, (n, *shape[:s], first, n, shape[s] // (first * n), *shape[s + 1 :]))
        x = move_dim(x, s + 2, 0)
        x = reshape(x, (n, n, *shape[:s], shape[s] // n, *shape[s + 1 :]))
        if before or after:
            x = _bind_all_to_all(x, before + after, s + 2, c + 2, tiled)
        shape = x.aval.shape[2:]
        x = reshape(x, (n, n, *shape[:c], first, shape[c] // first, *shape[c + 1 :]))
        x = move_dim(x, 1, c + 2)
        return reshape(x, (n, *shape[:c], shape[c] * n, *shape[c + 1 :])), 0


all_to_all_p = AllToAll("all_to_all")


def _bind_all_to_all(x: Any, axis_name: Any, split_axis: int, concat_axis: int, tiled: bool) -> Any:
    return _checked(
        all_to_all_p,
        x,
        axis_index_groups=None,
        axis_name=axis_name,
        concat_axis=concat_axis,
        split_axis=split_axis,
        tiled=tiled,
    )


def all_to_all(
    x: Any, axis_name: Any, split_axis: int, concat_axis: int, *, axis_index_groups: Any = None, tiled: bool = False
) -> Any:
    """Exchanges a dimension with a mapped axis: part ``j`` of member ``i`` becomes part ``i`` of
    member ``j``.

    Args:
      x: array or pytree of arrays.
      axis_name: name of a mapped axis, or a tuple of names.
      split_axis: dimension divided among the members.
      concat_axis: dimension along which a member puts what it gets. Without ``tiled``,
        ``split_axis`` has the size of the mapped axis and disappears, and ``concat_axis`` is the
        position of the new dimension in the result.
      axis_index_groups: must be None.
      tiled: keep ``split_axis``, with the size of a part, and concatenate along the existing
        ``concat_axis``.

    Raises:
      UnboundAxisNameError: a name is not in scope.
      ValueError: an axis does not exist, or the size of ``split_axis`` does not fit.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> f = fungrad.vmap(lambda x: lax.all_to_all(x, 'i', 0, 0), axis_name='i')
      >>> f(jnp.array([[1., 2.], [3., 4.]]))
      Array([[1., 3.],
             [2., 4.]], dtype=float32)
    """
    api = "fungrad.lax.all_to_all"
    names = checked_names("all_to_all", axis_name, axis_index_groups)
    size = members(names, "all_to_all")
    name = names[0] if len(names) == 1 else names

    def one(leaf: Any) -> Any:
        leaf = lift(leaf, f"{api}: x")
        refuse_sums(leaf.aval, names, "all_to_all")
        ndim = leaf.aval.ndim
        split = canonical_axis(api, split_axis, ndim, "split_axis")
        concat = canonical_axis(api, concat_axis, ndim, "concat_axis")
        if tiled:
            return _bind_all_to_all(leaf, name, split, concat, True)
        if leaf.aval.shape[split] != size:
            raise ValueError(
                f"{api}: without tiled, the size of split_axis {split} of {leaf.aval.str_short()} "
                f"must be {size}, the number of members of {name!r}"
            )
        if split == concat:
            return _bind_all_to_all(leaf, name, split, concat, False)
        # The new dimension goes where it ends up once the split dimension is gone.
        new = concat + (split < concat)
        split += new <= split
        return squeeze(
            _bind_all_to_all(expand_dims(leaf, (new,)), name, split, new, False), (split,)
        )

    return tree.map(one, x)


def pswapaxes(x: Any, axis_name: Any, axis: int, *, axis_index_groups: Any = None) -> Any:
    """Exchanges dimension ``axis`` of ``x``, which has the size of the mapped axis, with that axis:
    ``all_to_all`` in place.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> x = jnp.array([[1, 2], [3, 4]])
      >>> fungrad.vmap(lambda row: fungrad.lax.pswapaxes(row, 'i', 0), axis_name='i')(x)
      Array([[1, 3],
             [2, 4]], dtype=int32)
    """
    return all_to_all(x, axis_name, axis, axis, axis_index_groups=axis_index_groups)


# -- permutations ----------------------------------------------------------------------------------


class PPermute(LinearCollective):
    """Sends each member's operand to another member; who gets nothing has zeros."""

    def abstract_eval(
        self, x: ShapedArray, *, axis_name: Names, perm: tuple[tuple[int, int], ...]
    ) -> ShapedArray:
        size = members(axis_name, "ppermute")
        sources, destinations = zip(*perm, strict=True) if perm else ((), ())
        for what, which in (("source", sources), ("destination", destinations)):
            if len(set(which)) != len(which) or not all(0 <= i < size for i in which):
                raise ValueError(
                    f"fungrad.lax.ppermute: every {what} must be a different member in [0, "
                    f"{size}) of {axis_name}, got perm {perm}"
                )
        return x

    def transpose(
        self, ct: Any, *args: Any, axis_name: Names, perm: tuple[tuple[int, int], ...]
    ) -> Sequence[Any]:
        inverse = tuple([(destination, source) for source, destination in perm])
        return (self.bind(ct, axis_name=axis_name, perm=inverse),)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axis_name: Names, perm: Any
    ) -> tuple[Any, Any]:
        (x,), (d,) = args, dims
        if axis.name not in axis_name:
            return self.bind(x, axis_name=axis_name, perm=perm), d
        if d is None and len(perm) == axis.size:
            return x, None
        if not perm:
            return zeros(batch_to(x, d, 0, axis).aval), 0
        return take_rows(batch_to(x, d, 0, axis), _sources(perm, axis.size)), 0


ppermute_p = PPermute("ppermute")


def _sources(perm: Sequence[tuple[int, int]], size: int) -> np.ndarray:
    """From which member each gets its value; ``size`` for none."""
    out = np.full(size, size, np.int32)
    for source, destination in perm:
        out[destination] = source
    return out


def take_rows(x: Any, rows: np.ndarray) -> Any:
    """The given positions of the first dimension of ``x``, zeros where they are out of range."""
    shape = x.aval.shape
    numbers_ = GatherDimensionNumbers(
        offset_dims=tuple(range(1, len(shape))), collapsed_slice_dims=(0,), start_index_map=(0,)
    )
    return gather(x, rows[:, None], numbers_, (1, *shape[1:]), mode="fill", fill_value=0)


def ppermute(x: Any, axis_name: Any, perm: Sequence[tuple[int, int]]) -> Any:
    """Sends the values of members of a mapped axis to other members.

    Args:
      x: array or pytree of arrays.
      axis_name: name of a mapped axis, or a tuple of names.
      perm: pairs (source, destination) of positions; each occurs at most once as a source and as a
        destination.

    Returns:
      What was sent to the member, zeros if nothing was, in the structure of ``x``.

    Raises:
      UnboundAxisNameError: a name is not in scope.
      ValueError: a position is out of range or occurs twice.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> shift = [(0, 1), (1, 2)]
      >>> f = fungrad.vmap(lambda x: lax.ppermute(x, 'i', shift), axis_name='i')
      >>> f(jnp.array([1., 2., 3.]))
      Array([0., 1., 2.], dtype=float32)
    """
    names = checked_names("ppermute", axis_name)
    pairs = tuple([(operator.index(source), operator.index(to)) for source, to in perm])

    def one(leaf: Any) -> Any:
        leaf = lift(leaf, "fungrad.lax.ppermute: x")
        refuse_sums(leaf.aval, names, "ppermute")
        leaf = varying_along(leaf, names)
        if len(names) == 1:
            return _checked(ppermute_p, leaf, axis_name=names, perm=pairs)
        # A permutation of several axes together is none of each: everyone gets all values and picks
        # one.
        size = members(names, "ppermute")
        ppermute_p.abstract((leaf.aval,), {"axis_name": names, "perm": pairs})
        everything = _bind_all_gather(leaf, names, size, 0, False)
        mine = take_rows(everything, _sources(pairs, size))
        return dynamic_index_in_dim(mine, axis_index(names), 0, keepdims=False)

    return tree.map(one, x)


def pshuffle(x: Any, axis_name: Any, perm: Sequence[int]) -> Any:
    """Rearranges the values of the members of a mapped axis: member ``i`` gets the value of member
    ``perm[i]``.

    Raises:
      UnboundAxisNameError: a name is not in scope.
      ValueError: ``perm`` is not a permutation of all members.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> f = fungrad.vmap(lambda x: lax.pshuffle(x, 'i', [2, 0, 1]), axis_name='i')
      >>> f(jnp.array([1., 2., 3.]))
      Array([3., 1., 2.], dtype=float32)
    """
    size = axis_size(axis_name)
    if sorted(perm) != list(range(size)):
        raise ValueError(
            f"fungrad.lax.pshuffle: perm must be a permutation of the {size} members of "
            f"{axis_name!r}, got {perm}"
        )
    return ppermute(x, axis_name, list(zip(perm, range(size), strict=True)))


class PBroadcast(LinearCollective):
    """The operand of one member, for all."""

    def abstract_eval(self, x: ShapedArray, *, axis_name: Hashable, source: int) -> ShapedArray:
        size = context.axis_size(axis_name, "pbroadcast")
        if not 0 <= source < size:
            raise ValueError(
                f"fungrad.lax.pbroadcast: source must be in [0, {size}) for axis {axis_name!r}, "
                f"got {source}"
            )
        return x

    def transpose(self, ct: Any, *args: Any, axis_name: Hashable, source: int) -> Sequence[Any]:
        total = psum_p.bind(ct, axes=(axis_name,), axis_index_groups=None)
        mine = eq(axis_index(axis_name), source)
        return (select(mine, total, scalar_array(0, ct.aval.dtype)),)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axis_name: Hashable, source: int
    ) -> tuple[Any, Any]:
        (x,), (d,) = args, dims
        if axis.name != axis_name:
            return self.bind(x, axis_name=axis_name, source=source), d
        return (x if d is None else index_in_dim(x, source, d, keepdims=False)), None


pbroadcast_p = PBroadcast("pbroadcast")


def pbroadcast(x: Any, axis_name: Hashable, source: int) -> Any:
    """The value of ``x`` of the member ``source`` of a mapped axis, for all members.

    Raises:
      UnboundAxisNameError: the name is not in scope.
      ValueError: ``source`` is out of range, or several names are given.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> f = fungrad.vmap(lambda x: lax.pbroadcast(x, 'i', 1), axis_name='i')
      >>> f(jnp.array([1., 3.]))
      Array([3., 3.], dtype=float32)
    """
    names = axis_names_of(axis_name)
    if len(names) != 1:
        raise ValueError(f"fungrad.lax.pbroadcast: expected one axis name, got {names}")

    def one(leaf: Any) -> Any:
        leaf = lift(leaf, "fungrad.lax.pbroadcast: x")
        refuse_sums(leaf.aval, names, "pbroadcast")
        out = _checked(pbroadcast_p, leaf, axis_name=names[0], source=operator.index(source))
        return varying_along(out, names)

    return tree.map(one, x)
