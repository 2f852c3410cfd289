"""Pass ``dce``: dead code elimination. Removes equations whose results nobody uses.

Contract: an equation stays if it has effects or if one of its results reaches an output; equations with several
results may be narrowed by their primitive through a method ``dce(eqn, used) -> Eqn | None``, where ``used`` has one
flag per result (control flow drops dead carries and outputs that way). Inputs are never removed: the signature of the
program is fixed.
"""

from __future__ import annotations

from fungrad.core.ir import Eqn, Jaxpr, Var


def dce(jaxpr: Jaxpr) -> Jaxpr:
    """Removes dead equations in one sweep from the end."""
    live: set[Var] = {a for a in jaxpr.outvars if type(a) is Var}
    kept: list[Eqn] = []
    changed = False
    for eqn in reversed(jaxpr.eqns):
        used = [v in live for v in eqn.outvars]
        if not any(used) and not eqn.has_effects:
            changed = True
            continue
        if not all(used):
            rule = getattr(eqn.primitive, "dce", None)
            narrowed = rule(eqn, used) if rule is not None else eqn
            changed |= narrowed is not eqn
            if narrowed is None:
                continue
            eqn = narrowed
        live.update(a for a in eqn.invars if type(a) is Var)
        kept.append(eqn)
    return jaxpr.replace(eqns=kept[::-1]) if changed else jaxpr
