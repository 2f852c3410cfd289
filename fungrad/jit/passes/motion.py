"""Pass ``motion``: loop-invariant code motion. Moves work out of loops; that of scans is in `scan_motion`.

Contract: a primitive with a method ``moved(eqn) -> Jaxpr | None`` may replace its equation by a jaxpr of the same
operands, in which work that need not be done in every iteration is done before or after the loop. Values are the same
up to the order of summation.
"""

from __future__ import annotations

from fungrad.core.ir import Atom, Eqn, Jaxpr, Var, substitute
from fungrad.core.jaxpr_parts import inlined
from fungrad.core.source import attributed


def motion(jaxpr: Jaxpr) -> Jaxpr:
    """Replaces loops in one sweep."""
    env: dict[Var, Atom] = {}
    eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        eqn = substitute(eqn, env)
        rule = getattr(eqn.primitive, "moved", None)
        # What is moved out of a loop belongs to the line of the loop.
        with attributed(eqn.source):
            inner = rule(eqn) if rule is not None else None
        if inner is None:
            eqns.append(eqn)
            continue
        more, made = inlined(inner, eqn.invars)
        eqns += more
        env.update(zip(eqn.outvars, made, strict=True))
    if len(eqns) == len(jaxpr.eqns) and not env:
        return jaxpr
    return jaxpr.rewritten(eqns, env)
