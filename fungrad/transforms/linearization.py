"""Linearization: evaluating a function once while recording its derivative as a linear program.

Two small traces do it.  ``LinearizeTrace`` pairs a primal value with a variable for its tangent, and runs the ``jvp``
rule of each primitive under ``TangentTrace``.  There an operation on tangent variables is recorded, and every other
operation is executed at once: that one distinction is all the partial evaluation there is.  The values that recorded
operations need are the residuals.

May import ``core`` and ``transforms.differentiated``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.config import config, watch
from fungrad.core import context
from fungrad.core.array import Array, ArrayImpl, as_array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import EVAL, Trace, Tracer, evaluate, report_leaks, state, transformation
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.source import Source, attributed, current_source
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.errors import concretization_error_class
from fungrad.transforms.differentiated import DifferentiatedTracer

_new = object.__new__


def run_in(trace: Trace, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """Applies a primitive in ``trace``, from a ``process`` method (which need not restore the current trace)."""
    if trace is EVAL:
        state.trace = EVAL
        return evaluate(primitive, args, params)
    state.trace = trace
    return primitive.bind(*args, **params)


class TangentVar(Tracer):
    """A tangent that has no value yet: a variable of the linear program."""

    __slots__ = ()

    def __init__(self, trace: TangentTrace, aval: ShapedArray):
        self._trace = trace
        self.aval = aval

    def _concrete(self, what: str) -> np.ndarray:
        raise concretization_error_class(what)(
            f"fungrad: {what} of a tangent while a function is being linearized: a derivative rule must be linear in "
            "its tangents, so it cannot look at their values"
        )


class LinearEqn:
    """One recorded operation of a linear program; operands are ``TangentVar``s or residual values.

    ``source`` is the user's line, where somebody will want to know it.
    """

    __slots__ = ("primitive", "args", "params", "outs", "source")

    def __init__(
        self,
        primitive: Primitive,
        args: Sequence[Any],
        params: dict[str, Any],
        outs: list[TangentVar],
        source: Source | None,
    ):
        self.primitive = primitive
        self.args = args
        self.params = params
        self.outs = outs
        self.source = source


class TangentTrace(Trace):
    """Records operations on tangent variables and executes all others in the parent."""

    __slots__ = ("eqns", "high")

    def __init__(self, parent: Trace, label: str):
        super().__init__(parent, label)
        self.eqns: list[LinearEqn] = []
        # Whether operations on types of users' own are among the recorded ones.
        self.high = False

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        for a in args:
            if type(a) is TangentVar and a._trace is self:
                break
        else:
            return run_in(self.parent, primitive, args, params)
        for a in args:
            if not isinstance(a, Array):
                args = [as_array(a) for a in args]
                break
        self.high = self.high or primitive.is_high_in(params)
        # Finding the line costs as much as a small operation: eagerly nobody asks, but for the debugging of NaNs.
        source = current_source() if self.parent is not EVAL or watch.results else None
        if primitive.multiple_results:
            out = primitive.abstract(tuple([a.aval for a in args]), params)
            outs = [TangentVar(self, a) for a in out]
            self.eqns.append(LinearEqn(primitive, args, params, outs, source))
            return outs
        return self.record(primitive, args, params, None, source)

    def record(
        self,
        primitive: Primitive,
        args: Sequence[Any],
        params: dict[str, Any],
        aval: ShapedArray | None = None,
        source: Source | None = None,
    ) -> TangentVar:
        """Records an operation with one result on variables and arrays; ``aval`` is the result's type, if known."""
        # Constructors and `abstract`, written out.
        if aval is None:
            avals = (args[0].aval, args[1].aval) if len(args) == 2 else tuple([a.aval for a in args])
            aval = primitive.memo.get(avals) if not params else None
            if aval is None:
                aval = primitive.abstract(avals, params)
        var = _new(TangentVar)
        var._trace = self
        var.aval = aval
        eqn = _new(LinearEqn)
        eqn.primitive = primitive
        eqn.args = args
        eqn.params = params
        eqn.outs = [var]
        eqn.source = source
        self.eqns.append(eqn)
        return var


class LinearizeTracer(DifferentiatedTracer):
    """A primal value with the variable of its tangent."""

    __slots__ = ()

    def __init__(self, trace: LinearizeTrace, primal: Any, tangent: Any):
        self._trace = trace
        self.primal = primal
        self.tangent = tangent
        self.aval = primal.aval


