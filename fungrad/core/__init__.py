"""Avals, jaxprs, primitives and traces: what JAX exports as ``jax.core``; ``fungrad.extend.core`` has more."""

from fungrad.core.avals import AbstractValue, ShapedArray
from fungrad.core.context import Trace, Tracer, ensure_compile_time_eval
from fungrad.core.ir import Eqn as JaxprEqn, Jaxpr, Literal, Var, eval_jaxpr, jaxpr_as_fun
from fungrad.core.primitive import Primitive

# One class for both; see ``core.ir``.
ClosedJaxpr = Jaxpr
Atom = Var | Literal

__all__ = [
    "AbstractValue",
    "Atom",
    "ClosedJaxpr",
    "Jaxpr",
    "JaxprEqn",
    "Literal",
    "Primitive",
    "ShapedArray",
    "Trace",
    "Tracer",
    "Var",
    "ensure_compile_time_eval",
    "eval_jaxpr",
    "jaxpr_as_fun",
]
