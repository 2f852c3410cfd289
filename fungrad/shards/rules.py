"""Rules of shardings: how results are divided along the explicit axes of a mesh when operands are.

One rule per operation, or per kind of operation. A rule gets the primitive, the types of the operands, the parameters
and the types of the results without shardings, and returns for each result the entries of a ``PartitionSpec``. What
cannot be told without moving data raises ``ShardingTypeError``: the user is to say it.

May import ``core`` and ``fungrad.sharding``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core.avals import ShapedArray
from fungrad.core.meshes import DuplicateSpecError, PartitionSpec
from fungrad.core.sharded_types import register_rules
from fungrad.core.shardings import NamedSharding, check_names
from fungrad.errors import ShardingTypeError
from fungrad.ops.collectives import over_manual_axes
from fungrad.shards.reshaping import reshaped_entries
from fungrad.shards.summed import sets_of_results

Entries = Sequence[Any]
Rule = Callable[..., Sequence[Entries]]


def entries_of(aval: ShapedArray) -> tuple[Any, ...]:
    """What divides each dimension."""
    if aval.placement is None:
        return (None,) * aval.ndim
    return aval.placement.spec.partitions  # type: ignore[no-any-return]


def _mesh_of(avals: Sequence[ShapedArray]) -> Any:
    mesh = None
    for aval in avals:
        if aval.placement is None:
            continue
        if mesh is not None and aval.placement.mesh != mesh:
            raise ShardingTypeError(
                f"Mesh for all inputs should be equal. Got one mesh: {mesh} and another mesh: {aval.placement.mesh}"
            )
        mesh = aval.placement.mesh
    return mesh


def shardings(
    primitive: Any, avals: Sequence[ShapedArray], params: dict[str, Any], outs: Sequence[ShapedArray]
) -> list[NamedSharding | None]:
    """The shardings of the results of an operation of which some operands have one."""
    mesh = _mesh_of(avals)
    rule = _RULES.get(primitive.name) or _KINDS.get(primitive.kind)
    if rule is None:
        if all(not any(entries_of(a)) for a in avals):
            rule = _undivided
        else:
            raise ShardingTypeError(
                f"sharding rule for {primitive.name} is not implemented; leave the operation to automatic sharding "
                f"with fungrad.sharding.auto_axes(fun, out_sharding=...). Got {_texts(avals)}"
            )
    found = rule(primitive.name, mesh, avals, params, outs)
    unreduced, reduced = sets_of_results(primitive, avals, outs)
    made: list[NamedSharding | None] = []
    for entries, out in zip(found, outs, strict=True):
        spec = PartitionSpec(*entries)
        try:
            check_names(mesh, spec, primitive.name)
            if unreduced or reduced:
                spec = spec.update(unreduced=unreduced, reduced=reduced)
        except DuplicateSpecError as error:
            sizes = ",".join(
                str(n) + (f"@{e}" if isinstance(e, str) else f"@({','.join(map(str, e))})" if e else "")
                for n, e in zip(out.shape, spec, strict=True)
            )
            raise ShardingTypeError(
                f"{primitive.name} operation with inputs: {_texts(avals)} produces an illegally sharded result: "
                f"{out.str_short().partition('[')[0]}[{sizes}]"
            ) from error
        made.append(NamedSharding(mesh, spec))
    return made


def _texts(avals: Sequence[ShapedArray]) -> str:
    return ", ".join(a.str_short() for a in avals)


# -- elementwise ------------------------------------------------------------------------------------------------------


def broadcast_entries(name: str, avals: Sequence[ShapedArray]) -> list[Any]:
    """What divides the dimensions of operands that are repeated to one shape."""
    whole = [a for a in avals if a.ndim]
    if not whole:
        return []
    specs = [entries_of(a) for a in whole]
    out: list[Any] = []
    for d in range(whole[0].ndim):
        # A dimension of size 1 is repeated on every device.
        names = [s[d] for s, a in zip(specs, whole, strict=True) if s[d] is not None]
        if any(n != names[0] for n in names):
            raise ShardingTypeError(
                f"{name} got incompatible shardings for broadcasting: {', '.join(str(tuple(s)) for s in specs)}."
            )
        out.append(names[0] if names else None)
    return out


def _elementwise(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    return [broadcast_entries(name, avals)] * len(outs)


def _same(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    return [entries_of(avals[i % len(avals)]) for i in range(len(outs))]


def _undivided(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    return [(None,) * o.ndim for o in outs]


def _bitcast(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    entries = entries_of(avals[0])
    n = outs[0].ndim
    return [(*entries[:n], *[None] * (n - len(entries)))]


# -- structure --------------------------------------------------------------------------------------------------------


def _broadcast_in_dim(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    out: list[Any] = [None] * outs[0].ndim
    for d, e in zip(params["broadcast_dimensions"], entries_of(avals[0]), strict=True):
        out[d] = e
    return [out]


def _transpose(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    entries = entries_of(avals[0])
    return [[entries[d] for d in params["permutation"]]]


def _squeeze(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    return [_without(entries_of(avals[0]), params["dimensions"])]


def _without(entries: Entries, dimensions: Sequence[int]) -> list[Any]:
    return [e for d, e in enumerate(entries) if d not in dimensions]


def _reshape(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    x = avals[0]
    out = reshaped_entries(x.shape, params["new_sizes"], entries_of(x), mesh.shape)
    if out is None or (params.get("dimensions") is not None and any(entries_of(x))):
        raise ShardingTypeError(
            "This reshape is not supported. Please specify the sharding of the output via the `out_sharding` argument "
            f"of fungrad.lax.reshape. Got operand type: {x!r}, new sizes: {tuple(params['new_sizes'])}"
        )
    return [out]


def _varying_shape(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    """Results with other sizes: a dimension that is divided must have a size that can be."""
    x = avals[0]
    for out in outs:
        for n, m, e in zip(x.shape, out.shape, entries_of(x), strict=True):
            size = axes_size(mesh, e)
            if n != m and m % size:
                raise ShardingTypeError(
                    f"{name} on sharded dims where out dim ({m}) is not divisible by mesh axes ({size}) with spec "
                    f"({e}) is not implemented. Got input type={x.str_short()} and output shape={out.shape}"
                )
    return [entries_of(x)] * len(outs)


def axes_size(mesh: Any, entry: Any) -> int:
    """Into how many parts an entry of a specification divides."""
    if entry is None:
        return 1
    return math.prod([mesh.shape[n] for n in (entry if isinstance(entry, tuple) else (entry,))])


def _concatenate(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    placed = [a for a in avals if a.placement is not None]
    if any(entries_of(a) != entries_of(placed[0]) for a in placed):
        raise ShardingTypeError(
            "All operands should have the same sharding. Got shardings "
            + ", ".join(str(a.placement) for a in avals)
        )
    entries = list(entries_of(placed[0]))
    if name == "stack":
        entries.insert(params["axis"], None)
    return [entries]


def _unstack(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    x, axis = avals[0], params["axis"]
    if entries_of(x)[axis] is not None:
        raise ShardingTypeError(
            f"The input should be unsharded over the axis along which to unstack. Got input type={x!r} and axis={axis}"
        )
    return [_without(entries_of(x), (axis,))] * len(outs)


def _tile(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    for i, (r, e) in enumerate(zip(params["reps"], entries_of(avals[0]), strict=True)):
        if r != 1 and e is not None:
            raise ShardingTypeError(
                f"Operand cannot be sharded on dimension {i} when the tiling is non-trivial. Got input type: "
                f"{avals[0]!r} with reps: {params['reps']}"
            )
    return [entries_of(avals[0])]


def _dynamic_update_slice(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    x, update = avals[0], avals[1]
    if entries_of(x) != entries_of(update):
        raise ShardingTypeError(
            "dynamic_update_slice operand sharding must be equal to update sharding, got operand sharding "
            f"{x.str_short(mesh_axis_types=True)} and update sharding {update.str_short(mesh_axis_types=True)}."
        )
    return [entries_of(x)]


# -- reductions, orders ------------------------------------------------------------------------------------------------


def _reduction(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    return [_without(entries_of(avals[0]), params["axes"])] * len(outs)


def _cumulative(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    axis = params["axis"]
    for x in avals:
        if entries_of(x)[axis] is not None:
            raise ShardingTypeError(
                f"Input should be unsharded over the axis being reduced. Got input type={x!r} and axis={axis}"
            )
    return [broadcast_entries(name, avals)] * len(outs)


def _sort(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    placed = [a for a in avals if a.placement is not None]
    for x in placed:
        if entries_of(x)[params["dimension"]] is not None:
            raise ShardingTypeError(
                "Arguments to sort must be unsharded over the sorting dimension. Got arg "
                f"sharding={x.placement} and sorting dimension={params['dimension']}"
            )
        if x.placement != placed[0].placement:
            raise ShardingTypeError(
                "Arguments to sort must have equal shardings, got: " + " ".join(str(a.placement) for a in placed)
            )
    return [entries_of(placed[0])] * len(outs)


def _top_k(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    x, axis = avals[0], params["axis"]
    if entries_of(x)[axis] is not None:
        raise ShardingTypeError(
            "The input should be unsharded over the axis along which to compute the top_k values. Got input "
            f"type={x!r} and axis={axis}"
        )
    return [entries_of(x)] * len(outs)


# -- products ---------------------------------------------------------------------------------------------------------


def _dot_general(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    (inner_x, inner_y), (batch_x, batch_y) = params["dimension_numbers"]
    x, y = entries_of(avals[0]), entries_of(avals[1])
    of_x, of_y = tuple([x[d] for d in batch_x]), tuple([y[d] for d in batch_y])
    _check_consistent(of_x, of_y, "lhs batch dimensions and rhs batch dimensions to have the consistent")
    lhs_contracting_spec, rhs_contracting_spec = tuple([x[d] for d in inner_x]), tuple([y[d] for d in inner_y])
    _check_consistent(lhs_contracting_spec, rhs_contracting_spec, "contracting dimensions to have consistent")
    if any(a is not None and b is not None for a, b in zip(lhs_contracting_spec, rhs_contracting_spec, strict=True)):
        raise ShardingTypeError(
            "Contracting dimensions are sharded and it is ambiguous how the output should be sharded. Please specify "
            f"the output sharding via the `out_sharding` parameter. Got {lhs_contracting_spec=} and "
            f"{rhs_contracting_spec=}"
        )
    batch = [a if a is not None else b for a, b in zip(of_x, of_y, strict=True)]
    return [[*batch, *_without(x, (*inner_x, *batch_x)), *_without(y, (*inner_y, *batch_y))]]


def _check_consistent(x: Entries, y: Entries, what: str) -> None:
    if any(a is not None and b is not None and a != b for a, b in zip(x, y, strict=True)):
        raise ShardingTypeError(f"dot_general requires {what} sharding, got {x} and {y}.")


def _convolution(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    x, y = avals
    dimensions, _, out_dimensions = params["dimension_numbers"]
    entries = entries_of(x)
    if any(entries_of(y)) or entries[dimensions[1]] is not None:
        raise ShardingTypeError(
            "Please specify the output sharding via `out_sharding` parameter of `conv_general_dilated`. Got "
            f"{_texts(avals)}"
        )
    out: list[Any] = [None] * outs[0].ndim
    for d, o in zip(dimensions, out_dimensions, strict=True):
        size = axes_size(mesh, entries[d])
        if outs[0].shape[o] % size:
            raise ShardingTypeError(
                f"{name} on sharded dims where out dim ({outs[0].shape[o]}) is not divisible by mesh axes ({size}) "
                f"with spec ({entries[d]}) is not implemented. Got input type={x.str_short()}"
            )
        out[o] = entries[d]
    return [out]


def _linalg(name: str, mesh: Any, avals: Any, params: dict, outs: Any, *, ranks: Sequence[int]) -> list[Entries]:
    """Operations on matrices and vectors, which no mesh axis may divide; those of a batch may be on many devices."""
    batches = []
    for i, (x, rank) in enumerate(zip(avals, ranks, strict=True)):
        entries = entries_of(x)
        cut = x.ndim - rank
        if any(entries[cut:]):
            raise ShardingTypeError(f"Input {i} to {name} must be unsharded on non-batch dimensions, but got {x!r}.")
        batches.append(tuple(entries[:cut]))
    if any(b != batches[0] for b in batches):
        raise ShardingTypeError(f"All inputs to {name} must have the same batch sharding, but got {batches}.")
    return [(*batches[0], *[None] * (o.ndim - len(batches[0])))[: o.ndim] for o in outs]


def _triangular_solve(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    a, b = entries_of(avals[0]), entries_of(avals[1])
    left, transposed = bool(params.get("left_side")), bool(params.get("transpose_a"))
    if a[:-2] != b[:-2]:
        raise ShardingTypeError(
            f"All inputs to triangular_solve must have the same batch sharding, but got {a[:-2]} and {b[:-2]}."
        )
    if a[-2:][left ^ transposed] is not None:
        raise ShardingTypeError(
            f"triangular solve input `a` must be unsharded on the contracting axis, but got {avals[0]!r}"
        )
    if b[-2:][not left] is not None:
        raise ShardingTypeError(
            f"triangular solve input `b` must be unsharded on the contracting axis, but got {avals[1]!r}"
        )
    return [(*a[:-2], *((a[-2:][transposed], b[-1]) if left else (b[-2], a[-2:][not transposed])))]


# -- indices ----------------------------------------------------------------------------------------------------------


def _gather(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    out = _gathered(avals[0], avals[1], params["dimension_numbers"], params["slice_sizes"], outs[0].ndim)
    if out is None:
        raise ShardingTypeError(
            "Use `.at[...].get(out_sharding=)` to provide output PartitionSpec for the gather indexing as out sharding "
            "could not be resolved unambiguously (or would require collectives on inputs). Got "
            f"operand={avals[0]!r}, indices={avals[1]!r}"
        )
    return [out]


def _gathered(x: ShapedArray, indices: ShapedArray, numbers: Any, sizes: Sequence[int], rank: int) -> Entries | None:
    entries, numbering = entries_of(x), list(entries_of(indices))
    if numbering and numbering.pop() is not None:
        return None
    pairs = list(zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True))
    for d, e in enumerate(entries):
        # A device that has a part of what is sliced cannot tell.
        if e is not None and d not in numbers.operand_batching_dims and sizes[d] != x.shape[d]:
            return None
    for d, i in pairs:
        if entries[d] is not None and numbering[i] is not None and entries[d] != numbering[i]:
            return None
        numbering[i] = numbering[i] if numbering[i] is not None else entries[d]
    # The derivative would add up what different devices have found.
    if any(e is not None for i, e in enumerate(numbering) if i not in numbers.start_indices_batching_dims):
        return None
    window = iter([
        e
        for d, e in enumerate(entries)
        if d not in numbers.collapsed_slice_dims and d not in numbers.operand_batching_dims
    ])
    rest = iter(numbering)
    return [next(window) if d in numbers.offset_dims else next(rest) for d in range(rank)]


def _scatter(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    out = _scattered(avals[0], avals[1], avals[2], params["dimension_numbers"])
    if out is None:
        raise ShardingTypeError(
            "Use `.at[...].set/add/mul/...(out_sharding=)` to provide output PartitionSpec for the scatter update as "
            "out sharding could not be resolved unambiguously (or would require collectives on inputs). Got "
            f"operand={avals[0]!r}, indices={avals[1]!r}, updates={avals[2]!r}"
        )
    return [out]


def _scattered(x: ShapedArray, indices: ShapedArray, updates: ShapedArray, numbers: Any) -> Entries | None:
    entries, numbering, new = list(entries_of(x)), list(entries_of(indices)), entries_of(updates)
    if numbering and numbering.pop() is not None:
        return None
    batching = numbers.operand_batching_dims
    in_window = [d for d in range(x.ndim) if d not in numbers.inserted_window_dims and d not in batching]
    for d, u in zip(in_window, numbers.update_window_dims, strict=True):
        if updates.shape[u] != x.shape[d]:
            if entries[d] is not None or new[u] is not None:
                return None
        elif entries[d] is not None and new[u] is not None and entries[d] != new[u]:
            return None
        else:
            entries[d] = entries[d] if entries[d] is not None else new[u]
    if any(entries[d] is not None for d in numbers.inserted_window_dims):
        return None
    number_dims = [d for d in range(updates.ndim) if d not in numbers.update_window_dims]
    pairs = dict(zip(numbers.scatter_indices_batching_dims, batching, strict=True))
    for i, u in enumerate(number_dims):
        if i not in pairs:
            if numbering[i] is not None or new[u] is not None:
                return None
            continue
        names = {e for e in (entries[pairs[i]], numbering[i], new[u]) if e is not None}
        if len(names) > 1:
            return None
        entries[pairs[i]] = names.pop() if names else None
    return entries


# -- random keys ------------------------------------------------------------------------------------------------------


def _leading(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    """Results with the dimensions of the first operand, and more or fewer after them."""
    entries = entries_of(avals[0])
    return [(*entries, *[None] * (o.ndim - len(entries)))[: o.ndim] for o in outs]


_KINDS: dict[str, Rule] = {"elementwise": _elementwise, "reduction": _reduction}

_RULES: dict[str, Rule] = {
    "bitcast_convert_type": _bitcast,
    "broadcast_in_dim": _broadcast_in_dim,
    "transpose": _transpose,
    "squeeze": _squeeze,
    "reshape": _reshape,
    "concatenate": _concatenate,
    "stack": _concatenate,
    "unstack": _unstack,
    "tile": _tile,
    "rev": _same,
    "sharding_constraint": _same,
    "dynamic_update_slice": _dynamic_update_slice,
    "sort": _sort,
    "top_k": _top_k,
    "dot_general": _dot_general,
    "conv_general_dilated": _convolution,
    "triangular_solve": _triangular_solve,
    "gather": _gather,
    "iota": _undivided,
    **dict.fromkeys(("slice", "pad", "split", "dynamic_slice"), _varying_shape),
    **dict.fromkeys(("reduce_window_sum", "reduce_window_max", "reduce_window_min"), _varying_shape),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp", "linear_recurrence"), _cumulative),
    **dict.fromkeys(
        ("scatter", "scatter-add", "scatter-sub", "scatter-mul", "scatter-min", "scatter-max"), _scatter
    ),
    **dict.fromkeys(("random_wrap", "random_unwrap", "random_seed", "random_split", "random_bits"), _leading),
    **dict.fromkeys(("random_fold_in", "random_gamma"), _elementwise),
    **dict.fromkeys(("optimization_barrier", "psum", "pmax", "pmin", "pborder", "pvary", "psame", "ppermute"), _same),
    **dict.fromkeys(
        ("check", "debug_check", "pure_callback", "io_callback", "debug_callback", "create_token", "after_all"),
        _undivided,
    ),
    **{
        name: functools.partial(_linalg, ranks=ranks)
        for name, ranks in {
            "cholesky": (2,), "lu": (2,), "svd": (2,), "eigh": (2,), "eig": (2,), "qr": (2,), "geqrf": (2,),
            "householder_product": (2, 1), "hessenberg": (2,), "tridiagonal": (2,), "schur": (2,),
            "tridiagonal_solve": (1, 1, 1, 2), "cholesky_update": (2, 1), "lu_pivots_to_permutation": (1,),
            "ormqr": (2, 1, 2),
        }.items()
    },
}  # fmt: skip


def _fft(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    return _linalg(name, mesh, avals, params, outs, ranks=(len(params["fft_lengths"]),))


def _select_and_gather_add(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    if entries_of(avals[0]) != entries_of(avals[1]):
        raise ShardingTypeError(
            f"{name} tangents and operand shardings must match, got {avals[0].placement} and {avals[1].placement}."
        )
    return _varying_shape(name, mesh, avals[1:], params, outs)


def _select_and_scatter_add(name: str, mesh: Any, avals: Any, params: dict, outs: Any) -> list[Entries]:
    return _varying_shape(name, mesh, avals[1:], params, outs)


_RULES.update({
    "fft": _fft,
    "select_and_gather_add": _select_and_gather_add,
    "select_and_scatter_add": _select_and_scatter_add,
})


def varying(primitive: Any, avals: Sequence[ShapedArray], params: dict[str, Any]) -> frozenset:
    """Along which axes of functions of shards the results vary: those along which an operand does."""
    names = frozenset().union(*[a.vma for a in avals])
    if primitive.name in ("psum", "pmax", "pmin"):
        return names.difference(params["axes"])
    if primitive.name in ("all_gather", "pbroadcast"):
        return names.difference(primitive.axis_names(params))
    if primitive.name in ("reduce_scatter", "all_to_all"):
        return names.union([n for n in primitive.axis_names(params) if over_manual_axes((n,))])
    if primitive.name == "pvary":
        return names.union(params["axes"])
    return names


register_rules(shardings, varying)
