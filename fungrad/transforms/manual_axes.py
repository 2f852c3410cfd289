"""Differentiation inside functions of shards (``shard_map``).

Along the axes of such a function a value is either the same for all members, and then it is one value, or it varies. To
differentiate, everything is taken to vary: each member has a cotangent of its own, and ``psum`` is its own transpose.
Only at the border the difference counts: the cotangent of an argument that is one value is the sum over the members
that use it, and that of a result that is one value is divided among them.

May import ``core``, ``ops`` and the trace modules of ``transforms``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core.array import as_array
from fungrad.core.context import ManualAxis, Tracer, state
from fungrad.ops.collectives import psame_p, pvary_p
from fungrad.ops.resharding import summed_sets
from fungrad.transforms.batching import BatchTracer
from fungrad.transforms.forward import JVPTracer
from fungrad.transforms.linearization import LinearizeTracer, LinearProgram, linearize_flat


def varying(x: Any) -> set:
    """Names of the axes of functions of shards along which ``x`` differs."""
    names: set = set()
    while isinstance(x, Tracer):
        if type(x) is BatchTracer:
            if type(x._trace.axis) is ManualAxis:  # type: ignore[attr-defined]
                names.add(x._trace.axis.name)  # type: ignore[attr-defined]
            x = x.value
        elif type(x) is LinearizeTracer or type(x) is JVPTracer:
            x = x.primal
        else:
            # A variable of a loop or branch inside of such a function: its type says it.
            names |= x.aval.vma
            break
    return names


def _same(axes: Sequence[Any], x: Any) -> tuple:
    """The axes along which ``x`` is the same for all members, and its cotangents are too: what is unreduced or reduced
    has one cotangent anyway."""
    differs = varying(x).union(*summed_sets(x.aval))
    return tuple([a for a in axes if a not in differs])


def linearize_at(
    fun: Callable[..., Sequence[Any]], primals: Sequence[Any], active: Sequence[bool], label: str
) -> tuple[list[Any], LinearProgram]:
    """``linearize_flat`` for a derivative that a user takes: minds the axes of functions of shards around it."""
    axes = [a.name for a in state.axis_env if type(a) is ManualAxis]
    if not axes:
        return linearize_flat(fun, primals, active, label)
    same = [_same(axes, p) for p in primals]

    def inside(*xs: Any) -> list[Any]:
        given = [
            pvary_p.bind(x, axes=names) if on and names else x for x, names, on in zip(xs, same, active, strict=True)
        ]
        outs = []
        for x in fun(*given):
            x = as_array(x)
            names = _same(axes, x) if x.aval.inexact else ()
            outs.append(psame_p.bind(x, axes=names) if names else x)
        return outs

    return linearize_flat(inside, primals, active, label)
