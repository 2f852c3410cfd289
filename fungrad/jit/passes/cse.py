"""Pass ``cse``: common subexpression elimination. Computes equal things once.

Contract: of equations with the same primitive, operands, parameters and result types only the first stays. Operands
of commutative primitives are compared without order. Equations that have effects or draw random numbers (``random``)
are never merged, and nothing is looked up inside the bodies of checkpointed functions, which recompute on purpose.
"""

from __future__ import annotations

from typing import Any

from fungrad.core.ir import Eqn, Jaxpr, Literal, Var, params_key
from fungrad.jit.passes.sweep import Replacement, swept


def cse(jaxpr: Jaxpr) -> Jaxpr:
    """Merges equal equations in one forward sweep."""
    first: dict[Any, tuple[Var, ...]] = {}

    def change(eqn: Eqn) -> Replacement | None:
        if eqn.primitive.random or eqn.has_effects:
            return None
        seen = first.setdefault(_key(eqn), eqn.outvars)
        return None if seen is eqn.outvars else ([], seen)

    return swept(jaxpr, change)


def _key(eqn: Eqn) -> tuple:
    operands: Any = [a.key if type(a) is Literal else a for a in eqn.invars]
    if eqn.primitive.commutative:
        operands.sort(key=_order)
    return (eqn.primitive, tuple(operands), params_key(eqn.params), tuple([v.aval for v in eqn.outvars]))


def _order(operand: Any) -> tuple:
    return (0, id(operand)) if type(operand) is Var else (1, hash(operand))
