"""Values of which every member of a mesh axis holds a summand (unreduced), and those with such cotangents (reduced).

The operations are in ``ops.collectives``; here is the function that casts, and what derivatives and the border of a
function of shards make of such values.

May import ``core``, ``ops.collectives`` and ``ops.resharding``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.core import tree
from fungrad.core.array import as_array
from fungrad.core.avals import ShapedArray
from fungrad.core.context import ManualAxis, state
from fungrad.ops.collectives import (
    axis_names_of,
    kind_along,
    kind_of,
    members,
    over_manual_axes,
    pcast_p,
    preduced_p,
    psum_p,
    reduced_vary_cast_p,
    vary_unreduced_cast_p,
)
from fungrad.ops.resharding import retyped, summed_sets


def cotangent_of(ct: Any, aval: ShapedArray) -> Any:
    """A cotangent of a value of type ``aval``, of the kind that goes with it.

    Inside of a function of shards each member has a cotangent of its own of what is varying or invarying. That of what
    is reduced is their sum. Where an invarying value has been used as a reduced one, each member has its share; where a
    reduced one as an invarying one, what members have is added.
    """
    unreduced, reduced = summed_sets(aval)
    names = ct.aval.vma & reduced
    if names:
        ct = vary_unreduced_cast_p.bind(ct, axes=tuple(sorted(names, key=str)))
    found = summed_sets(ct.aval)[0]
    if found != reduced:
        inside = [a.name for a in state.axis_env if type(a) is ManualAxis]
        axes = tuple([n for n in inside if n in found - reduced - aval.vma])
        if axes:
            ct = preduced_p.transpose(ct, axes=axes)[0]
        axes = tuple([n for n in inside if n in reduced - found])
        if axes:
            ct = psum_p.bind(ct, axes=axes, axis_index_groups=None)
    return retyped(ct, aval)


def cotangent_type(aval: Any) -> Any:
    """The type of cotangents of values of a type."""
    tangent = aval.tangent()
    if not any(summed_sets(tangent)):
        return tangent
    return tangent.update(sharding=tangent.placement.of_cotangent())


def check_kind(ct: Any, aval: ShapedArray, api: str) -> None:
    """Raises unless a cotangent that is given inside of a function of shards is of the kind that goes with the result.

    Raises:
      ValueError: the result is reduced and the cotangent not unreduced, or the other way round.
    """
    if aval.placement is None:
        return
    manual = frozenset(aval.placement.mesh.manual_axes)
    unreduced, reduced = [s & manual for s in summed_sets(aval)]
    if manual and [s & manual for s in summed_sets(ct.aval)] != [reduced, unreduced]:
        raise ValueError(
            f"fungrad.{api}: unexpected JAX type (e.g. shape/dtype) for argument to VJP function: got "
            f"{ct.aval.short()} for a result of type {aval.short()}: a reduced result has an unreduced cotangent, and "
            "an unreduced one a reduced. Cast the result first, with lax.pcast(..., to='varying') or lax.psum"
        )


def unreduced_results(x: Any, names: frozenset, check: bool, describe: Callable[[], str]) -> Any:
    """A result of a function of shards that is to be a sum along some axes.

    Args:
      x: the result.
      names: the axes.
      check: whether types say how values differ between members.
      describe: which result of which function it is.

    Raises:
      ValueError: it does not vary along one of the axes.
    """
    axes = tuple(sorted(names - summed_sets(x.aval)[0], key=str))
    if not axes:
        return x
    if not check:
        return psum_p.bind(x, axes=axes, axis_index_groups=None)
    for name in axes:
        kind = kind_along(x.aval, name)
        if kind != "varying":
            raise ValueError(
                "fungrad.shard_map: vary_unreduced_cast is a Varying->Unreduced collective: out_specs makes "
                f"{describe()} a sum over the members of {name!r}, but it is {kind} there, {x.aval!r}. Cast it with "
                "lax.pcast(..., to='varying') if every member is to add it"
            )
    return vary_unreduced_cast_p.bind(x, axes=axes)


_CASTS = {
    ("invarying", "varying"): pcast_p,
    ("invarying", "reduced"): preduced_p,
    ("varying", "unreduced"): vary_unreduced_cast_p,
    ("reduced", "varying"): reduced_vary_cast_p,
}


def pcast(x: Any, axis_name: Any, *, to: str) -> Any:
    """``x`` taken as a value of another kind along axes of a function of shards.

    Along each axis over which ``shard_map`` maps a value is *varying*, *invarying* (the same for all members),
    *unreduced* (every member has a summand of it) or *reduced* (the same for all members, every one of which has a
    summand of its cotangent). ``lax.psum`` and ``lax.psum_scatter`` make the sum of what is unreduced.

    Args:
      x: array or pytree of arrays.
      axis_name: name of a mapped axis, or a tuple of names.
      to: ``"varying"`` for what is invarying or reduced, ``"reduced"`` for what is invarying, ``"unreduced"`` for what
        is varying.

    Returns:
      ``x``, of the other kind.

    Raises:
      UnboundAxisNameError: a name is not in scope.
      ValueError: there is no such kind, or no cast to it from what ``x`` is.
      TypeError: ``axis_name`` is a set.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> fungrad.vmap(lambda x: lax.pcast(x, 'i', to='varying'), axis_name='i')(jnp.arange(2))
      Array([0, 1], dtype=int32)
    """
    if isinstance(axis_name, (set, frozenset)):
        raise TypeError(f"fungrad.lax.pcast: axis_name={axis_name} must be a tuple or a str. Got {axis_name}")
    if isinstance(axis_name, (tuple, list)) and not axis_name:
        return x
    if to not in ("varying", "reduced", "unreduced"):
        raise ValueError(
            f"fungrad.lax.pcast: Got unexpected `to` value. Allowed `to` values are: 'varying', 'reduced' and "
            f"'unreduced', got {to!r}"
        )
    names = axis_names_of(axis_name)
    members(names, "pcast")
    typed = over_manual_axes(names)
    if not typed and to == "reduced":
        return x  # types say nothing along these axes

    def cast(leaf: Any) -> Any:
        array = as_array(leaf, "fungrad.lax.pcast: x")
        kind = kind_of(array.aval, names, "pcast")
        primitive = _CASTS.get((kind, to))
        if primitive is None:
            raise ValueError(
                f"fungrad.lax.pcast: Unsupported pcast from={kind}, to={to!r}, for {array.aval!r} along {names}; there "
                "are casts from invarying to varying and reduced, from varying to unreduced and from reduced to varying"
            )
        return primitive.bind(array, axes=names)

    return tree.map(cast, x)
