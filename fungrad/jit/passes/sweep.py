"""One forward sweep over the equations of a jaxpr, which several passes are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fungrad.core.ir import Atom, Eqn, Jaxpr, substitute

# Equations that come in place of another, and the atoms that stand for its results.
Replacement = tuple[Sequence[Eqn], Sequence[Atom]]


def swept(
    jaxpr: Jaxpr, change: Callable[[Eqn], Replacement | None], made: dict[Atom, Eqn] | None = None
) -> Jaxpr:
    """The jaxpr with some equations replaced; the given one if none is.

    Args:
      jaxpr: whose equations are gone through in order.
      change: gets an equation in terms of what its operands have become, and gives what replaces it; None keeps it.
      made: gets, on the way, the equation that makes each value.
    """
    env: dict[Atom, Atom] = {}
    eqns: list[Eqn] = []
    changed = False
    for eqn in jaxpr.eqns:
        eqn = substitute(eqn, env)
        found = change(eqn)
        if found is None:
            new: Sequence[Eqn] = (eqn,)
        else:
            changed = True
            new, results = found
            env.update(zip(eqn.outvars, results, strict=True))
        eqns += new
        if made is not None:
            made.update({v: e for e in new for v in e.outvars})
    return jaxpr.rewritten(eqns, env) if changed else jaxpr