class LinearizeTrace(Trace):
    """Executes operations on primals and records their derivatives."""

    differentiates = True
    __slots__ = ("tangents", "eager")

    def __init__(self, parent: Trace, label: str):
        super().__init__(parent, label)
        self.tangents = TangentTrace(parent, label)
        self.eager = parent is EVAL

    def bind(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if not self.eager or watch.slow:
            return super().bind(primitive, args, params)
        # The short form of `process`, for concrete arrays. A result without a tangent is a constant here.
        primals: list[Any] = []
        tangents: list[Any] = []
        active = False
        for a in args:
            if type(a) is LinearizeTracer and a._trace is self:
                primal, tangent = a.primal, a.tangent
                if type(primal) is not ArrayImpl or type(tangent) is not TangentVar:
                    return super().bind(primitive, args, params)
                active = True
                primals.append(primal)
                tangents.append(tangent)
            elif type(a) is ArrayImpl:
                primals.append(a)
                tangents.append(None)
            else:
                return super().bind(primitive, args, params)
        if not active:
            return evaluate(primitive, primals, params)
        rule = primitive.linearize_now
        if rule is None:
            return super().bind(primitive, args, params)
        state.trace = EVAL
        try:
            result = rule(self.tangents.record, primals, tangents, params)
        finally:
            state.trace = self
        if result is NotImplemented:
            return super().bind(primitive, args, params)
        out, tangent = result
        if tangent is None:
            return out
        tracer = _new(LinearizeTracer)
        tracer._trace = self
        tracer.primal = out
        tracer.tangent = tangent
        tracer.aval = out.aval
        return tracer

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        primals, tangents, active = [], [], False
        for a in args:
            if type(a) is LinearizeTracer and a._trace is self:
                primals.append(a.primal)
                tangents.append(a.tangent)
                active = active or type(a.tangent) is not Zero
            else:
                a = as_array(a)
                primals.append(a)
                tangents.append(Zero(a.aval.tangent()))
        if not active:
            return run_in(self.parent, primitive, primals, params)
        state.trace = self.tangents
        out, tangent = primitive.linearize(primals, tangents, **params)
        if primitive.multiple_results:
            return [self.tracer(x, t) for x, t in zip(out, tangent, strict=True)]
        return self.tracer(out, tangent)

    def tracer(self, x: Any, tangent: Any) -> Any:
        """A value with its tangent; without one, as that of a comparison, the value itself."""
        return x if type(tangent) is Zero else LinearizeTracer(self, x, tangent)

    def split(self, x: Any) -> tuple[Any, Any]:
        """Primal and tangent of a result of the linearized function.

        A tangent that is not one of our variables does not depend on the inputs, so being linear it is zero.
        """
        if type(x) is LinearizeTracer and x._trace is self:
            t = x.tangent
            ours = type(t) is TangentVar and t._trace is self.tangents
            return x.primal, t if ours else Zero(x.aval.tangent())
        if isinstance(x, Tracer):
            x._leak_check()
        x = as_array(x)
        return x, Zero(x.aval.tangent())


class LinearProgram:
    """The derivative of a function at a point.

    Attributes:
      inputs: one ``TangentVar`` per differentiated input.
      eqns: recorded operations, in order.
      outputs: ``TangentVar``, or ``Zero`` where a result does not depend on the inputs.
      high: whether there may be values of users' own types among those that it computes.
    """

    __slots__ = ("inputs", "eqns", "outputs", "high")

    def __init__(
        self, inputs: Sequence[TangentVar], eqns: Sequence[LinearEqn], outputs: Sequence[Any], high: bool = False
    ):
        self.inputs = inputs
        self.eqns = eqns
        self.outputs = outputs
        self.high = high

    def push_forward(self, tangents: Sequence[Any]) -> list[Any]:
        """Tangents of the results (values or ``Zero``) for tangents of the inputs, in the current context."""
        # Variables are keyed by identity: arrays do not hash.
        env: dict[int, Any] = dict(zip(map(id, self.inputs), tangents, strict=True))
        for eqn in self.live_eqns():
            with attributed(eqn.source):
                out = eqn.primitive.bind(*[env.get(id(a), a) for a in eqn.args], **eqn.params)
            env.update(zip(map(id, eqn.outs), out if eqn.primitive.multiple_results else [out], strict=True))
        return [env.get(id(x), x) for x in self.outputs]

    def live_eqns(self) -> list[LinearEqn]:
        """The operations on which the outputs depend, in order."""
        needed = {id(x) for x in self.outputs if type(x) is TangentVar}
        live = []
        for eqn in reversed(self.eqns):
            if any(id(v) in needed for v in eqn.outs) or eqn.primitive.has_effects:
                needed.update(id(a) for a in eqn.args if type(a) is TangentVar)
                live.append(eqn)
        live.reverse()
        return live


def linearize_flat(
    fun: Callable[..., Sequence[Any]], primals: Sequence[Any], active: Sequence[bool], label: str
) -> tuple[list[Any], LinearProgram]:
    """Evaluates ``fun`` and records its derivative with respect to the active inputs.

    Args:
      fun: function of flat arguments that returns a flat sequence.
      primals: arrays or tracers.
      active: which inputs are differentiated.
      label: what is being run, for messages.

    Returns:
      The results, and the linear program from tangents of the active inputs to tangents of the results.
    """
    trace = LinearizeTrace(state.trace, label)
    context.mark_call_site(trace)
    args, inputs = [], []
    for p, on in zip(primals, active, strict=True):
        if on:
            var = TangentVar(trace.tangents, p.aval.tangent())
            inputs.append(var)
            trace.tangents.high = trace.tangents.high or var.aval.is_high
            p = LinearizeTracer(trace, p, var)
        args.append(p)
    with transformation(trace):
        outs = [trace.split(x) for x in fun(*args)]
    trace.tangents.alive = False
    program = LinearProgram(inputs, trace.tangents.eqns, [t for _, t in outs], trace.tangents.high)
    # The variables know the trace: if it kept the operations, residuals would live until the garbage collector runs.
    trace.tangents.eqns = []
    if config.check_tracer_leaks:
        del args, p
        report_leaks(trace)
    return [p for p, _ in outs], program


def linearize_jaxpr(jaxpr: Jaxpr, nonzero: Sequence[bool]) -> tuple[Jaxpr, Jaxpr, list[int | None], list[bool]]:
    """Splits the derivative of a jaxpr without constants into a forward and a linear jaxpr.

    Args:
      jaxpr: the function.
      nonzero: which inputs have a tangent.

    Returns:
      ``forward``: from the inputs to the results followed by the new residuals.
      ``linear``: from all residuals followed by the non-zero input tangents to the non-zero result tangents.
      ``residuals``: where each residual of ``linear`` comes from: the index of an input, ``n_inputs + i`` for result
        ``i``, or None for the next new residual of ``forward``.
      ``out_nonzero``: which results have a tangent.
    """
    key = ("linearize", tuple(nonzero), state.axis_env)
    if key in jaxpr.memo:
        return jaxpr.memo[key]
    info: dict[str, Any] = {}

    def forward_fun(*args: Any) -> list[Any]:
        outs, program = linearize_flat(lambda *xs: eval_jaxpr(jaxpr, (), *xs), args, nonzero, "linearize")
        outs = [as_array(x) for x in outs]
        info["linear"], info["where"], new = staged_linear(program, args, outs)
        info["out_nonzero"] = [type(t) is not Zero for t in program.outputs]
        return outs + new

    name = jaxpr.debug.fun_name if jaxpr.debug else "jaxpr"
    forward = trace_flat(forward_fun, jaxpr.in_avals, DebugInfo(name, (), "linearize"))
    out = forward, info["linear"], info["where"], info["out_nonzero"]
    jaxpr.memo[key] = out
    return out


def staged_linear(
    program: LinearProgram, args: Sequence[Any], outs: Sequence[Any]
) -> tuple[Jaxpr, list[int | None], list[Any]]:
    """A linear program that was recorded while staging a function, as a jaxpr.

    Args:
      program: the linear program.
      args: tracers of the function's inputs.
      outs: its results.

    Returns:
      The jaxpr from residuals and input tangents to the non-zero result tangents; where each residual comes from, as in
      ``linearize_jaxpr``; and the new residuals.
    """
    known = {id(x): i for i, x in enumerate([*args, *outs])}
    residuals: list[Any] = []
    where: list[int | None] = []
    seen: set[int] = set()
    for eqn in program.live_eqns():
        for a in eqn.args:
            # The linear jaxpr captures constant arrays by itself.
            if type(a) is not TangentVar and id(a) not in seen and isinstance(a, Tracer):
                seen.add(id(a))
                residuals.append(a)
                where.append(known.get(id(a)))
    new = [r for r, w in zip(residuals, where, strict=True) if w is None]
    return linear_jaxpr(program, residuals), where, new


def linear_jaxpr(program: LinearProgram, residuals: Sequence[Any]) -> Jaxpr:
    """The linear program as a jaxpr of residuals followed by input tangents."""
    n = len(residuals)

    def fun(*args: Any) -> list[Any]:
        values = {id(r): x for r, x in zip(residuals, args[:n], strict=True)}
        eqns = []
        for eqn in program.live_eqns():
            operands = [values.get(id(a), a) for a in eqn.args]
            eqns.append(LinearEqn(eqn.primitive, operands, eqn.params, eqn.outs, eqn.source))
        staged = LinearProgram(program.inputs, eqns, program.outputs)
        return [t for t in staged.push_forward(args[n:]) if type(t) is not Zero]

    avals = [r.aval for r in residuals] + [v.aval for v in program.inputs]
    return trace_flat(fun, avals, DebugInfo("linear", (), "linearize"))


def record_linear(
    fun: Callable[..., Sequence[Any]], args: Sequence[Any], linear: Sequence[bool], label: str
) -> LinearProgram:
    """Records a function as a linear program of some of its arguments.

    Args:
      fun: function of flat arguments that returns a flat sequence, linear in the marked ones.
      args: values of the other arguments, avals of the marked ones.
      linear: which arguments are variables.
      label: what is being run, for messages.
    """
    trace = TangentTrace(state.trace, label)
    with transformation(trace):
        operands = [TangentVar(trace, a) if on else a for a, on in zip(args, linear, strict=True)]
        outs = list(fun(*operands))
    inputs = [x for x, on in zip(operands, linear, strict=True) if on]
    outputs = [
        x if type(x) is TangentVar and x._trace is trace else Zero(as_array(x).aval.tangent()) for x in outs
    ]
    return LinearProgram(inputs, trace.eqns, outputs, trace.high)
