"""Rules of sums: along which mesh axes results are unreduced or reduced when operands are.

What is unreduced may be added, moved and multiplied by what is the same on all devices, as the sum may. Functions that
are not linear raise.

May import ``core``, ``ops.resharding`` and the error classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.core import dtypes
from fungrad.core.avals import ShapedArray
from fungrad.core.sharded_types import typing
from fungrad.errors import ShardingTypeError
from fungrad.ops.resharding import summed_sets

# What may be done to summands before they are added up: the result is the sum of the results.
_LINEAR = frozenset(
    """
    add add_any sub neg mul convert_element_type copy broadcast_in_dim reshape squeeze transpose concatenate slice pad
    rev split stack unstack tile reduce_sum select_n optimization_barrier dynamic_update_slice copy_p stop_gradient name
    reduce_precision real imag conj psum pborder pvary psame
    """.split()
)
# What results are reduced of is reduced, with these and with functions of single elements. Others have a result that is
# the same for all members.
_KEEPING = _LINEAR | frozenset("dynamic_slice random_bits".split())
_DROPPING = frozenset("integer_pow clamp".split())
# Of these all operands are summands, or none. The others have operands that say what is done with the summands.
_SUMMANDS_ONLY = frozenset("concatenate stack select_n dynamic_update_slice pad".split())


def sets_of_results(
    primitive: Any, avals: Sequence[ShapedArray], outs: Sequence[ShapedArray]
) -> tuple[frozenset, frozenset]:
    """Along which mesh axes the results are unreduced, and along which reduced.

    Raises:
      ShardingTypeError: the operands do not go together, some being sums.
      NotImplementedError: the operation is not linear.
    """
    name = primitive.name
    sets = [summed_sets(a) for a in avals]
    if not any(u or r for u, r in sets):
        return frozenset(), frozenset()
    # Beside what varies every member has a copy of what is reduced.
    varying = frozenset().union(*[a.vma for a in avals])
    unreduced = [u for u, _ in sets]
    reduced = [r - varying for _, r in sets]
    everywhere = frozenset().union(*unreduced)
    if everywhere & varying:
        raise ValueError(
            f"fungrad.lax.{name}: pvary cannot accept args which are unreduced. Got {_texts(avals)}; along "
            f"{set(varying)} values vary. Take the sum first, with lax.psum, or cast the others with lax.pcast"
        )
    dropped: frozenset = frozenset()
    if name in _DROPPING or (primitive.kind != "elementwise" and name not in _KEEPING):
        dropped = frozenset().union(*reduced) if name == "dot_general" else _manual(avals)
    if typing.lenient:
        # Derivatives of what has been accepted are linear.
        return everywhere, frozenset().union(*reduced) - everywhere - dropped
    out_reduced = frozenset() if name == "dot_general" else _reduced(primitive, avals, reduced) - dropped
    if not everywhere:
        return frozenset(), out_reduced
    if name == "dot_general":
        raise ShardingTypeError(
            f"lhs or rhs passed to dot_general cannot be unreduced. Got lhs={avals[0]!r} and rhs={avals[1]!r}"
        )
    if name not in _LINEAR or (name == "convert_element_type" and not _keeps_sums(avals[0], outs[0])):
        raise NotImplementedError(
            f"fungrad.lax.{name}: unreduced rule for {name} is not implemented: the result is not the sum of the "
            "results of the summands. Reduce the operand first with fungrad.reshard, in shard_map with lax.psum"
            f"{', or convert it before it is unreduced' * (name == 'convert_element_type')}. Got {_texts(avals)}"
        )
    if name == "mul":
        return _of_product(avals, unreduced, reduced)
    return _of_sum(name, avals, unreduced), out_reduced - everywhere


def _keeps_sums(before: ShapedArray, after: ShapedArray) -> bool:
    """Whether a sum is the same, but for rounding, added up before or after its terms are converted.

    Sums of integers wrap around, so that in a wider type, or among floats, they may be others.
    """
    if before.inexact:
        return after.inexact
    bits = before.dtype.itemsize
    return dtypes.is_integer(before.dtype) and dtypes.is_integer(after.dtype) and after.dtype.itemsize <= bits


def _texts(avals: Sequence[ShapedArray]) -> str:
    return ", ".join(a.str_short() for a in avals)


def _reduced(primitive: Any, avals: Sequence[ShapedArray], reduced: Sequence[frozenset]) -> frozenset:
    kept = {r for r in reduced if r}
    if len(kept) > 1:
        raise ShardingTypeError(
            f"All inputs should be reduced across the same mesh axes. Got specs: {sorted(map(sorted, kept))}"
        )
    out = kept.pop() if kept else frozenset()
    for i, (aval, r) in enumerate(zip(avals, reduced, strict=True)):
        if not out or r or (primitive.name == "select_n" and not i):
            continue
        if aval.placement is not None and out & set(aval.placement.spec.all_names()):
            raise ShardingTypeError(
                "Inputs cannot be sharded/varying on the same axes that another input is reduced on. Reshard the "
                "input which is reduced to be sharded on the mesh axes it is reduced on via "
                f"`fungrad.reshard(inp, fungrad.P(...))`. Got input type: {aval!r} and reduced spec: {set(out)}"
            )
        if primitive.kind == "elementwise" and aval.ndim and not summed_sets(aval)[0] and out & _manual(avals):
            raise ShardingTypeError(
                "Inputs cannot be replicated on the same axes that another input is reduced on. Got input type: "
                f"{aval!r} and reduced spec: {set(out)}; cast it with fungrad.lax.pcast(..., to='reduced')"
            )
    return out


def _manual(avals: Sequence[ShapedArray]) -> frozenset:
    return frozenset().union(*[a.placement.mesh.manual_axes for a in avals if a.placement is not None])


def _of_sum(name: str, avals: Sequence[ShapedArray], unreduced: Sequence[frozenset]) -> frozenset:
    some = {u for u in unreduced if u}
    if name in ("add", "add_any", "sub") and not all(unreduced):
        which, other = ("lhs", "rhs") if unreduced[0] else ("rhs", "lhs")
        raise ShardingTypeError(
            f"{which} is unreduced while {other} is not. `{name}` operation does not allow this because there will be "
            f"implicit communication. Please reduce {which} via `reshard` before calling `{name}`."
        )
    # The value with which an array is padded is zero, or a sum as well: `lax.pad` looks at it.
    ours = {"select_n": slice(1, None), "dynamic_update_slice": slice(2), "pad": slice(1)}
    summands = unreduced[ours.get(name, slice(None))]
    if len(some) > 1 or (name in _SUMMANDS_ONLY and not all(summands)):
        who = "lhs and rhs to" if len(avals) == 2 else "All operands of"
        raise ShardingTypeError(
            f"{who} `{name}` must be unreduced along the same mesh axes. Got "
            + ", ".join(str(set(u)) for u in unreduced)
        )
    return some.pop()


def _of_product(
    avals: Sequence[ShapedArray], unreduced: Sequence[frozenset], reduced: Sequence[frozenset]
) -> tuple[frozenset, frozenset]:
    if all(unreduced):
        raise ShardingTypeError(
            "lhs and rhs to `mul` cannot be unreduced since mul is bilinear. Got "
            f"lhs={set(unreduced[0])}, rhs={set(unreduced[1])}"
        )
    k = 0 if unreduced[0] else 1
    if avals[1 - k].ndim and reduced[1 - k] != unreduced[k]:
        names = ("LHS", "RHS")
        raise ShardingTypeError(
            f"{names[1 - k]} should be reduced along the same axes {names[k]} is unreduced on. Got lhs={avals[0]!r} "
            f"and rhs={avals[1]!r}"
        )
    return unreduced[k], frozenset()
