"""Avals, jaxprs, primitives and traces: what JAX exports as ``jax.core``; ``fungrad.extend.core`` has more."""

import contextlib
from collections.abc import Iterator
from typing import Any

from fungrad.core.avals import AbstractValue, ShapedArray
from fungrad.core.context import EVAL, Trace, Tracer, ensure_compile_time_eval, running
from fungrad.core.dimensions import as_size, max_size, min_size
from fungrad.core.ir import Eqn as JaxprEqn, Jaxpr, Literal, Var, eval_jaxpr, jaxpr_as_fun
from fungrad.core.primitive import Primitive

# One class for both; see ``core.ir``.
ClosedJaxpr = Jaxpr
Atom = Var | Literal

# Parameters of an equation, by name.
ParamDict = dict[str, Any]


@contextlib.contextmanager
def eval_context() -> Iterator[None]:
    """A block outside of all transformations: operations on arrays are computed at once."""
    with running(EVAL):
        yield


def max_dim(d1: int, d2: int) -> int:
    """The larger of two dimensions, of which any may be symbolic (``fungrad.export.symbolic_shape``).

    Args:
      d1: a dimension.
      d2: another one.
    """
    return max_size(as_size(d1), as_size(d2))


def min_dim(d1: int, d2: int) -> int:
    """The smaller of two dimensions, of which any may be symbolic (``fungrad.export.symbolic_shape``).

    Args:
      d1: a dimension.
      d2: another one.
    """
    return min_size(as_size(d1), as_size(d2))


__all__ = [
    "AbstractValue",
    "Atom",
    "ClosedJaxpr",
    "Jaxpr",
    "JaxprEqn",
    "Literal",
    "ParamDict",
    "Primitive",
    "ShapedArray",
    "Trace",
    "Tracer",
    "Var",
    "ensure_compile_time_eval",
    "eval_context",
    "eval_jaxpr",
    "jaxpr_as_fun",
    "max_dim",
    "min_dim",
]
