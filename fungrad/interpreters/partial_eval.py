"""Staging of wrapped functions, with JAX's names (``jax.interpreters.partial_eval``).

`trace_to_jaxpr_dynamic` records a function of arguments of given types. `trace_to_jaxpr_nounits` is given some of the
values: what depends only on them is computed at once, the rest is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core.array import as_array
from fungrad.core.avals import ShapedArray
from fungrad.core.context import state, transformation
from fungrad.core.ir import Eqn, Jaxpr, Var
from fungrad.core.primitive import Primitive
from fungrad.core.public_names import publish
from fungrad.core.staging import DebugInfo, JaxprTrace, JaxprTracer, trace_flat
from fungrad.jit.passes.dce import dce

__all__ = [
    "DynamicJaxprTracer",
    "JaxprTracer",
    "PartialVal",
    "custom_partial_eval_rules",
    "dce_jaxpr",
    "dce_jaxpr_consts",
    "dce_rules",
    "partial_eval_jaxpr_custom_rules",
    "trace_to_jaxpr_dynamic",
    "trace_to_jaxpr_nounits",
]

DynamicJaxprTracer = JaxprTracer

# JAX's registries of rules that save work. Here this is known without them, so nothing reads them.
custom_partial_eval_rules: dict[Primitive, Callable[..., Any]] = {}
dce_rules: dict[Primitive, Callable[..., Any]] = {}
partial_eval_jaxpr_custom_rules: dict[Primitive, Callable[..., Any]] = {}


class PartialVal(tuple):
    """A value that is known, ``(None, value)``, or of which only the type is, ``(aval, None)``."""

    __slots__ = ()

    def __new__(cls, xs: tuple[ShapedArray | None, Any]) -> PartialVal:
        """A pair of a type or None and a value or None."""
        return tuple.__new__(cls, xs)

    @classmethod
    def known(cls, const: Any) -> PartialVal:
        """A known value."""
        return cls((None, const))

    @classmethod
    def unknown(cls, aval: ShapedArray) -> PartialVal:
        """An unknown value of a type."""
        return cls((aval, None))

    def is_known(self) -> bool:
        """Whether the value is known."""
        return self[0] is None

    def get_known(self) -> Any:
        """The value, or None if it is unknown."""
        return self[1] if self[0] is None else None

    def get_aval(self) -> ShapedArray:
        """The type."""
        return as_array(self[1]).aval if self[0] is None else self[0]  # type: ignore[no-any-return]


class _PartialTrace(JaxprTrace):
    """Computes in the parent what depends on known values only, and records the rest."""

    __slots__ = ()

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if any(type(a) is JaxprTracer and a._trace is self for a in args):
            return super().process(primitive, args, params)
        state.trace = self.parent
        return primitive.bind(*args, **params)


def trace_to_jaxpr_nounits(
    fun: Any, pvals: Sequence[PartialVal], instantiate: bool | Sequence[bool] = False
) -> tuple[Jaxpr, list[PartialVal], list[Any]]:
    """Computes what depends on known values, and records the rest.

    Args:
      fun: a ``linear_util.WrappedFun`` (or a function) of flat arguments that returns a flat sequence.
      pvals: the arguments.
      instantiate: which results are results of the jaxpr even if they are known; one bool for all.

    Returns:
      A jaxpr from the unknown arguments to the unknown results, the results, and the values of its constvars.
    """
    call = getattr(fun, "call_wrapped", fun)
    name = getattr(fun, "__name__", "a function")
    trace = _PartialTrace(state.trace, DebugInfo(name, (), "partial_eval"))
    with transformation(trace):
        args = [pv.get_known() if pv.is_known() else trace.new_arg(pv.get_aval()) for pv in pvals]
        outs = list(call(*args))
        wanted = [instantiate] * len(outs) if isinstance(instantiate, bool) else list(instantiate)
        out_pvals, unknown = [], []
        for out, forced in zip(outs, wanted, strict=True):
            staged = type(out) is JaxprTracer and out._trace is trace
            if staged or forced:
                out = as_array(out)
                unknown.append(out)
                out_pvals.append(PartialVal.unknown(out.aval))
            else:
                out_pvals.append(PartialVal.known(out))
        jaxpr = trace.to_jaxpr(unknown)
    return jaxpr, out_pvals, list(jaxpr.consts)


def trace_to_jaxpr_dynamic(
    fun: Any, in_avals: Sequence[ShapedArray], debug_info: Any = None, *, keep_inputs: Sequence[bool] | None = None
) -> tuple[Jaxpr, list[ShapedArray], list[Any]]:
    """Records a function.

    Args:
      fun: a ``linear_util.WrappedFun`` (or a function) of flat arguments that returns a flat sequence.
      in_avals: types of the arguments.
      debug_info: names for messages.
      keep_inputs: which arguments ``fun`` is called with; all by default.

    Returns:
      The jaxpr, the types of its results, and the values of its constvars.
    """
    call = getattr(fun, "call_wrapped", fun)
    debug = debug_info if isinstance(debug_info, DebugInfo) else getattr(fun, "debug_info", None)
    if not isinstance(debug, DebugInfo):
        debug = DebugInfo(getattr(fun, "__name__", "a function"), (), "jit")

    def flat(*args: Any) -> list[Any]:
        kept = args if keep_inputs is None else [a for a, keep in zip(args, keep_inputs, strict=True) if keep]
        return [as_array(x) for x in call(*kept)]

    jaxpr = trace_flat(flat, in_avals, debug)
    return jaxpr, list(jaxpr.out_avals), list(jaxpr.consts)


def dce_jaxpr(
    jaxpr: Jaxpr, used_outputs: bool | Sequence[bool], instantiate: bool | Sequence[bool] = False
) -> tuple[Jaxpr, list[bool]]:
    """Removes what the wanted results do not need.

    Args:
      jaxpr: any.
      used_outputs: which results are wanted; one bool for all.
      instantiate: which inputs stay even if they are not used; one bool for all.

    Returns:
      The jaxpr with the wanted results and the used inputs, and for each old input whether it is one of these.
    """
    used = [used_outputs] * len(jaxpr.outvars) if isinstance(used_outputs, bool) else list(used_outputs)
    keep = [instantiate] * len(jaxpr.invars) if isinstance(instantiate, bool) else list(instantiate)
    smaller = dce(jaxpr.replace(outvars=[v for v, u in zip(jaxpr.outvars, used, strict=True) if u]))
    read = _read(smaller)
    used_inputs = [k or v in read for v, k in zip(smaller.invars, keep, strict=True)]
    invars = [v for v, u in zip(smaller.invars, used_inputs, strict=True) if u]
    return smaller.replace(invars=invars), used_inputs


def dce_jaxpr_consts(
    jaxpr: Jaxpr, used_outputs: bool | Sequence[bool], instantiate: bool | Sequence[bool] = False
) -> tuple[Jaxpr, list[bool], list[bool]]:
    """As `dce_jaxpr`, which keeps all constvars; also says which of them are used, and drops the others."""
    smaller, used_inputs = dce_jaxpr(jaxpr, used_outputs, instantiate)
    read = _read(smaller)
    used_consts = [v in read for v in smaller.constvars]
    kept = [i for i, u in enumerate(used_consts) if u]
    consts = [smaller.consts[i] for i in kept] if smaller.consts else []
    return smaller.replace(constvars=[smaller.constvars[i] for i in kept], consts=consts), used_consts, used_inputs


def _read(jaxpr: Jaxpr) -> set[Var]:
    """Variables that are read."""
    eqns: Sequence[Eqn] = jaxpr.eqns
    read = {a for eqn in eqns for a in eqn.invars if type(a) is Var}
    return read | {a for a in jaxpr.outvars if type(a) is Var}


publish(globals(), __name__, __all__)
