"""Pass ``motion``: loop-invariant code motion. Moves work out of loops; that of scans is in `scan_motion`.

Contract: a primitive with a method ``moved(eqn) -> Jaxpr | None`` may replace its equation by a jaxpr of the same
operands, in which work that need not be done in every iteration is done before or after the loop. Values are the same
up to the order of summation.
"""

from __future__ import annotations

from fungrad.core.ir import Atom, Eqn, Jaxpr, Var, substitute
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
        # The jaxpr is shared by all equations with this loop: its variables are renamed at every use.
        inside: dict[Var, Atom] = dict(zip(inner.invars, eqn.invars, strict=True))
        for e in inner.eqns:
            fresh = [Var(v.aval) for v in e.outvars]
            eqns.append(substitute(e, inside).replace(outvars=fresh))
            inside.update(zip(e.outvars, fresh, strict=True))
        for outvar, a in zip(eqn.outvars, inner.outvars, strict=True):
            env[outvar] = inside[a] if type(a) is Var else a
    if len(eqns) == len(jaxpr.eqns) and not env:
        return jaxpr
    outvars = [env.get(a, a) if type(a) is Var else a for a in jaxpr.outvars]
    return jaxpr.replace(eqns=eqns, outvars=outvars)
