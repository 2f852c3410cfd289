"""Where results are of which nobody has said it: with the operands.

An array that has been put somewhere is *committed*: what is computed with it is there too, and committed. Arrays on
different devices do not meet in one computation. On meshes with explicit axes types say where results are. On others no
type does; how results are divided is found out here after the fact, with the rules for explicit axes, where XLA keeps a
division too. Where it would move data, results are whole on every device of the mesh. Numbers depend on none of it.

May import ``core``, ``ops.resharding`` and the other modules of ``shards`` about types.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from fungrad.config import watch
from fungrad.core import placement as table
from fungrad.core.array import ArrayImpl
from fungrad.core.avals import ShapedArray
from fungrad.core.device import Device
from fungrad.core.ir import Jaxpr, Var
from fungrad.core.jaxpr_parts import jaxprs_in_params, memoised
from fungrad.core.meshes import AbstractMesh, AxisType, Mesh, PartitionSpec
from fungrad.core.shardings import NamedSharding, SingleDeviceSharding
from fungrad.core.transfers import device_to_device
from fungrad.errors import ShardingTypeError
from fungrad.ops.resharding import sharding_constraint_p
from fungrad.shards import rules

# How a value is divided: an entry per dimension; None where its operands do not say.
Entries = tuple[Any, ...] | None


def check_same_devices(places: Sequence[Any], describe: Any) -> None:
    """Refuses a computation of arrays on different devices.

    Args:
      places: the shardings of the operands; None for those that nobody has put anywhere.
      describe: what the operand at a position is, for the message.

    Raises:
      ValueError: two of them are on different devices.
    """
    first = None
    for i, sharding in enumerate(places):
        if sharding is None or isinstance(getattr(sharding, "mesh", None), AbstractMesh):
            continue
        if first is None:
            first = i, sharding
        elif sharding is not first[1] and sharding.device_set != first[1].device_set:
            said = [
                f"{describe(k)} with device ids {sorted(d.id for d in s.device_set)} on platform CPU"
                for k, s in (first, (i, sharding))
            ]
            raise ValueError(
                f"Received incompatible devices for jitted computation. Got {said[0]} and {said[1]}; put them on the "
                "same devices with fungrad.device_put"
            )


def type_text(x: Any) -> str:
    """Dtype and shape in JAX's words."""
    return f"{x.dtype.name}[{','.join(map(str, x.shape))}]"


def places_of(arrays: Sequence[Any]) -> tuple[Any, ...]:
    """The shardings that arrays have been given; None for others."""
    found = [table.placement(x) if type(x) is ArrayImpl else None for x in arrays]
    return tuple([SingleDeviceSharding(s) if isinstance(s, Device) else s for s in found])


def follow(primitive: Any, args: Sequence[Any], params: dict[str, Any], outs: Sequence[Any]) -> list[Any]:
    """The results of an operation that has been evaluated, where its operands are.

    Raises:
      ValueError: the operands are on different devices.
    """
    places = places_of(args)
    if primitive.kind == "higher_order":
        places = (*places, *[s for jaxpr in jaxprs_in_params(params) for s in constraints_of(jaxpr)])
    if all(p is None for p in places):
        return list(outs)
    check_same_devices(
        places,
        lambda i: f"argument {i} of {primitive.name} with shape {type_text(args[i])} and"
        if i < len(args)
        else f"with_sharding_constraint inside {primitive.name}",
    )
    ground = _ground(places)
    if not isinstance(ground, Mesh):
        return [_put(x, ground) for x in outs]
    if watch.transfers:
        _note_moves(args, ground)
    if ground.explicit_axes:
        return list(outs)
    avals = [x.aval for x in args]
    entries = [_entries(p, a, ground) for p, a in zip(places, avals, strict=False)]
    found = _results(primitive, entries, avals, params, [x.aval for x in outs], ground)
    return [_put(x, _sharding(ground, e)) for x, e in zip(outs, found, strict=True)]


