"""Calls of functions with custom derivative rules: how each transformation treats them.

``call`` applies such a function in the current context. While everything is concrete it calls
Python: the function itself, or its rules where a derivative is being taken, so that a debugger
stops in them. Where the function is staged or batched on the way to a differentiation it becomes
one operation, ``custom_jvp_call`` or ``custom_vjp_call``, that holds the traced function and the
rules.

In reverse mode the forward rule runs at once, and the linear program gets one operation
``custom_lin`` with the residuals, whose transpose is the backward rule.

May import ``core``, ``ops`` and the trace modules of ``transforms``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from fungrad.core import dtypes, tree
from fungrad.core.array import ArrayImpl, as_array, wrap_unchecked
from fungrad.core.avals import ShapedArray, Zero, same_type
from fungrad.core.context import EVAL, AxisData, Trace, Tracer, running, state
from fungrad.core.ir import Jaxpr, Var, eval_jaxpr
from fungrad.core.linear_util import wrap_init
from fungrad.core.lojax import eval_low
from fungrad.core.primitive import Primitive, is_linear
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.errors import UnexpectedTracerError
from fungrad.ops.cast import stop_gradient
from fungrad.ops.foundation import batch_to, instantiate
from fungrad.transforms.batching import BatchTrace, batch_flat, batch_jaxpr, used_axis_names
from fungrad.transforms.closed_over import Guard, Outside, closed_over_tracers, guarded
from fungrad.transforms.forward import JVPTrace, JVPTracer, jvp_flat
from fungrad.transforms.linearization import (
    LinearizeTrace,
    LinearizeTracer,
    TangentTrace,
    TangentVar,
    record_linear,
)
from fungrad.transforms.rule_functions import (
    BatchedBackward,
    BatchedJvpRule,
    BatchedVjpRule,
    JvpRule,
    Signature,
    VjpRule,
)
from fungrad.transforms.runtime_checks import Errors, eval_checked, without_checks
from fungrad.transforms.transposition import backward_pass

# -- primitives ----------------------------------------------------------------------------------


def evaluate_flat(
    fun: Callable[..., Sequence[Any]], args: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Runs a function of arrays on ndarrays, at once, whatever the current context."""
    with running(EVAL):
        outs = fun(*[wrap_unchecked(x, ShapedArray(x.shape, x.dtype)) for x in args])
        return [x._concrete("the result of a call") for x in outs]


