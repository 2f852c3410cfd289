"""Classes and functions for programs that read, evaluate or rewrite jaxprs.

Example:
  >>> import fungrad, fungrad.numpy as jnp
  >>> from fungrad.extend.core import Literal
  >>> jaxpr = fungrad.make_jaxpr(lambda x: jnp.sin(x) * 2.0)(1.0)
  >>> [(eqn.primitive.name, [isinstance(v, Literal) for v in eqn.invars]) for eqn in jaxpr.eqns]
  [('sin', [False]), ('mul', [False, True])]
"""

from fungrad.core import Jaxpr, JaxprEqn, Literal, Var, jaxpr_as_fun
from fungrad.core.check import check_jaxpr
from fungrad.core.ir import jaxprs_in_params, subjaxprs
from fungrad.core.staging import DebugInfo
from fungrad.errors import InconclusiveDimensionOperation, JaxprTypeError
from fungrad.extend.core import primitives
from fungrad.extend.core.tracing_state import (
    AbstractToken,
    ClosedJaxpr,
    DropVar,
    Effect,
    Effects,
    Token,
    TraceTag,
    array_types,
    concrete_or_error,
    find_top_trace,
    gensym,
    get_opaque_trace_state,
    mapped_aval,
    new_jaxpr_eqn,
    no_effects,
    nonempty_axis_env_DO_NOT_USE,
    primal_dtype_to_tangent_dtype,
    set_current_trace,
    take_current_trace,
    unmapped_aval,
    unsafe_am_i_under_a_jit_DO_NOT_USE,
    unsafe_am_i_under_a_vmap_DO_NOT_USE,
    unsafe_get_axis_names_DO_NOT_USE,
    valid_jaxtype,
)
from fungrad.extend.core.user_primitives import Primitive

__all__ = [
    "AbstractToken",
    "ClosedJaxpr",
    "DebugInfo",
    "DropVar",
    "Effect",
    "Effects",
    "InconclusiveDimensionOperation",
    "Jaxpr",
    "JaxprEqn",
    "JaxprTypeError",
    "Literal",
    "Primitive",
    "Token",
    "TraceTag",
    "Var",
    "array_types",
    "check_jaxpr",
    "concrete_or_error",
    "find_top_trace",
    "gensym",
    "get_opaque_trace_state",
    "jaxpr_as_fun",
    "jaxprs_in_params",
    "mapped_aval",
    "new_jaxpr_eqn",
    "no_effects",
    "nonempty_axis_env_DO_NOT_USE",
    "primal_dtype_to_tangent_dtype",
    "primitives",
    "set_current_trace",
    "subjaxprs",
    "take_current_trace",
    "unmapped_aval",
    "unsafe_am_i_under_a_jit_DO_NOT_USE",
    "unsafe_am_i_under_a_vmap_DO_NOT_USE",
    "unsafe_get_axis_names_DO_NOT_USE",
    "valid_jaxtype",
]