def follow_program(jaxpr: Jaxpr, args: Sequence[Any], describe: Any) -> Any:
    """A function that puts the results of a program where its arguments are; None if they are nowhere.

    Arguments that it does not use do not count.

    Raises:
      ValueError: arguments are on different devices.
    """
    used = _used(jaxpr)
    places = tuple([p if u else None for p, u in zip(places_of(args), used, strict=True)])
    constraints = constraints_of(jaxpr)
    everything = (*places, *constraints)
    if all(p is None for p in everything):
        return None
    check_same_devices(
        everything, lambda i: describe(i) if i < len(places) else "with_sharding_constraint inside jit"
    )

    def find() -> list[Any]:
        ground = _ground(everything)
        if not isinstance(ground, Mesh):
            return [ground] * len(jaxpr.outvars)
        if ground.explicit_axes:
            return [None] * len(jaxpr.outvars)
        entries = [_entries(p, v.aval, ground) for p, v in zip(places, jaxpr.invars, strict=True)]
        outs = _walk(jaxpr, entries, ground)
        return [_sharding(ground, e) for e in outs]

    if watch.transfers:
        _note_moves([x for x, u in zip(args, used, strict=True) if u], _ground(everything))
    shardings = memoised(jaxpr, ("places", places), find)
    return lambda outs: [x if s is None else _put(x, s) for x, s in zip(outs, shardings, strict=True)]


def _put(x: Any, sharding: Any) -> Any:
    """Along explicit axes the type says where a result is."""
    return x if type(x) is not ArrayImpl or x.aval.placement is not None else table.placed(x, sharding)


def constraints_of(jaxpr: Jaxpr) -> tuple[Any, ...]:
    """The shardings that a program asks for with ``with_sharding_constraint``."""

    def find() -> tuple[Any, ...]:
        found: dict[Any, None] = {}
        for eqn in jaxpr.eqns:
            if eqn.primitive is sharding_constraint_p and eqn.params["sharding"] is not None:
                found[eqn.params["sharding"]] = None
            for inner in jaxprs_in_params(eqn.params):
                found.update(dict.fromkeys(constraints_of(inner)))
        return tuple(found)

    return memoised(jaxpr, "sharding constraints", find)  # type: ignore[no-any-return]


def _used(jaxpr: Jaxpr) -> list[bool]:
    def find() -> list[bool]:
        seen = {v for eqn in jaxpr.eqns for v in eqn.invars if type(v) is Var}
        seen.update(v for v in jaxpr.outvars if type(v) is Var)
        return [v in seen for v in jaxpr.invars]

    return memoised(jaxpr, "used arguments", find)  # type: ignore[no-any-return]


def _note_moves(args: Sequence[Any], ground: Any) -> None:
    """Tells ``transfer_guard`` of operands that nobody has put anywhere and that are used on a mesh; numbers have been
    told of."""
    for x in args:
        if isinstance(ground, Mesh) and type(x) is ArrayImpl and x.aval.shape and table.placement(x) is None:
            device_to_device(x.aval, NamedSharding(ground, PartitionSpec()))


# -- what operands have in common -------------------------------------------------------------------------------------


def _ground(places: Sequence[Any]) -> Any:
    """The mesh of the operands, or the sharding of all results if they are on one device."""
    first = next(p for p in places if p is not None)
    for p in places:
        if isinstance(p, NamedSharding) and isinstance(p.mesh, Mesh):
            return p.mesh
    return first


def _entries(place: Any, aval: ShapedArray, mesh: Mesh) -> Entries:
    if not isinstance(place, NamedSharding):
        return None
    if place.mesh.shape_tuple != mesh.shape_tuple or place.spec.unreduced or place.spec.reduced:
        return (None,) * aval.ndim
    return tuple(place.spec.filled(aval.ndim).partitions[: aval.ndim])


def _sharding(mesh: Mesh, entries: Entries) -> NamedSharding:
    kept = list(entries or ())
    while kept and kept[-1] is None:
        kept.pop()
    return NamedSharding(mesh, PartitionSpec(*kept))


# -- how results are divided ------------------------------------------------------------------------------------------


