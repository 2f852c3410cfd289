"""Collectives: reductions among the examples of a ``vmap`` with a named axis, and positions of
examples in it.

Each example is a member of the axis.  A collective exists as long as its axis is in scope; its
``batch`` rule, where all members come together in one array, turns it into ordinary operations
along the batch dimension and so removes the name.  It runs also if no operand is mapped, because
then too the result depends on the axis.  Several names stand for one axis of all their members, the
first name being the most significant.

May import ``core``, ``ops._operands``, ``ops.foundation``, ``ops.elementwise``, ``ops.cast``,
``ops.compare``, ``ops.shape``, ``ops.reduce`` and ``ops.resharding``.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable, Sequence
from typing import Any, NoReturn

import numpy as np

from fungrad.core import context, dtypes, tree
from fungrad.core.array import Array, as_array, wrap_unchecked
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData, ManualAxis, state
from fungrad.core.primitive import Primitive
from fungrad.ops._operands import lift, scalar_array
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import eq, select
from fungrad.ops.elementwise import add, div, mul
from fungrad.ops.foundation import batch_to, reduce_sum
from fungrad.ops.reduce import Reduction, reduce_max_p, reduce_min_p
from fungrad.ops.resharding import relabelled, resharded, summed_sets
from fungrad.ops.shape import canonical_axis, iota

Names = tuple[Hashable, ...]


def axis_names_of(axis_name: Any) -> Names:
    """The names that an ``axis_name`` argument gives: one, or a list or tuple of several."""
    return tuple(axis_name) if isinstance(axis_name, (tuple, list)) else (axis_name,)


def members(names: Names, api: str) -> int:
    """How many members the axes ``names`` have together.

    Raises:
      UnboundAxisNameError: a name is not in scope.
    """
    return math.prod([context.axis_size(name, api) for name in names])


def checked_names(api: str, axis_name: Any, groups: Any = None) -> Names:
    """The names that the arguments of a collective give.

    Raises:
      ValueError: a name occurs twice.
      NotImplementedError: groups of members are asked for.
    """
    names = axis_names_of(axis_name)
    if len(set(names)) != len(names):
        raise ValueError(f"fungrad.lax.{api}: axis names must be distinct, got {names}")
    if groups is not None:
        raise NotImplementedError(
            f"fungrad.lax.{api}: axis_index_groups is not supported for axes of vmap; reshape the "
            "mapped axis into two, and map each with its own name"
        )
    return names


class Collective(Primitive):
    """Base of the operations among the members of named axes, whose names are in the parameter
    ``param``.
    """

    uses_axis_names = True
    param = "axis_name"

    def axis_names(self, params: dict[str, Any]) -> Names:
        return axis_names_of(params[self.param])

    def impl(self, *args: Any, **params: Any) -> NoReturn:
        names = self.axis_names(params)
        raise RuntimeError(
            f"internal error: {self.name} over {names} was to be computed for one member alone; "
            "the axis must be removed by vmap first"
        )


class LinearCollective(Collective):
    """A collective that is linear in its operand."""

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        return self.bind(*primals, **params), self.bind(*tangents, **params)


def times_size(x: Any, size: int) -> Any:
    """``x`` multiplied by a number of members, in its own dtype."""
    factor = np.asarray(size).astype(x.aval.dtype)
    return mul(x, wrap_unchecked(factor, ShapedArray((), x.aval.dtype, x.aval.weak_type)))


def without(names: Names, name: Hashable) -> Names:
    return tuple([n for n in names if n != name])


# -- how values differ between members -------------------------------------------------------------

# Inside of a function of shards a value is, along each axis, one of four: it varies, it is the same for all members
# (invarying), every member has a summand of it (unreduced), or it is the same for all while every member has a summand
# of its cotangent (reduced). Arrays are whole, so an unreduced value is kept as the sum and a reduced one as the value;
# that they are is a fact in their types, in the specification of `ShapedArray.placement`. Hence a cast to unreduced
# adds up, and taking the sum of an unreduced value changes its type only.


def kind_along(aval: ShapedArray, name: Any) -> str:
    """How values of a type differ between the members of an axis, in the words of ``pcast``."""
    if name in aval.vma:
        return "varying"
    unreduced, reduced = summed_sets(aval)
    return "unreduced" if name in unreduced else "reduced" if name in reduced else "invarying"


def kind_of(aval: ShapedArray, names: Names, api: str) -> str:
    """How values of a type differ between the members of some axes.

    Raises:
      ValueError: not in one way along all of them, some being sums or reduced.
    """
    kinds = {kind_along(aval, n) for n in names}
    if len(kinds) > 1:
        raise ValueError(
            f"fungrad.lax.{api}: jax.lax.{api} can only accept axis_name which corresponds to one of varying, "
            f"unreduced, reduced or invarying state of the input. Got input type: {aval!r}, axes: {names} and input "
            f"state: {sorted(kinds)}; name the axes of each state in a call of its own"
        )
    return kinds.pop() if kinds else "invarying"


def checked_kind(aval: ShapedArray, names: Names, api: str) -> str:
    """``kind_of`` for collectives, which take values that vary along some of the axes only.

    Raises:
      ValueError: the values are reduced along an axis, or sums along some of them.
    """
    if not any(summed_sets(aval)):
        return "varying"
    kind = kind_of(aval, names, api)
    if kind == "reduced":
        raise ValueError(f"fungrad.lax.{api}: {refusal(api, 'reduced', aval, names)}")
    return kind


def refuse_sums(aval: ShapedArray, names: Names, api: str) -> None:
    """Raises for operands of collectives that take what varies, or is the same for all members.

    Raises:
      ValueError: the values are unreduced or reduced along an axis.
    """
    for kind, found in zip(("unreduced", "reduced"), summed_sets(aval), strict=True):
        if found.intersection(names):
            raise ValueError(f"fungrad.lax.{api}: {refusal(api, kind, aval, names)}")


def refusal(name: str, kind: str, aval: ShapedArray, names: Any) -> str:
    """What is said of an operand that an operation among members does not take."""
    advice = "take the sum first, with lax.psum"
    if kind == "reduced":
        advice = "cast it first, with lax.pcast(..., to='varying')"
    return f"{name} cannot accept args which are {kind}. Got {aval!r} and axes={set(names)}; {advice}"


# -- reductions over members -----------------------------------------------------------------------


class OverMembers(Collective):
    """A reduction over all members, which gives every one the same."""

    param = "axes"

    def reduced(self, x: Any, d: int | None, size: int) -> Any:
        """The result for ``size`` members, whose operands are along dimension ``d``, or are all ``x`` if it is None."""
        raise NotImplementedError

    def abstract_eval(self, x: ShapedArray, *, axes: Names, axis_index_groups: None) -> ShapedArray:
        members(axes, self.name)
        return x

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axes: Names, axis_index_groups: None
    ) -> tuple[Any, Any]:
        (x,), (d,) = args, dims
        if axis.name in axes:
            x = self.reduced(x, d, axis.size)
            axes, d = without(axes, axis.name), None
        return (self.bind(x, axes=axes, axis_index_groups=None) if axes else x), d


class PSum(OverMembers, LinearCollective):
    """Sum over all members."""

    def transpose(self, ct: Any, *args: Any, **params: Any) -> Sequence[Any]:
        # Every member's operand reaches every member's result.
        return (self.bind(ct, **params),)

    def reduced(self, x: Any, d: int | None, size: int) -> Any:
        return times_size(x, size) if d is None else reduce_sum(x, (d,))


class PExtremum(OverMembers):
    """Elementwise maximum or minimum over all members; its derivative is shared evenly among those
    that attain it.
    """

    def __init__(self, name: str, reduction: Reduction):
        super().__init__(name)
        self.reduction = reduction

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        x, g = primals[0], tangents[0]
        y = self.bind(x, **params)
        attained = eq(x, y)
        one, zero = (scalar_array(v, x.aval.dtype) for v in (1, 0))
        count = psum_p.bind(select(attained, one, zero), **params)
        return y, div(psum_p.bind(select(attained, g, zero), **params), count)

    def reduced(self, x: Any, d: int | None, size: int) -> Any:
        return x if d is None else self.reduction.bind(x, axes=(d,))


class PVary(LinearCollective):
    """A value that is the same for all members of axes, taken as one that may differ."""

    param = "axes"

    def abstract_eval(self, x: ShapedArray, *, axes: Names) -> ShapedArray:
        members(axes, "pcast")
        return x

    def transpose(self, ct: Any, *args: Any, axes: Names) -> Sequence[Any]:
        return (psum_p.bind(ct, axes=axes, axis_index_groups=None),)

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axes: Names) -> tuple[Any, Any]:
        axes = without(axes, axis.name)
        return (self.bind(args[0], axes=axes) if axes else args[0]), dims[0]


class PCast(PVary):
    """The same, but every member gets a copy, so that it varies from there on."""

    def transpose(self, ct: Any, *args: Any, axes: Names) -> Sequence[Any]:
        # Inside, each member has a cotangent of its own also of what is the same for all.
        return (ct,)

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axes: Names) -> tuple[Any, Any]:
        x, d = args[0], dims[0]
        if axis.name in axes:
            x, d = batch_to(x, d, 0, axis), 0
        axes = without(axes, axis.name)
        return (self.bind(x, axes=axes) if axes else x), d


class PSame(PVary):
    """The inverse of ``pvary``: a value that is the same for all members, taken as one."""

    def transpose(self, ct: Any, *args: Any, axes: Names) -> Sequence[Any]:
        share = np.asarray(1 / members(axes, "psame")).astype(ct.aval.dtype)
        return (mul(ct, wrap_unchecked(share, ShapedArray((), ct.aval.dtype, ct.aval.weak_type))),)


psum_p = PSum("psum")
pvary_p = PVary("pborder")
pcast_p = PCast("pvary")
psame_p = PSame("psame")
pmax_p = PExtremum("pmax", reduce_max_p)
pmin_p = PExtremum("pmin", reduce_min_p)


def over_manual_axes(names: Names) -> bool:
    """Whether all of these are axes of functions of shards with types that say how values differ."""
    inner = {a.name: a for a in state.axis_env}
    return all(type(inner.get(n)) is ManualAxis for n in names)


class ManualCast(LinearCollective):
    """An operand that is of another kind along some axes of a function of shards.

    Its rule for batches, where members meet, leaves an operation that changes types only, or the sum of the members.
    """

    param = "axes"

    def abstract(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> ShapedArray:
        return self.abstract_eval(*avals, **params)

    def retyped(self, aval: ShapedArray, axes: Names) -> ShapedArray:
        """The type of the result."""
        raise NotImplementedError

    def abstract_eval(self, x: ShapedArray, *, axes: Names) -> ShapedArray:
        members(axes, self.name)
        return self.retyped(x, axes)

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axes: Names) -> tuple[Any, Any]:
        x, d = args[0], dims[0]
        if axis.name in axes:
            x, d = self.along(axis, x, d)
            axes = without(axes, axis.name)
        return (self.bind(x, axes=axes) if axes else x), d

    def along(self, axis: AxisData, x: Any, d: int | None) -> tuple[Any, int | None]:
        """The result along one axis, whose members are along dimension ``d``."""
        raise NotImplementedError


def _type(aval: ShapedArray, unreduced: frozenset, reduced: frozenset, vma: frozenset) -> ShapedArray:
    return relabelled(aval, unreduced, reduced).update(vma=vma)


class UnreducedSum(ManualCast):
    """The sum of what is unreduced."""

    def retyped(self, aval: ShapedArray, axes: Names) -> ShapedArray:
        unreduced, reduced = summed_sets(aval)
        return _type(aval, unreduced.difference(axes), reduced, aval.vma)

    def along(self, axis: AxisData, x: Any, d: int | None) -> tuple[Any, int | None]:
        unreduced, reduced = summed_sets(x.aval)
        return _labelled(x, unreduced - {axis.name}, reduced), d

    def transpose(self, ct: Any, *args: Any, axes: Names) -> Sequence[Any]:
        # Each member has a summand of the cotangent of what is the same for all.
        return (preduced_p.bind(psum_p.bind(ct, axes=axes, axis_index_groups=None), axes=axes),)


class PReduced(ManualCast):
    """What is the same for all, as reduced."""

    def retyped(self, aval: ShapedArray, axes: Names) -> ShapedArray:
        unreduced, reduced = summed_sets(aval)
        return _type(aval, unreduced, reduced.union(axes), aval.vma)

    def along(self, axis: AxisData, x: Any, d: int | None) -> tuple[Any, int | None]:
        unreduced, reduced = summed_sets(x.aval)
        return _labelled(x, unreduced, reduced | {axis.name}), d

    def transpose(self, ct: Any, *args: Any, axes: Names) -> Sequence[Any]:
        total = unreduced_psum_p.bind(ct, axes=axes)
        share = np.asarray(1 / members(axes, "preduced")).astype(ct.aval.dtype)
        return (mul(total, wrap_unchecked(share, ShapedArray((), ct.aval.dtype, ct.aval.weak_type))),)


class VaryToUnreduced(ManualCast):
    """The values of all members as summands."""

    def retyped(self, aval: ShapedArray, axes: Names) -> ShapedArray:
        unreduced, reduced = summed_sets(aval)
        return _type(aval, unreduced.union(axes), reduced, aval.vma.difference(axes))

    def along(self, axis: AxisData, x: Any, d: int | None) -> tuple[Any, int | None]:
        x = times_size(x, axis.size) if d is None else reduce_sum(x, (d,))
        unreduced, reduced = summed_sets(x.aval)
        return _labelled(x, unreduced | {axis.name}, reduced), None

    def transpose(self, ct: Any, *args: Any, axes: Names) -> Sequence[Any]:
        return (reduced_vary_cast_p.bind(ct, axes=axes),)


class ReducedToVary(ManualCast):
    """A copy of what is reduced for every member."""

    def retyped(self, aval: ShapedArray, axes: Names) -> ShapedArray:
        unreduced, reduced = summed_sets(aval)
        return _type(aval, unreduced, reduced.difference(axes), aval.vma.union(axes))

    def along(self, axis: AxisData, x: Any, d: int | None) -> tuple[Any, int | None]:
        unreduced, reduced = summed_sets(x.aval)
        return batch_to(_labelled(x, unreduced, reduced - {axis.name}), d, 0, axis), 0

    def transpose(self, ct: Any, *args: Any, axes: Names) -> Sequence[Any]:
        return (vary_unreduced_cast_p.bind(ct, axes=axes),)


unreduced_psum_p = UnreducedSum("unreduced_psum")
preduced_p = PReduced("preduced")
vary_unreduced_cast_p = VaryToUnreduced("vary_unreduced_cast")
reduced_vary_cast_p = ReducedToVary("reduced_vary_cast")


def _labelled(x: Any, unreduced: frozenset, reduced: frozenset) -> Any:
    return resharded(x, relabelled(x.aval, unreduced, reduced).placement)


def varying_along(x: Any, names: Names) -> Any:
    """A value that varies along those of the axes that are of functions of shards."""
    axes = tuple([n for n in names if over_manual_axes((n,)) and kind_along(x.aval, n) == "invarying"])
    return pcast_p.bind(x, axes=axes) if axes else x


def psum(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """Sum of ``x`` over all members of a mapped axis.

    Args:
      x: array or pytree of arrays. Booleans are counted; a Python scalar gives a Python scalar, its
        multiple by the number of members, so that ``psum(1, name)`` is the size of the axis.
      axis_name: name of a mapped axis, or a tuple of names. Integers among them are dimensions of
        ``x`` to sum too.
      axis_index_groups: must be None.

    Returns:
      The sum, the same for all members, in the structure of ``x``.

    Raises:
      UnboundAxisNameError: a name is not in scope.
      NotImplementedError: ``axis_index_groups`` is given.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> fungrad.vmap(lambda x: x / lax.psum(x, 'i'), axis_name='i')(jnp.array([1., 3.]))
      Array([0.25, 0.75], dtype=float32)
    """
    given = checked_names("psum", axis_name, axis_index_groups)
    dimensions = [n for n in given if isinstance(n, int)]
    names = tuple([n for n in given if not isinstance(n, int)])
    size = members(names, "psum")

    def one(leaf: Any) -> Any:
        if isinstance(leaf, numbers.Number) and not isinstance(leaf, np.generic) and not dimensions:
            return leaf * size if names else leaf  # type: ignore[operator]
        leaf = as_array(leaf, "fungrad.lax.psum: x")
        if not given:
            return leaf
        if dtypes.is_bool(leaf.dtype):
            leaf = convert_element_type(leaf, dtypes.default_int())
        if dimensions:
            axes = [canonical_axis("fungrad.lax.psum", d, leaf.aval.ndim) for d in dimensions]
            leaf = reduce_sum(leaf, axes)
        if checked_kind(leaf.aval, names, "psum") == "unreduced":
            return unreduced_psum_p.bind(leaf, axes=names)
        return psum_p.bind(leaf, axes=names, axis_index_groups=None) if names else leaf

    return tree.map(one, x)


def pmean(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """Mean of ``x`` over all members of a mapped axis; integers and booleans become floats.

    Args:
      x: array or pytree of arrays.
      axis_name: name of a mapped axis, or a tuple of names.
      axis_index_groups: must be None.

    Raises:
      UnboundAxisNameError: a name is not in scope.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> fungrad.vmap(lambda x: x - lax.pmean(x, 'i'), axis_name='i')(jnp.array([1., 3.]))
      Array([-1.,  1.], dtype=float32)
    """
    given = axis_names_of(axis_name)
    size = members(tuple([n for n in given if not isinstance(n, int)]), "pmean")

    def mean(leaf: Any, total: Any) -> Any:
        if not isinstance(total, Array):
            return total / size
        count = size * math.prod([leaf.shape[n] for n in given if isinstance(n, int)])
        total = convert_element_type(total, dtypes.to_inexact_dtype(total.dtype))
        return div(total, float(count))

    return tree.map(mean, x, psum(x, axis_name, axis_index_groups=axis_index_groups))


def _pextremum(primitive: PExtremum, x: Any, axis_name: Any, groups: Any) -> Any:
    names = checked_names(primitive.name, axis_name, groups)

    def one(leaf: Any) -> Any:
        leaf = lift(leaf, f"fungrad.lax.{primitive.name}: x")
        refuse_sums(leaf.aval, names, primitive.name)
        return primitive.bind(leaf, axes=names, axis_index_groups=None)

    return tree.map(one, x)


def pmax(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """Elementwise maximum of ``x`` over all members of a mapped axis.

    The derivative is shared evenly among the members that attain the maximum.

    Args:
      x: array or pytree of arrays.
      axis_name: name of a mapped axis, or a tuple of names.
      axis_index_groups: must be None.

    Raises:
      UnboundAxisNameError: a name is not in scope.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> fungrad.vmap(lambda x: lax.pmax(x, 'i'), axis_name='i')(jnp.array([1., 3.]))
      Array([3., 3.], dtype=float32)
    """
    return _pextremum(pmax_p, x, axis_name, axis_index_groups)


def pmin(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """Elementwise minimum of ``x`` over all members of a mapped axis; see ``pmax``.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> fungrad.vmap(lambda x: fungrad.lax.pmin(x, 'i'), axis_name='i')(jnp.array([3, 1]))
      Array([1, 1], dtype=int32)
    """
    return _pextremum(pmin_p, x, axis_name, axis_index_groups)


# -- positions -------------------------------------------------------------------------------------


class AxisIndex(Collective):
    """Position of the member along one axis; no operands."""

    def abstract_eval(self, *, axis_name: Hashable) -> ShapedArray:
        context.axis_size(axis_name, "axis_index")
        inner = next(a for a in reversed(context.state.axis_env) if a.name == axis_name)
        varies = type(inner) is context.ManualAxis
        return ShapedArray((), dtypes.int32, vma=frozenset((axis_name,)) if varies else frozenset())

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        y = self.bind(**params)
        return y, Zero(y.aval.tangent())

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, axis_name: Hashable
    ) -> tuple[Any, Any]:
        return iota(dtypes.int32, axis.size), 0


axis_index_p = AxisIndex("axis_index")


def axis_index(axis_name: Any) -> Array:
    """Position of this member along a mapped axis, a 0-d int32 array.

    Args:
      axis_name: name of a mapped axis, or a tuple of names, of which the first is the most
        significant.

    Raises:
      UnboundAxisNameError: a name is not in scope.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> fungrad.vmap(lambda x: x + lax.axis_index('i'), axis_name='i')(jnp.array([10, 10]))
      Array([10, 11], dtype=int32)
    """
    if not isinstance(axis_name, (tuple, list)):
        return axis_index_p.bind(axis_name=axis_name)
    index: Array = scalar_array(0, dtypes.int32)
    for name in axis_name:
        size = context.axis_size(name, "axis_index")
        index = add(mul(index, size), axis_index_p.bind(axis_name=name))
    return index


def axis_size(axis_name: Any) -> int:
    """Number of members of a mapped axis (of all of them together, if several are named), a Python
    int.

    Raises:
      UnboundAxisNameError: a name is not in scope.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> fungrad.vmap(lambda x: x / lax.axis_size('i'), axis_name='i')(jnp.array([1., 3.]))
      Array([0.5, 1.5], dtype=float32)
    """
    return members(axis_names_of(axis_name), "axis_size")
