"""Vectorization: the batch trace behind ``vmap``, and the batching of a jaxpr.

``BatchTracer`` is a whole batch that looks like one example: a value with the position of the batch among its
dimensions.  The ``batch`` rule of a primitive says how to run it on whole batches.

May import ``core``, ``ops.foundation``, ``ops.resharding`` and ``ops.collectives``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core import context
from fungrad.core.array import as_array
from fungrad.core.context import AxisData, ManualAxis, Trace, Tracer, named_axis, report_leaks, state, transformation
from fungrad.core.ir import Jaxpr, eval_jaxpr, jaxprs_in_params
from fungrad.core.primitive import Primitive
from fungrad.core.source import current_source
from fungrad.core.staging import DebugInfo, conversion_advice, trace_flat
from fungrad.errors import NonConcreteBooleanIndexError, TracerArrayConversionError, concretization_error_class
from fungrad.ops.collectives import ManualCast, kind_along, refusal
from fungrad.ops.foundation import batch_to
from fungrad.ops.resharding import varied


class BatchTracer(Tracer):
    """One example of a batch: ``value`` holds all of them along dimension ``dim`` (of a value of a user's own type, as
    a ``MappingSpec`` says)."""

    __slots__ = ("value", "dim")

    def __init__(self, trace: BatchTrace, value: Any, dim: Any):
        self._trace = trace
        self.value = value
        self.dim = dim
        aval = value.aval.dec_rank(trace.axis.size, dim)
        self.aval = aval if trace.manual is None else aval.update(vma=aval.vma | trace.manual)

    def _concrete(self, what: str) -> np.ndarray:
        self._leak_check()
        axis: AxisData = self._trace.axis  # type: ignore[attr-defined]
        problem, advice = f"{what} of a mapped value", (
            "Use fungrad.numpy.where or fungrad.lax.cond for choices and array operations instead of Python numbers"
        )
        if concretization_error_class(what) in (TracerArrayConversionError, NonConcreteBooleanIndexError):
            problem, advice = conversion_advice(what)
        raise concretization_error_class(what)(
            f"fungrad.vmap: {problem} inside {self._trace.label}, at {current_source()}: the value "
            f"stands for {axis.size} examples (type per example {self.aval.str_short()}), so there is no single "
            f"answer. {advice}, or do not map the argument (in_axes=None)."
        )

    def __index__(self) -> int:
        if self.aval.ndim:
            return super().__index__()
        self._concrete("__index__()")
        raise AssertionError("unreachable")


class BatchTrace(Trace):
    """Runs every operation on whole batches."""

    # The name of the axis as a set if it is that of a function of shards.
    __slots__ = ("axis", "manual")

    def __init__(self, parent: Trace, axis: AxisData, label: str):
        super().__init__(parent, label)
        self.axis = axis
        self.manual = frozenset((axis.name,)) if type(axis) is ManualAxis else None

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        values: list[Any] = []
        dims: list[int | None] = []
        active = False
        for a in args:
            if type(a) is BatchTracer and a._trace is self:
                values.append(a.value)
                dims.append(a.dim)
                active = True
            else:
                values.append(a)
                dims.append(None)
        state.trace = self.parent
        # A collective over this axis concerns us even if none of its operands is mapped.
        if not active and not names_axis(primitive, params, self.axis.name):
            return primitive.bind(*values, **params)
        values = [as_array(v) for v in values]
        if self.manual is not None and primitive.kind != "higher_order":
            values = self._checked(primitive, params, values, dims)
        out, dim = primitive.batch(self.axis, values, dims, **params)
        if primitive.multiple_results:
            return [self.tracer(x, d) for x, d in zip(out, dim, strict=True)]
        return self.tracer(out, dim)

    def _checked(
        self, primitive: Primitive, params: dict[str, Any], values: Sequence[Any], dims: Sequence[int | None]
    ) -> list[Any]:
        """Operands of an operation among the members of a mesh axis, some of which may be reduced along it: beside
        values that vary every member has a copy.

        Raises:
          ValueError: an operand is one that the operation does not take.
        """
        name = self.axis.name
        out = list(values)
        for i, (x, d) in enumerate(zip(values, dims, strict=True)):
            if d is not None or x.aval.placement is None:
                continue
            kind = kind_along(x.aval, name)
            if kind != "unreduced" and kind != "reduced":
                continue
            if name not in primitive.axis_names(params):
                out[i] = varied(x, name, "shard_map")
            elif not isinstance(primitive, ManualCast):
                said = refusal(primitive.name, kind, x.aval, (name,))
                raise ValueError(f"fungrad.lax.{primitive.name}: {said}")
        return out

    def write_ref(self, ref: Any, value: Any) -> None:
        """Replaces the contents of a reference made inside; one from outside cannot hold a value of every example."""
        if ref._owner is not self:
            raise ValueError(
                "performing a set/swap operation with vmapped value on an unbatched array reference of type "
                f"{ref.aval.str_short()}. Move the array reference to be an argument to the vmapped function?"
            )
        super().write_ref(ref, value)

    def tracer(self, x: Any, dim: int | None) -> Any:
        """The traced view of a batch (of an unbatched value: itself)."""
        return x if dim is None else BatchTracer(self, x, dim)

    def split(self, x: Any) -> tuple[Any, int | None]:
        """Batch and its dimension of a result of the mapped function."""
        if type(x) is BatchTracer and x._trace is self:
            return x.value, x.dim
        if isinstance(x, Tracer):
            x._leak_check()
        return as_array(x), None


def names_axis(primitive: Primitive, params: dict[str, Any], name: Any) -> bool:
    """Whether an operation, or one in a jaxpr among its parameters, is a collective over axis ``name``."""
    if name in primitive.axis_names(params):
        return True
    return any(name in used_axis_names(j) for j in jaxprs_in_params(params))


def used_axis_names(jaxpr: Jaxpr) -> frozenset:
    """Names of all mapped axes to which operations of ``jaxpr`` refer."""
    found = jaxpr.memo.get("axis_names")
    if found is None:
        names: set[Any] = set()
        for eqn in jaxpr.eqns:
            names.update(eqn.primitive.axis_names(eqn.params))
            for sub in jaxprs_in_params(eqn.params):
                names |= used_axis_names(sub)
        found = jaxpr.memo["axis_names"] = frozenset(names)
    return found


def batch_flat(
    fun: Callable[..., Sequence[Any]], axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], label: str
) -> tuple[list[Any], list[int | None]]:
    """Maps a function of flat arguments over a batch.

    Args:
      fun: function of examples that returns a flat sequence.
      axis: name and size of the mapped axis.
      args: batches, and values that are not mapped.
      dims: dimension of the batch in each, or None.
      label: what is being run, for messages.

    Returns:
      The results and the dimension of the batch in each (None if the same for all examples).
    """
    trace = BatchTrace(state.trace, axis, label)
    context.mark_call_site(trace)
    with transformation(trace), named_axis(axis):
        tracers = [trace.tracer(a, d) for a, d in zip(args, dims, strict=True)]
        outs = [trace.split(x) for x in fun(*tracers)]
    if config.check_tracer_leaks:
        del tracers
        report_leaks(trace)
    return [x for x, _ in outs], [d for _, d in outs]


def batch_jaxpr(
    jaxpr: Jaxpr, axis: AxisData, dims: Sequence[int | None], force_out: Sequence[bool] | bool = False
) -> tuple[Jaxpr, list[int | None]]:
    """Batched version of a jaxpr without constants.

    Args:
      jaxpr: the function of one example.
      axis: name and size of the mapped axis.
      dims: dimension of the batch in each input, or None.
      force_out: which results get a batch in dimension 0 even if all examples agree.

    Returns:
      The jaxpr of whole batches, and the dimension of the batch in each result.
    """
    forced = force_out if isinstance(force_out, bool) else tuple(force_out)
    key = ("batch", axis, tuple(dims), forced, state.axis_env)
    if key in jaxpr.memo:
        return jaxpr.memo[key]
    out_dims: list[int | None] = []

    def fun(*args: Any) -> list[Any]:
        outs, found = batch_flat(lambda *xs: eval_jaxpr(jaxpr, (), *xs), axis, args, dims, "vmap")
        wanted = [forced] * len(outs) if isinstance(forced, bool) else forced
        outs = [batch_to(x, d, 0, axis) if w else x for x, d, w in zip(outs, found, wanted, strict=True)]
        out_dims[:] = [0 if w and not x.aval.is_high else d for x, d, w in zip(outs, found, wanted, strict=True)]
        return outs

    divided = () if axis.entry is None else (axis.entry,)
    avals = [
        v.aval if d is None else v.aval.inc_rank(axis.size, d, *(() if v.aval.is_high else divided))
        for v, d in zip(jaxpr.invars, dims, strict=True)
    ]
    if type(axis) is ManualAxis:
        avals = [a.update(vma=a.vma - {axis.name}) if a.vma else a for a in avals]
    name = jaxpr.debug.fun_name if jaxpr.debug else "jaxpr"
    out = trace_flat(fun, avals, DebugInfo(name, (), "vmap")), out_dims
    jaxpr.memo[key] = out
    return out