def _results(
    primitive: Any,
    entries: Sequence[Entries],
    avals: Sequence[ShapedArray],
    params: dict[str, Any],
    outs: Sequence[ShapedArray],
    mesh: Mesh,
) -> list[Entries]:
    """How the results of one operation are divided; None for all if no operand says anything."""
    if primitive is sharding_constraint_p and params["sharding"] is not None:
        asked = _constraint(params["sharding"], entries[0], outs[0].ndim)
        # XLA divides what does not divide evenly too, but not results.
        return [_divisible(_sharding(mesh, asked), outs[0], mesh)]
    inside = primitive.kind == "higher_order"
    if all(e is None for e in entries) and not (inside and any(map(constraints_of, jaxprs_in_params(params)))):
        return [None] * len(outs)
    if primitive.types_only:
        return [entries[0]]
    if inside:
        inner = _INNER.get(primitive.name)
        found = None if inner is None else inner(entries, params, mesh)
        if found is None or len(found) != len(outs):
            found = [None] * len(outs)
        return [e if e is None or len(e) == a.ndim else None for e, a in zip(found, outs, strict=True)]
    explicit = _explicit(mesh.abstract_mesh)
    typed = [
        a.plain() if e is None else a.plain().update(sharding=NamedSharding(explicit, PartitionSpec(*e)))
        for e, a in zip(entries, avals, strict=True)
    ]
    plain = [a.plain() for a in outs]
    for change in (_as_they_are, *_CHANGES.get(primitive.name, ()), _of_first_only):
        try:
            found = rules.shardings(primitive, change(typed, params), params, plain)
        except (ShardingTypeError, NotImplementedError):
            continue
        if primitive.name == "reshape" and change is _as_they_are and _joins(typed[0], found[0]):
            continue
        return [_divisible(s, a, mesh) for s, a in zip(found, plain, strict=True)]
    if primitive.name in _KEPT and all(a.shape == plain[0].shape == avals[0].shape for a in plain):
        return [entries[0]] * len(plain)
    return [(None,) * a.ndim for a in plain]


def _constraint(sharding: NamedSharding, entries: Entries, ndim: int) -> Entries:
    open_ = PartitionSpec.UNCONSTRAINED
    now = (None,) * ndim if entries is None else entries
    return tuple([m if e is open_ else e for e, m in zip(sharding.spec.filled(ndim).partitions, now, strict=True)])


@functools.lru_cache(256)
def _explicit(mesh: AbstractMesh) -> AbstractMesh:
    return mesh.update_axis_types(dict.fromkeys(mesh.axis_names, AxisType.Explicit))


def _divisible(sharding: NamedSharding | None, aval: ShapedArray, mesh: Mesh) -> Entries:
    """Entries of a result; dimensions that cannot be divided evenly are whole."""
    if sharding is None:
        return (None,) * aval.ndim
    return tuple([
        None if e is not None and n % rules.axes_size(mesh, e) else e
        for n, e in zip(aval.shape, sharding.spec.filled(aval.ndim).partitions, strict=True)
    ])


# What XLA does where the rules want to be told: the first of these changes of the operands that they accept.


def _as_they_are(avals: Sequence[ShapedArray], params: dict[str, Any]) -> Sequence[ShapedArray]:
    return avals


def _of_first_only(avals: Sequence[ShapedArray], params: dict[str, Any]) -> Sequence[ShapedArray]:
    """Operands that are divided in different ways follow the first that is divided."""
    divided = [i for i, a in enumerate(avals) if a.placement is not None and any(rules.entries_of(a))]
    return [a if i in divided[:1] else a.plain() for i, a in enumerate(avals)]


def _with_entries(aval: ShapedArray, entries: Sequence[Any]) -> ShapedArray:
    if aval.placement is None:
        return aval
    return aval.update(sharding=aval.placement.update(spec=PartitionSpec(*entries)))


def _contracted_whole(avals: Sequence[ShapedArray], params: dict[str, Any]) -> Sequence[ShapedArray]:
    """Sums of products over a divided dimension are added up; an axis divides one dimension of the result only."""
    inner = params["dimension_numbers"][0]
    seen: set[Any] = set()
    out = []
    for aval, dims in zip(avals, inner, strict=True):
        entries = [None if d in dims else e for d, e in enumerate(rules.entries_of(aval))]
        for d, e in enumerate(entries):
            names = set(e) if isinstance(e, tuple) else {e} - {None}
            if names & seen:
                entries[d] = None
            seen |= names
        out.append(_with_entries(aval, entries))
    return out


