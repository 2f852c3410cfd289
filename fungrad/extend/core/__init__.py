"""Classes and functions for programs that read, evaluate or rewrite jaxprs.

Example:
  >>> import fungrad, fungrad.numpy as jnp
  >>> from fungrad.extend.core import Literal
  >>> jaxpr = fungrad.make_jaxpr(lambda x: jnp.sin(x) * 2.0)(1.0)
  >>> [(eqn.primitive.name, [isinstance(v, Literal) for v in eqn.invars]) for eqn in jaxpr.eqns]
  [('sin', [False]), ('mul', [False, True])]
"""

from fungrad.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Primitive, Var, jaxpr_as_fun
from fungrad.core.check import check_jaxpr
from fungrad.core.ir import jaxprs_in_params, subjaxprs
from fungrad.core.staging import DebugInfo
from fungrad.errors import JaxprTypeError
from fungrad.extend.core import primitives

__all__ = [
    "ClosedJaxpr",
    "DebugInfo",
    "Jaxpr",
    "JaxprEqn",
    "JaxprTypeError",
    "Literal",
    "Primitive",
    "Var",
    "check_jaxpr",
    "jaxpr_as_fun",
    "jaxprs_in_params",
    "primitives",
    "subjaxprs",
]