class CustomCall(Primitive):
    """Call of a function with rules; the first ``num_consts`` operands are captured values."""

    kind = "higher_order"
    multiple_results = True
    inline_param = "call_jaxpr"

    def bind(self, *args: Any, **params: Any) -> Any:
        # At the bottom the rules no longer matter.
        return (
            eval_jaxpr(params["call_jaxpr"], (), *args)
            if state.trace is EVAL
            else super().bind(*args, **params)
        )

    def abstract(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        # Not memoised: the memo would keep the rules, and what they close over, alive.
        return tuple(self.abstract_eval(*avals, **params))

    def abstract_eval(
        self, *avals: ShapedArray, call_jaxpr: Jaxpr, name: str, **_: Any
    ) -> Sequence[ShapedArray]:
        expected = call_jaxpr.in_avals
        if len(avals) != len(expected) or not all(map(same_type, avals, expected)):
            raise TypeError(
                f"{self.name} of {name}: expected operands of types "
                f"{', '.join(a.short() for a in expected)}, got "
                f"{', '.join(a.short() for a in avals)}"
            )
        return call_jaxpr.out_avals

    def is_high_in(self, params: dict[str, Any]) -> bool:
        return params["call_jaxpr"].is_high  # type: ignore[no-any-return]

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        # Where it is lowered the rules no longer matter.
        return eval_low(params["call_jaxpr"], args)

    def impl(self, *args: np.ndarray, call_jaxpr: Jaxpr, **_: Any) -> list[np.ndarray]:
        return evaluate_flat(lambda *xs: eval_jaxpr(call_jaxpr, (), *xs), args)

    def transpose(
        self, cts: Sequence[Any], *args: Any, call_jaxpr: Jaxpr, **_: Any
    ) -> Sequence[Any]:
        linear = [is_linear(a) for a in args]
        operands = [a.aval if on else a for a, on in zip(args, linear, strict=True)]
        program = record_linear(
            lambda *xs: eval_jaxpr(call_jaxpr, (), *xs), operands, linear, "transpose"
        )
        results = iter(backward_pass(program, cts))
        return [next(results) if on else None for on in linear]

    def lower(self, ctx: Any, *args: Any, call_jaxpr: Jaxpr, **_: Any) -> Any:
        return ctx.inline(call_jaxpr, args)

    def checked(self, errors: Errors, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        # The call stays, with its rules; the checks are made beside it.
        body = params["call_jaxpr"]
        eval_checked(body, errors, (), *[stop_gradient(x) for x in args])
        return self.bind(*args, **{**params, "call_jaxpr": without_checks(body, errors.kinds)})

    def axis_names(self, params: dict[str, Any]) -> tuple:
        return tuple(used_axis_names(params["call_jaxpr"]))

    def _batched(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], params: dict[str, Any]
    ) -> tuple[Jaxpr, list[int | None], frozenset[int]]:
        """The mapped body, where its results are mapped, and which are not since a collective makes examples agree.

        These keep one cotangent, so that a backward rule that takes ``psum`` back sees all of it.
        """
        body = params["call_jaxpr"]
        shared: frozenset[int] = frozenset()
        if axis.name in used_axis_names(body):
            alike = {i for i, d in enumerate(batch_jaxpr(body, axis, dims)[1]) if d is None}
            # A rule may call its function, which has no derivative to ask for there.
            if alike and not _asking.get():
                alike &= self._agreeing(axis, args, dims, params)
            shared = frozenset(alike)
        forced = [i not in shared for i in range(len(body.outvars))]
        return *batch_jaxpr(body, axis, dims, force_out=forced if shared else True), shared

    def _agreeing(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], params: dict[str, Any]
    ) -> set[int]:
        """Positions of the results that are not mapped according to the rules, which are traced for this."""
        in_avals = [x.aval for x in args]
        perturbed = [
            i >= params["num_consts"] and a.tangent().dtype != dtypes.float0 for i, a in enumerate(in_avals)
        ]
        found: list[set[int]] = []

        def trace(*xs: Any) -> list[Any]:
            if params.get("fwd") is not None:
                found.append(BatchedVjpRule(params["fwd"], axis, dims).agreeing(xs, perturbed))
            if params.get("jvp") is not None:
                dots = [x if on else Zero(x.aval.tangent()) for x, on in zip(xs, perturbed, strict=True)]
                found.append(BatchedJvpRule(params["jvp"], axis, dims).agreeing(xs, dots))
            return []

        token = _asking.set(True)
        try:
            trace_flat(trace, in_avals, DebugInfo(self.name, (), "vmap"))
        except Exception:  # noqa: BLE001 - an error of a rule belongs to a derivative, if one is ever taken
            return set()
        finally:
            _asking.reset(token)
        return set.intersection(*found)

    def printed_params(self, params: dict[str, Any]) -> dict[str, Any]:
        """Parameters as JAX prints them: only those that say something."""
        hidden = {"num_consts"} if not params["num_consts"] else set()
        return {k: v for k, v in params.items() if k not in hidden and v is not None}


# Whether rules are traced to learn which of their results are mapped.
_asking: ContextVar[bool] = ContextVar("asking", default=False)