def _major_only(avals: Sequence[ShapedArray], params: dict[str, Any]) -> Sequence[ShapedArray]:
    """Of dimensions that become one the first stays divided."""
    entries = list(rules.entries_of(avals[0]))
    divided = [d for d, e in enumerate(entries) if e is not None]
    return [_with_entries(avals[0], [e if d in divided[:1] else None for d, e in enumerate(entries)]), *avals[1:]]


def _joins(aval: ShapedArray, sharding: Any) -> bool:
    """Whether a dimension of the result is divided by what divides several before."""
    before = rules.entries_of(aval)
    return any(isinstance(e, tuple) and e not in before for e in sharding.spec)


# Their results are divided as the first operand is, also where its parts exchange elements.
_KEPT = frozenset(
    """
    cumsum cumprod cummax cummin cumlogsumexp sort dynamic_update_slice
    scatter scatter-add scatter-sub scatter-mul scatter-min scatter-max
    """.split()
)

_CHANGES: dict[str, tuple[Any, ...]] = {"dot_general": (_contracted_whole,), "reshape": (_major_only,)}


# -- programs ---------------------------------------------------------------------------------------------------------


def _walk(jaxpr: Jaxpr, entries: Sequence[Entries], mesh: Mesh) -> list[Entries]:
    """How the results of a program are divided whose arguments are divided so."""
    env: dict[Any, Entries] = dict(zip(jaxpr.invars, entries, strict=True))

    def read(a: Any) -> Entries:
        return env.get(a) if type(a) is Var else None

    for eqn in jaxpr.eqns:
        found = _results(
            eqn.primitive,
            [read(a) for a in eqn.invars],
            [a.aval for a in eqn.invars],
            eqn.params,
            [v.aval for v in eqn.outvars],
            mesh,
        )
        env.update(zip(eqn.outvars, found, strict=True))
    return [read(a) for a in jaxpr.outvars]


def _of_call(entries: Sequence[Entries], params: dict[str, Any], mesh: Mesh) -> list[Entries] | None:
    jaxpr = next((p for p in params.values() if isinstance(p, Jaxpr)), None)
    return None if jaxpr is None or len(jaxpr.invars) != len(entries) else _walk(jaxpr, entries, mesh)


def _of_branches(entries: Sequence[Entries], params: dict[str, Any], mesh: Mesh) -> list[Entries]:
    found = [_walk(branch, entries[1:], mesh) for branch in params["branches"]]
    return [next((e for e in each if e is not None), None) for each in zip(*found, strict=True)]


def _of_scan(entries: Sequence[Entries], params: dict[str, Any], mesh: Mesh) -> list[Entries]:
    n, k = params["num_consts"], params["num_carry"]
    consts, carry, xs = entries[:n], list(entries[n : n + k]), entries[n + k :]
    rows = [None if e is None else e[1:] for e in xs]
    for _ in range(2):  # what a carry becomes is known after one step
        outs = _walk(params["jaxpr"], [*consts, *carry, *rows], mesh)
        carry = [o if c is None else c for c, o in zip(carry, outs[:k], strict=True)]
    return [*carry, *[None if e is None else (None, *e) for e in outs[k:]]]


def _of_while(entries: Sequence[Entries], params: dict[str, Any], mesh: Mesh) -> list[Entries]:
    n, k = params["cond_nconsts"], params["body_nconsts"]
    consts, carry = entries[n : n + k], list(entries[n + k :])
    for _ in range(2):
        outs = _walk(params["body_jaxpr"], [*consts, *carry], mesh)
        carry = [o if c is None else c for c, o in zip(carry, outs, strict=True)]
    return carry


_INNER: dict[str, Any] = {
    "cond": _of_branches,
    "scan": _of_scan,
    "while": _of_while,
    **dict.fromkeys(("jit", "remat2", "custom_jvp_call", "custom_vjp_call", "custom_lin"), _of_call),
}


table.following.check_same_devices = check_same_devices
table.following.operation = follow
table.following.program = follow_program
