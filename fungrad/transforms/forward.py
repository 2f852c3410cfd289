"""Forward-mode differentiation: the JVP trace, and the JVP of a jaxpr.

``JVPTrace`` carries (primal, tangent) pairs and runs both through the ``jvp`` rule of each primitive.

May import ``core``, ``ops.foundation`` and ``transforms.differentiated``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.config import config
from fungrad.core import context
from fungrad.core.array import as_array
from fungrad.core.avals import Zero
from fungrad.core.context import Trace, Tracer, report_leaks, state, transformation
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.ops.foundation import instantiate
from fungrad.transforms.differentiated import DifferentiatedTracer


class JVPTracer(DifferentiatedTracer):
    """A primal value with its tangent, which is not known to be zero."""

    __slots__ = ()

    def __init__(self, trace: JVPTrace, primal: Any, tangent: Any):
        self._trace = trace
        self.primal = primal
        self.tangent = tangent
        self.aval = primal.aval


class JVPTrace(Trace):
    """Runs every operation on primals and tangents together."""

    differentiates = True
    __slots__ = ()

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        primals, tangents, active = [], [], False
        for a in args:
            if type(a) is JVPTracer and a._trace is self:
                primals.append(a.primal)
                tangents.append(a.tangent)
                active = active or type(a.tangent) is not Zero
            else:
                a = as_array(a)
                primals.append(a)
                tangents.append(Zero(a.aval.tangent()))
        state.trace = self.parent
        if not active:
            return primitive.bind(*primals, **params)
        out, tangent = primitive.jvp(primals, tangents, **params)
        if primitive.multiple_results:
            return [self.tracer(x, t) for x, t in zip(out, tangent, strict=True)]
        return self.tracer(out, tangent)

    def tracer(self, x: Any, tangent: Any) -> Any:
        """A value with its tangent; without one, as that of a comparison, the value itself."""
        return x if type(tangent) is Zero else JVPTracer(self, x, tangent)

    def split(self, x: Any) -> tuple[Any, Any]:
        """Primal and tangent of a result of the differentiated function."""
        if type(x) is JVPTracer and x._trace is self:
            return x.primal, x.tangent
        if isinstance(x, Tracer):
            x._leak_check()
        x = as_array(x)
        return x, Zero(x.aval.tangent())


def jvp_flat(
    fun: Callable[..., Sequence[Any]], primals: Sequence[Any], tangents: Sequence[Any], label: str
) -> tuple[list[Any], list[Any]]:
    """JVP of a function of flat arguments that returns a flat sequence.

    Args:
      fun: function of arrays.
      primals: arrays or tracers.
      tangents: values or ``Zero``, of the primals' tangent types.
      label: what is being run, for messages.

    Returns:
      Results and their tangents (values or ``Zero``).
    """
    trace = JVPTrace(state.trace, label)
    context.mark_call_site(trace)
    with transformation(trace):
        args = [p if type(t) is Zero else JVPTracer(trace, p, t) for p, t in zip(primals, tangents, strict=True)]
        outs = [trace.split(x) for x in fun(*args)]
    if config.check_tracer_leaks:
        del args
        report_leaks(trace)
    return [p for p, _ in outs], [t for _, t in outs]


def jvp_jaxpr(
    jaxpr: Jaxpr, nonzero: Sequence[bool], instantiate_out: bool | Sequence[bool] = False
) -> tuple[Jaxpr, list[bool]]:
    """JVP of a jaxpr without constants.

    Args:
      jaxpr: the function.
      nonzero: which inputs have a tangent.
      instantiate_out: which tangents of results are made arrays even if they are symbolic zeros.

    Returns:
      A jaxpr of the inputs followed by the given tangents, whose results are the results followed by their non-zero
      tangents; and which results have one.
    """
    wanted = tuple(instantiate_out) if not isinstance(instantiate_out, bool) else instantiate_out
    key = ("jvp", tuple(nonzero), wanted, state.axis_env)
    if key in jaxpr.memo:
        return jaxpr.memo[key]
    n = len(jaxpr.invars)
    out_nonzero: list[bool] = []

    def fun(*args: Any) -> list[Any]:
        given = iter(args[n:])
        tangents = [next(given) if nz else Zero(v.aval.tangent()) for nz, v in zip(nonzero, jaxpr.invars, strict=True)]
        outs, out_tangents = jvp_flat(lambda *xs: eval_jaxpr(jaxpr, (), *xs), args[:n], tangents, "jvp")
        force = [wanted] * len(outs) if isinstance(wanted, bool) else wanted
        out_tangents = [instantiate(t) if w else t for t, w in zip(out_tangents, force, strict=True)]
        out_nonzero[:] = [type(t) is not Zero for t in out_tangents]
        return outs + [t for t in out_tangents if type(t) is not Zero]

    avals = [v.aval for v in jaxpr.invars]
    avals += [v.aval.tangent() for v, nz in zip(jaxpr.invars, nonzero, strict=True) if nz]
    name = jaxpr.debug.fun_name if jaxpr.debug else "jaxpr"
    out = trace_flat(fun, avals, DebugInfo(name, (), "jvp")), out_nonzero
    jaxpr.memo[key] = out
    return out
