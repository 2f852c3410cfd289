"""``shard_map`` and ``pmap``: functions of the parts of arrays.

A function of shards runs as a map over the axes of the mesh, one inside the other: an axis of the mesh is a mapped axis
of its name, so collectives work as they do under ``vmap``.

May import what is below ``fungrad`` itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from fungrad.config import watch
from fungrad.core import shardings, tree
from fungrad.core.arguments import shown
from fungrad.core.context import Tracer, manual_axis, state
from fungrad.core.meshes import AbstractMesh, AxisType, Mesh, PartitionSpec, get_abstract_mesh, use_abstract_mesh
from fungrad.core.placement import placement, unplaced
from fungrad.core.shardings import NamedSharding
from fungrad.core.source import boundary_of, function_name
from fungrad.core.staging import argument_names
from fungrad.ops.dynamic import dynamic_index_in_dim
from fungrad.ops.foundation import batch_to, reshape, transpose
from fungrad.ops.resharding import constrained, note_move, relabelled, resharded, summed_sets
from fungrad.ops.summands import unreduced_results
from fungrad.shards.following import check_same_devices, places_of
from fungrad.shards.putting import put
from fungrad.transforms.api import check_callable, flat_arrays
from fungrad.transforms.batching import batch_flat

P = PartitionSpec


def shard_map(
    f: Callable[..., Any] | None = None,
    /,
    *,
    out_specs: Any,
    in_specs: Any = None,
    mesh: Any = None,
    axis_names: Any = frozenset(),
    check_vma: bool = True,
    check_rep: bool | None = None,
) -> Any:
    """Maps a function over the shards of its arguments.

    ``f`` gets a part of each argument and returns parts of results; collectives such as ``lax.psum`` over the axes of
    the mesh exchange values between the members that compute them. Arguments may have any sharding: they are divided
    as ``in_specs`` says.

    Args:
      f: function of parts. Works as a decorator.
      out_specs: how results are put together of the parts, a tree of ``PartitionSpec`` that is a prefix of the result.
        A mesh axis that a specification does not name states that all members along it have the same.
      in_specs: how arguments are divided, a tree of ``PartitionSpec`` that is a prefix of the tuple of arguments. By
        default as they have been put.
      mesh: the mesh; the one that has been set by default.
      axis_names: the mesh axes over which ``f`` is mapped; all by default. The others divide nothing.
      check_vma: whether to check that results do not differ along mesh axes that their specification does not name,
        and to differentiate inside ``f`` as if what is the same for all members were one value.
      check_rep: former name of ``check_vma``.

    Returns:
      The function of whole arrays.

    Raises:
      ValueError: a specification does not fit a shape, names an unknown axis, or needs a result to be the same for all
        members that is not.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> mesh = fungrad.make_mesh((1,), ("i",))
      >>> @fungrad.shard_map(mesh=mesh, in_specs=fungrad.P("i"), out_specs=fungrad.P())
      ... def total(x):
      ...   return lax.psum(jnp.sum(x), "i")
      >>> total(jnp.arange(4.0))
      Array(6., dtype=float32)
    """
    if f is None:
        return functools.partial(
            shard_map, out_specs=out_specs, in_specs=in_specs, mesh=mesh, axis_names=axis_names, check_vma=check_vma
        )
    check_callable(f, "shard_map")
    check = check_vma if check_rep is None else check_rep
    _check_specs(out_specs, "out_specs")
    if in_specs is not None:
        _check_specs(in_specs, "in_specs")
    name = function_name(f)

    @functools.wraps(f)
    @boundary_of("fungrad.shard_map")
    def sharded(*args: Any) -> Any:
        where = _mesh(mesh)
        manual = _manual_axes(axis_names, where)
        _check_sums(out_specs, "out_specs", where, manual)
        leaves, in_tree = flat_arrays(args, "shard_map", f"an argument of {name}: args")
        specs = _in_specs(in_specs, args, leaves, where, name)
        _check_sums(specs, "in_specs", where, manual)
        names = argument_names(f, args, {})
        for leaf, spec, path in zip(leaves, specs, names, strict=True):
            _check_spec(leaf.aval.shape, spec, where, manual, "in_specs", f"the argument {path}", name)
            if in_specs is not None:
                _check_type(leaf.aval, spec, where, manual)
            if spec.unreduced and not check:
                raise NotImplementedError(
                    f"fungrad.shard_map: the argument {path} of {name} is unreduced along {set(spec.unreduced)}, and "
                    "with check_vma=False members would see the summands, but arrays are whole, so that there are "
                    "none. Leave check_vma, or fungrad.reshard the argument before"
                )
        if watch.placed and isinstance(where, Mesh):
            places = [*places_of(leaves), NamedSharding(where, P())]
            check_same_devices(places, lambda i: f"argument {names[i]} of" if i < len(names) else "mesh of shard_map")
        if watch.transfers and isinstance(where, Mesh):
            for leaf, spec in zip(leaves, specs, strict=True):
                note_move(leaf, NamedSharding(where, spec))
        leaves = [unplaced(x) for x in leaves]
        checked = bool(check)
        out: dict[str, Any] = {}

        def flat(*parts: Any) -> Sequence[Any]:
            result = f(*tree.unflatten(in_tree, parts))
            outs, out["tree"] = flat_arrays(result, "shard_map", f"the result of {name}")
            whole = tree.unflatten(out["tree"], outs)
            out["specs"] = tree.broadcast_prefix(
                out_specs, whole, api="fungrad.shard_map", prefix_name="out_specs", full_name=f"the result of {name}"
            )
            paths = tree.leaf_paths(whole)
            for x, spec, path in zip(outs, out["specs"], paths, strict=True):
                _check_spec(x.aval.shape, spec, where, manual, "out_specs", f"the result{path}", name, out=True)
            out["paths"] = paths
            return [_summed(x, s, checked, name, p) for x, s, p in zip(outs, out["specs"], paths, strict=True)]

        axes = [(n, where.shape[n]) for n in where.axis_names if n in manual]
        inside = where.abstract_mesh.update_axis_types(dict.fromkeys(manual, AxisType.Manual))
        with use_abstract_mesh(inside):
            divided = [_divided(x, s, axes, inside) for x, s in zip(leaves, specs, strict=True)]
            if not checked:
                divided = [_untyped(x, manual) for x in divided]
            results = mapped(flat, axes, divided, specs, out, checked, name)
            others = [x.aval.placement for x in results]
            whole = [_whole(resharded(x, None), s, axes) for x, s in zip(results, out["specs"], strict=True)]
        placings = [
            _of_result(s, o, x.aval.ndim, where) for s, o, x in zip(out["specs"], others, whole, strict=True)
        ]
        if isinstance(where, AbstractMesh) and not where.explicit_axes:
            return tree.unflatten(out["tree"], whole)  # no devices and nothing that types say
        # Of traced results along axes of which types say nothing the program is to say where they are.
        settle = put if where.explicit_axes else _settled
        return tree.unflatten(out["tree"], [settle(x, s) for x, s in zip(whole, placings, strict=True)])

    return sharded


def _settled(x: Any, sharding: NamedSharding) -> Any:
    return constrained(x, sharding) if isinstance(x, Tracer) else put(x, sharding)


def mapped(
    fun: Callable[..., Sequence[Any]],
    axes: Sequence[tuple[Hashable, int]],
    args: Sequence[Any],
    specs: Sequence[P],
    out: dict[str, Any],
    check: bool,
    name: str,
) -> list[Any]:
    """Runs a function for all members of some mesh axes: here a mesh axis becomes computing.

    Args:
      fun: flat function of parts, which leaves ``specs`` and ``paths`` of its results in ``out``.
      axes: names and sizes.
      args: arrays with a leading dimension for every axis that their specification names, in order.
      specs: of the arguments.
      out: see ``fun``.
      check: whether results must be the same along axes that they do not name.
      name: of the function, for messages.
    """
    if not axes:
        return list(fun(*args))
    (axis_name, size), inner = axes[0], axes[1:]
    axis = manual_axis(axis_name, size, check)
    dims = [0 if axis_name in s.all_names() else None for s in specs]

    def rest(*parts: Any) -> Sequence[Any]:
        return mapped(fun, inner, parts, specs, out, check, name)

    outs, out_dims = batch_flat(rest, axis, args, dims, f"shard_map of {name}")
    placed_outs = []
    for x, d, spec, path in zip(outs, out_dims, out["specs"], out["paths"], strict=True):
        if axis_name in spec.all_names():
            x = batch_to(x, d, 0, size)
        elif d is not None:
            if check:
                raise ValueError(
                    f"fungrad.shard_map: shard_map applied to the function {name!r} was given out_specs which require "
                    "replication which can't be statically inferred given the mesh: out_specs is "
                    f"{spec} for the result{path}, so it must be the same along the mesh axis {axis_name!r}, but it "
                    "varies there. Name the axis in out_specs, reduce the result with lax.psum, or pass "
                    "check_vma=False"
                )
            x = dynamic_index_in_dim(x, 0, d, keepdims=False)
        placed_outs.append(x)
    return placed_outs


def _summed(x: Any, spec: P, check: bool, name: str, path: str) -> Any:
    """A result that is of the kind that its specification says."""
    x = unreduced_results(x, spec.unreduced, check, lambda: f"the result{path} of {name}")
    for what, wanted, found in zip(
        ("unreduced", "reduced"), (spec.unreduced, spec.reduced), summed_sets(x.aval), strict=True
    ):
        if check and wanted != found:
            raise ValueError(
                f"fungrad.shard_map: out_specs passed to shard_map should be equal to the {what} present on the "
                f"out_aval. Got out_specs={spec} for the result{path} of {name} and out_aval={x.aval!r}; cast it with "
                "lax.pcast, or take the sum with lax.psum"
            )
    return x


def _untyped(x: Any, manual: frozenset) -> Any:
    """An argument where types do not say how values differ between members."""
    unreduced, reduced = summed_sets(x.aval)
    if not reduced & manual:
        return x
    return resharded(x, relabelled(x.aval, unreduced, reduced - manual).placement)


def _of_result(spec: P, inner: NamedSharding | None, ndim: int, mesh: Any) -> NamedSharding:
    """The sharding of a result: ``spec`` along the axes of the function, ``inner`` along others."""
    if inner is None:
        return NamedSharding(mesh, spec)
    # Leading dimensions of `inner` are members; they are along axes that divide nothing else.
    others = inner.spec[len(inner.spec) - ndim :]
    entries = [
        (*spec.names(d), *(() if e is None else e if isinstance(e, tuple) else (e,))) for d, e in enumerate(others)
    ]
    return NamedSharding(mesh, spec.update(entries))


def _divided(x: Any, spec: P, axes: Sequence[tuple[Hashable, int]], mesh: Any) -> Any:
    """``x`` with a leading dimension for every axis that divides it, in the order of the axes; its type says how the
    other axes of the mesh divide the parts."""
    placement = x.aval.placement
    if placement is None:
        return _in_parts(x, spec, axes)
    rest = shardings.explicit_part(placement.spec, mesh)
    # Within a map over a batch that is divided there is a sharding left, of the batch.
    x = _in_parts(resharded(x, None), spec, axes)
    lead = x.aval.ndim - len(rest)
    return resharded(x, NamedSharding(mesh, rest.update([*[None] * lead, *rest])).of_type(x.aval.shape))


def _in_parts(x: Any, spec: P, axes: Sequence[tuple[Hashable, int]]) -> Any:
    sizes = dict(axes)
    if not any(n in sizes for n in spec.all_names()):
        return x
    shape: list[int] = []
    where: dict[Any, int] = {}
    kept: list[int] = []
    for d, n in enumerate(x.aval.shape):
        names = [m for m in spec.names(d) if m in sizes]
        for m in names:
            where[m] = len(shape)
            shape.append(sizes[m])
            n //= sizes[m]
        kept.append(len(shape))
        shape.append(n)
    order = [where[m] for m, _ in axes if m in where] + kept
    return transpose(reshape(x, tuple(shape)), tuple(order))


def _whole(x: Any, spec: P, axes: Sequence[tuple[Hashable, int]]) -> Any:
    """The inverse of ``_divided``."""
    sizes = dict(axes)
    leading = [m for m, _ in axes if m in spec.all_names()]
    if not leading:
        return x
    n = len(leading)
    order: list[int] = []
    shape: list[int] = []
    for d, size in enumerate(x.aval.shape[n:]):
        for m in spec.names(d):
            if m in sizes:
                order.append(leading.index(m))
                size *= sizes[m]
        order.append(n + d)
        shape.append(size)
    return reshape(transpose(x, tuple(order)), tuple(shape))


# -- arguments --------------------------------------------------------------------------------------------------------


def _mesh(mesh: Any) -> Any:
    around = get_abstract_mesh()
    if around.manual_axes:
        # Inside of another function of shards: the other axes are left.
        if mesh is not None and getattr(mesh, "shape_tuple", None) is not None and mesh != around:
            raise ValueError(
                f"fungrad.shard_map: The context mesh {around} should match the mesh passed to shard_map {mesh}; leave "
                "mesh out where a function of shards calls shard_map over other axes"
            )
        mesh = around if mesh is None else mesh
    found = shardings.get_mesh() if mesh is None else mesh
    if not isinstance(found, (Mesh, AbstractMesh)):
        raise TypeError(f"fungrad.shard_map: mesh must be a Mesh, got {shown(mesh)}")
    if found.empty:
        raise ValueError(
            "fungrad.shard_map: The context mesh cannot be empty. Use `fungrad.set_mesh(mesh)` to enter into a mesh "
            "context, or pass mesh"
        )
    return found


def _manual_axes(names: Any, mesh: Any) -> frozenset:
    free = set(mesh.axis_names) - set(mesh.manual_axes if mesh == get_abstract_mesh() else ())
    chosen = frozenset(free if not names else {names} if isinstance(names, str) else names)
    unknown = chosen - set(mesh.axis_names)
    if unknown:
        raise ValueError(
            f"fungrad.shard_map: axis_names must be axes of the mesh, {tuple(mesh.axis_names)}, got {sorted(unknown)}"
        )
    bound = [a.name for a in state.axis_env if a.name in chosen]
    if bound:
        raise ValueError(f"fungrad.shard_map: the axis {bound[0]!r} of the mesh is mapped already around the call")
    return chosen


def _check_type(aval: Any, spec: P, mesh: Any, manual: frozenset) -> None:
    """Raises if the type of an argument says that it is divided otherwise along explicit axes, or is no such sum."""
    for what, wanted, found in zip(
        ("unreduced", "reduced"), (spec.unreduced, spec.reduced), summed_sets(aval), strict=True
    ):
        if wanted != found:
            raise ValueError(
                f"fungrad.shard_map: in_specs containing {what} {spec} passed to shard_map should be equal to the "
                f"{what} present on the in_aval {aval!r}; fungrad.reshard the argument before"
            )
    if aval.placement is None:
        return
    explicit = manual.intersection(mesh.explicit_axes)
    n = aval.ndim
    said = [tuple([m for m in aval.placement.spec.names(d) if m in explicit]) for d in range(n)]
    if said != [tuple([m for m in spec.names(d) if m in explicit]) for d in range(n)]:
        raise ValueError(
            f"fungrad.shard_map: in_specs passed to shard_map: {spec} does not match the specs of the input: "
            f"{aval.placement.spec} for arg: {aval}. `in_specs` is an optional argument so you can omit specifying it "
            "and shard_map will infer the in_specs from the arguments. If you want to reshard your inputs, you can use "
            "`fungrad.reshard` on the arguments and then pass those args to shard_map."
        )


def _check_specs(specs: Any, what: str) -> None:
    for leaf in tree.leaves(specs):
        if not isinstance(leaf, PartitionSpec):
            raise TypeError(
                f"fungrad.shard_map: {what} must be a tree of PartitionSpec, got {shown(leaf)}"
            )


def _check_sums(specs: Any, what: str, mesh: Any, manual: frozenset) -> None:
    """Raises unless arguments or results may be unreduced or reduced where their specifications say so."""
    for spec in tree.leaves(specs):
        names = spec.unreduced | spec.reduced
        if not names:
            continue
        said = "unreduced" if spec.unreduced else "reduced"
        if manual != frozenset(mesh.axis_names):
            raise NotImplementedError(
                f"fungrad.shard_map: unreduced/reduced can only be passed to {what} when shard_map is in full manual "
                f"mode. Got mesh axis names {tuple(mesh.axis_names)}, manual_axes: {set(manual)}, specs: {spec}; map "
                "over all axes of the mesh"
            )
        shardings.check_names(mesh, spec, f"shard_map: {what}")
        if not all(mesh.type_of(n) is AxisType.Explicit for n in names):
            raise ValueError(
                f"fungrad.shard_map: {said} in {what} {spec} can only be used when the mesh passed to shard_map "
                f"contains axis names all of type `Explicit`. Got mesh {mesh}"
            )


def _in_specs(in_specs: Any, args: tuple, leaves: Sequence[Any], mesh: Any, name: str) -> list[P]:
    if in_specs is not None:
        return tree.broadcast_prefix(
            in_specs, args, api="fungrad.shard_map", prefix_name="in_specs", full_name=f"the arguments of {name}"
        )
    specs = []
    for x in leaves:
        found = placement(x)
        if found is None:
            found = x.aval.placement if mesh.explicit_axes else None
            if found is None and mesh.are_all_axes_explicit:
                found = NamedSharding(mesh.abstract_mesh, P())
        if isinstance(found, NamedSharding) and isinstance(found.mesh, AbstractMesh):
            if found.mesh.shape_tuple == mesh.shape_tuple:
                specs.append(found.spec)
                continue
        if not isinstance(found, NamedSharding) or found.mesh != mesh:
            raise ValueError(
                f"fungrad.shard_map: in_specs of {name} must be given for {x.aval.str_short()}, which has not been put "
                "on the mesh"
            )
        specs.append(found.spec)
    return specs


def _check_spec(
    shape: Sequence[int], spec: P, mesh: Any, manual: frozenset, what: str, who: str, name: str, out: bool = False
) -> None:
    for n in spec.all_names():
        if n not in manual:
            raise ValueError(
                f"fungrad.shard_map: shard_map {what} argument must refer to an axis marked as manual "
                f"({tuple(sorted(manual, key=str))}), but {what} of {who} of {name} refers to {n!r}"
            )
    shardings.check_names(mesh, spec, f"shard_map: {what}")
    if len(spec) > len(shape):
        raise ValueError(
            f"fungrad.shard_map: shard_map applied to the function {name!r} was given an {what} entry which is "
            f"too long "
            f"to be compatible with {who}: {spec} has length {len(spec)}, but {who} has shape {tuple(shape)}, "
            f"which has "
            f"rank {len(shape)}"
        )
    if out:
        return
    for d, n in enumerate(shape):
        for m in spec.names(d):
            if n % mesh.shape[m]:
                raise ValueError(
                    f"fungrad.shard_map: shard_map applied to the function {name!r} was given argument arrays "
                    f"with axis "
                    f"sizes that are not evenly divisible by the corresponding mesh axis sizes: {who} of shape "
                    f"{tuple(shape)} corresponds to in_specs of value {spec}, which maps array axis {d} (of size "
                    f"{shape[d]}) to mesh axis {m!r} (of size {mesh.shape[m]})"
                )
            n //= mesh.shape[m]


_INFER = object()
"""Stands for dimensions that the shardings of the arguments say."""


def smap(f: Callable[..., Any] | None = None, *, in_axes: Any = _INFER, out_axes: Any, axis_name: Hashable) -> Any:
    """Maps a function over one axis of the mesh that has been set.

    Args:
      f: function of parts. Works as a decorator.
      in_axes: for each argument the dimension that is divided, or None. By default arguments are divided as their
        shardings say.
      out_axes: for each result the dimension along which parts are put together, or None.
      axis_name: the mesh axis.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> with fungrad.set_mesh(fungrad.make_mesh((1,), ("x",))):
      ...   fungrad.smap(lambda x: 2 * x, in_axes=0, out_axes=0, axis_name="x")(jnp.arange(2))
      Array([0, 2], dtype=int32)
    """

    if f is None:
        return functools.partial(smap, in_axes=in_axes, out_axes=out_axes, axis_name=axis_name)

    def spec(axis: int | None) -> P:
        return P() if axis is None else P(*[None] * axis, axis_name)

    def specs(axes: Any) -> Any:
        return tree.map(spec, axes, is_leaf=lambda a: a is None)

    in_specs = None if in_axes is _INFER else specs(tuple(in_axes) if isinstance(in_axes, list) else in_axes)
    return shard_map(f, in_specs=in_specs, out_specs=specs(out_axes), axis_names={axis_name})