class CustomJvpCall(CustomCall):
    """A function with a rule for forward mode, which reverse mode transposes."""

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, jvp: Any, **_: Any
    ) -> tuple[Any, Any]:
        outs, out_tangents, _structure = jvp.run(primals, tangents)
        return outs, out_tangents

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        batched, out_dims, shared = self._batched(axis, args, dims, params)
        params = {
            **params,
            "call_jaxpr": batched.with_consts_as_inputs(),
            "jvp": BatchedJvpRule(params["jvp"], axis, dims, shared),
        }
        return self.bind(*args, **params), out_dims


    def process_in(self, trace: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        body, rule = params["call_jaxpr"], params["jvp"]

        def jvp(*both: Any) -> list[Any]:
            n = len(both) // 2
            outs, dots, _structure = rule.run(both[:n], both[n:])
            return [*outs, *map(instantiate, dots)]

        fun = wrap_init(lambda *xs: eval_jaxpr(body, (), *xs))
        return trace.process_custom_jvp_call(self, fun, wrap_init(jvp), args, symbolic_zeros=False)

    def bind_with_trace(self, trace: Any, args: Sequence[Any], avals: Any, params: dict[str, Any]) -> Any:
        """As `Primitive.bind_with_trace`; the functions may be given as ``subfuns``, the function and its rule."""
        if "subfuns" not in params:
            return super().bind_with_trace(trace, args, avals, params)
        fun, jvp = params["subfuns"]

        def rule(primals: Any, tangents: Any) -> tuple[Any, Any]:
            outs = jvp.call_wrapped(*primals, *tangents)
            n = len(outs) // 2
            return tuple(outs[:n]), tuple(outs[n:])

        def body(*leaves: Any) -> tuple[list[Any], Any]:
            outs, structure = tree.flatten(tuple(fun.call_wrapped(*leaves)))
            return [as_array(x) for x in outs], structure

        sig = Signature(fun.__name__, tree.structure(tuple(args)))
        with running(trace):
            custom = Custom(sig.name, body, JvpRule(sig, rule, params["symbolic_zeros"]), None)
            return call(custom, [as_array(x) for x in args])


class CustomVjpCall(CustomCall):
    """A function with rules for reverse mode, and perhaps one for forward mode too (``jvp``)."""

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, jvp: Any, fwd: Any, **_: Any
    ) -> tuple[Any, Any]:
        if jvp is None:
            return linearize_by_rules(fwd, None, primals, tangents)[:2]
        outs, out_tangents, _structure = jvp.run(primals, tangents)
        return outs, out_tangents

    def process_in(self, trace: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        raise NotImplementedError(
            f"{type(trace).__name__}: custom_vjp functions, such as {params['name']}, are not handed to traces of users"
            "; use custom_jvp, or call the function outside of the trace"
        )

    def linearize(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, jvp: Any, fwd: Any, **_: Any
    ) -> tuple[Any, Any]:
        return linearize_by_rules(fwd, jvp, primals, tangents)[:2]

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        batched, out_dims, shared = self._batched(axis, args, dims, params)
        fwd = BatchedVjpRule(params["fwd"], axis, dims, shared)
        jvp = BatchedJvpRule(params["jvp"], axis, dims, shared) if params["jvp"] is not None else None
        params = {
            **params,
            "call_jaxpr": batched.with_consts_as_inputs(),
            "fwd": fwd,
            "bwd": fwd.bwd_name,
            "jvp": jvp,
        }
        return self.bind(*args, **params), out_dims


class CustomLin(Primitive):
    """The derivative of a function with rules for reverse mode: linear in its last operands, and
    known by its transpose.

    Operands are the residuals of ``bwd``, with ``jvp`` also the arguments of the function, and the
    tangents of the arguments where ``perturbed``. Results are the tangents of the floating
    results, of types ``out_avals``.
    """

    kind = "higher_order"
    multiple_results = True

    def bind(self, *args: Any, **params: Any) -> Any:
        return (
            self._evaluate(*args, **params)
            if state.trace is EVAL
            else super().bind(*args, **params)
        )

    def abstract(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        return params["out_avals"]

    def is_high_in(self, params: dict[str, Any]) -> bool:
        return any(a.is_high for a in params["out_avals"])

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        return self._evaluate(*args, **params)

    def abstract_eval(
        self, *avals: ShapedArray, out_avals: tuple, **_: Any
    ) -> Sequence[ShapedArray]:
        return out_avals

    def _evaluate(
        self, *args: Any, name: str, jvp: Any, perturbed: tuple[bool, ...], num_res: int, **_: Any
    ) -> list[Any]:
        if jvp is None:
            raise TypeError(
                "fungrad.jvp: can't apply forward-mode autodiff (jvp, jacfwd, linearize) to a "
                f"custom_vjp function: {name} has rules "
                "for reverse mode only. Use reverse mode (grad, vjp, jacrev), or give it a rule "
                "for forward mode too, with "
                f"{name}.defjvp"
            )
        n = len(perturbed)
        primals, given = args[num_res : num_res + n], iter(args[num_res + n :])
        tangents = [
            next(given) if on else Zero(p.aval.tangent())
            for on, p in zip(perturbed, primals, strict=True)
        ]
        outs, out_tangents, _structure = jvp.run(primals, tangents)
        return [
            instantiate(t)
            for t, x in zip(out_tangents, outs, strict=True)
            if x.aval.inexact
        ]

    def impl(self, *args: np.ndarray, **params: Any) -> list[np.ndarray]:
        return evaluate_flat(lambda *xs: self._evaluate(*xs, **params), args)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        return jvp_flat(
            lambda *xs: self._evaluate(*xs, **params), primals, tangents, "jvp of a custom rule"
        )

    def transpose(
        self, cts: Sequence[Any], *args: Any, bwd: Any, out_active: tuple, perturbed: tuple, num_res: int, **_: Any
    ) -> list:
        given = iter(cts)
        full = [next(given) if aval is None else Zero(aval) for aval in out_active]
        results = bwd.run(args[:num_res], full)
        chosen = [r for r, on in zip(results, perturbed, strict=True) if on]
        return [None] * (len(args) - len(chosen)) + chosen

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        if params["jvp"] is not None:
            return batch_flat(
                lambda *xs: self._evaluate(*xs, **params), axis, args, dims, "vmap of a custom rule"
            )
        num_res, perturbed, size = params["num_res"], params["perturbed"], axis.size
        # A tangent is batched if its argument or itself is; here only the tangents are at hand.
        args = [
            *args[:num_res],
            *[batch_to(t, d, 0, size) for t, d in zip(args[num_res:], dims[num_res:], strict=True)],
        ]
        positions = [0 if on else None for on in perturbed]
        params = {
            **params,
            "bwd": BatchedBackward(params["bwd"], axis, dims[:num_res], positions),
            "out_avals": tuple([a.update(shape=(size, *a.shape)) for a in params["out_avals"]]),
            "out_active": tuple(
                [a and a.update(shape=(size, *a.shape)) for a in params["out_active"]]
            ),
        }
        outs = self.bind(*args, **params)
        return outs, [0] * len(outs)

    def lower(self, ctx: Any, *args: Any, **params: Any) -> Any:
        jaxpr = trace_flat(
            lambda *xs: self._evaluate(*xs, **params),
            [a.aval for a in args],
            DebugInfo("jvp", (), "jvp"),
        )
        # Native code has no constant arrays; rules that use some are rare.
        return ctx.host(self, args, params) if jaxpr.consts else ctx.inline(jaxpr, args)

    def printed_params(self, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters that say something."""
        return {k: params[k] for k in ("name", "bwd", "num_res")}


custom_jvp_call_p = CustomJvpCall("custom_jvp_call")
custom_vjp_call_p = CustomVjpCall("custom_vjp_call")
custom_lin_p = CustomLin("custom_lin")


def linearize_by_rules(
    fwd: Any, jvp: Any, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any], Any]:
    """Results by the forward rule, tangents by ``custom_lin``, and the structure of the output."""
    perturbed = tuple([type(t) is not Zero for t in tangents])
    outs, residuals, bwd, structure = fwd.forward(primals, perturbed)
    zeros = [Zero(x.aval.tangent()) for x in outs]
    given = [t for t in tangents if type(t) is not Zero]
    active = [x.aval.inexact for x in outs]
    # Tangents that are not variables of the linear program do not depend on its inputs: they are
    # zeros in disguise.
    disguised = type(state.trace) is TangentTrace and not any(type(t) is TangentVar for t in given)
    if disguised or not any(active):
        return outs, zeros, structure
    results = iter(
        custom_lin_p.bind(
            *residuals,
            *(primals if jvp is not None else ()),
            *given,
            name=fwd.name,
            bwd=bwd,
            jvp=jvp,
            perturbed=perturbed,
            num_res=len(residuals),
            out_avals=tuple([z.aval for z, on in zip(zeros, active, strict=True) if on]),
            out_active=tuple([None if on else z.aval for z, on in zip(zeros, active, strict=True)]),
        )
    )
    return (
        outs,
        [next(results) if on else z for z, on in zip(zeros, active, strict=True)],
        structure,
    )


# -- application ---------------------------------------------------------------------------------


class Custom:
    """One call of a function with rules.

    Attributes:
      name: of the function.
      body: the function of its argument leaves, returning output leaves.
      jvp: rule for forward mode, or None.
      vjp: rules for reverse mode, or None.
      out_tree: structure of the output, once known.
    """

    def __init__(self, name: str, body: Callable[..., tuple[list[Any], Any]], jvp: JvpRule | None, vjp: VjpRule | None):
        self.name = name
        # One of them is given at least.
        self.jvp: Any = jvp
        self.vjp: Any = vjp
        self._body = body
        self.out_tree: Any = None

    def body(self, *leaves: Any) -> list[Any]:
        """Runs the function."""
        outs, self.out_tree = self._body(*leaves)
        return outs

    @property
    def label(self) -> str:
        """The call in words, for messages."""
        return f"a custom_{'jvp' if self.vjp is None else 'vjp'} function ({self.name})"


def call(custom: Custom, args: Sequence[Any]) -> list[Any]:
    """Applies a function with rules to argument leaves in the current context."""
    if state.fold and all(type(a) is ArrayImpl for a in args):
        return custom.body(*args)
    trace, args, outside = _interpreter(custom, args)
    kind = type(trace)
    with running(trace):
        if isinstance(trace, JVPTrace):
            return _differentiate(custom, trace, args, outside)
        if isinstance(trace, LinearizeTrace):
            return _linearize(custom, trace, args, outside)
        if (
            trace is EVAL
            or kind is TangentTrace
            or (kind is BatchTrace and not _rules_matter(trace.parent))
        ):
            with guarded(outside, custom.label) as unwrap:
                return [unwrap(x) for x in custom.body(*args)]
        return _stage(custom, args, outside)


def _interpreter(custom: Custom, args: Sequence[Any]) -> tuple[Trace, Sequence[Any], Outside]:
    """The trace that has something to do with the call: the innermost one that is not a
    differentiation of other values.

    Returns:
      The trace, the arguments as its values, and what stands in it for tracers from above.
    """
    trace, outside = state.trace, Outside()
    while True:
        kind = type(trace)
        if kind is Guard:
            args = [trace.unwrap(a) for a in args]
            outside = trace.outside.within(outside)
        elif kind is JVPTrace or kind is LinearizeTrace:
            ours = [type(a) in (JVPTracer, LinearizeTracer) and a._trace is trace for a in args]
            if any(on and type(a.tangent) is not Zero for a, on in zip(args, ours, strict=True)):
                break
            args = [a.primal if on else a for a, on in zip(args, ours, strict=True)]
            outside = outside.below(trace)
        elif kind is TangentTrace:
            if any(type(a) is TangentVar and a._trace is trace for a in args):
                break
            outside = outside.below(trace)
        else:
            break
        trace = trace.parent
    return trace, args, outside


def _rules_matter(trace: Trace) -> bool:
    """Whether something at or below ``trace`` may differentiate."""
    while trace is not EVAL:
        if type(trace) not in (BatchTrace, TangentTrace, Guard):
            return True
        trace = trace.parent
    return False


def _differentiate(
    custom: Custom, trace: JVPTrace, args: Sequence[Any], outside: Outside
) -> list[Any]:
    pairs = [trace.split(a) for a in args]
    primals, tangents = [p for p, _ in pairs], [t for _, t in pairs]
    outside = outside.below(trace)
    with running(trace.parent):
        if custom.jvp is not None:
            rule = custom.jvp.with_signature(outside=outside)
            outs, out_tangents, custom.out_tree = rule.run(primals, tangents)
        else:
            fwd = custom.vjp.with_signature(outside=outside)
            outs, out_tangents, custom.out_tree = linearize_by_rules(fwd, None, primals, tangents)
    return [trace.tracer(x, t) for x, t in zip(outs, out_tangents, strict=True)]


def _linearize(
    custom: Custom, trace: LinearizeTrace, args: Sequence[Any], outside: Outside
) -> list[Any]:
    ours = [type(a) is LinearizeTracer and a._trace is trace for a in args]
    primals = [a.primal if on else a for a, on in zip(args, ours, strict=True)]
    tangents = [
        a.tangent if on else Zero(a.aval.tangent()) for a, on in zip(args, ours, strict=True)
    ]
    outside = outside.below(trace)
    with running(trace.tangents):
        if custom.vjp is not None:
            fwd = custom.vjp.with_signature(outside=outside)
            jvp = custom.jvp.with_signature(outside=outside) if custom.jvp is not None else None
            outs, out_tangents, custom.out_tree = linearize_by_rules(fwd, jvp, primals, tangents)
        else:
            rule = custom.jvp.with_signature(outside=outside)
            outs, out_tangents, custom.out_tree = rule.run(primals, tangents)
    return [trace.tracer(x, t) for x, t in zip(outs, out_tangents, strict=True)]


def _stage(custom: Custom, args: Sequence[Any], outside: Outside) -> list[Any]:
    """The call as one operation of the current trace."""
    api = "custom_jvp" if custom.vjp is None else "custom_vjp"
    closed_over: dict[int, Tracer] = {}

    def body(*leaves: Any) -> list[Any]:
        guard = Guard(outside, state.trace, custom.label)
        with running(guard):
            outs = [guard.unwrap(x) for x in custom.body(*leaves)]
        closed_over.update(guard.seen)
        return outs

    jaxpr = trace_flat(body, [a.aval for a in args], DebugInfo(custom.name, (), api))
    for rule in (custom.jvp, custom.vjp):
        if rule is not None:
            closed_over.update(closed_over_tracers(*rule.functions))
    consts = list(jaxpr.consts)
    known = {id(x): i for i, x in enumerate(consts)}
    slots, captured, refused = [], [], []
    for t in closed_over.values():
        try:
            value = outside.unwrap(t, custom.label)
        except UnexpectedTracerError:
            # Rules may ask for its type, and fail when they use its value.
            refused.append(t)
            continue
        captured.append(t)
        if id(value) not in known:
            known[id(value)] = len(consts)
            consts.append(value)
        slots.append(known[id(value)])
    # The rules run later and elsewhere: operands take the place of the tracers that they close
    # over.
    changes = {
        "out": (custom.out_tree, jaxpr.out_avals),
        "num_consts": len(consts),
        "body_consts": len(jaxpr.consts),
        "captured": tuple(captured),
        "slots": tuple(slots),
        "refused": tuple(refused),
    }
    jvp = custom.jvp.with_signature(**changes) if custom.jvp is not None else None
    params = {
        "name": custom.name,
        "call_jaxpr": _with_operands(jaxpr, consts[len(jaxpr.consts) :]),
        "jvp": jvp,
        "num_consts": len(consts),
    }
    if custom.vjp is None:
        return custom_jvp_call_p.bind(
            *consts, *args, **params, symbolic_zeros=custom.jvp.symbolic_zeros
        )
    fwd = custom.vjp.with_signature(**changes)
    params |= {"fwd": fwd, "bwd": fwd.bwd_name, "symbolic_zeros": fwd.symbolic_zeros}
    return custom_vjp_call_p.bind(*consts, *args, **params)


def _with_operands(jaxpr: Jaxpr, more: Sequence[Any]) -> Jaxpr:
    """The jaxpr with its constants, and then values that only rules use, as leading inputs."""
    closed = jaxpr.with_consts_as_inputs()
    if not more:
        return closed
    n = len(jaxpr.consts)
    return closed.replace(
        invars=[*closed.invars[:n], *[Var(x.aval) for x in more], *closed.invars[n:]]
    )
