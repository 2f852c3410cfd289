"""Pass ``motion``: loop-invariant code motion. Moves work out of loops; that of scans is in `scan_motion`.

Contract: a primitive with a method ``moved(eqn) -> Jaxpr | None`` may replace its equation by a jaxpr of the same
operands, in which work that need not be done in every iteration is done before or after the loop. Values are the same
up to the order of summation.
"""

from __future__ import annotations

from fungrad.core.ir import Eqn, Jaxpr
from fungrad.core.jaxpr_parts import inlined
from fungrad.core.source import attributed
from fungrad.jit.passes.sweep import Replacement, swept


def motion(jaxpr: Jaxpr) -> Jaxpr:
    """Replaces loops in one sweep."""
    return swept(jaxpr, _moved)


def _moved(eqn: Eqn) -> Replacement | None:
    rule = getattr(eqn.primitive, "moved", None)
    # What is moved out of a loop belongs to the line of the loop.
    with attributed(eqn.source):
        inner = rule(eqn) if rule is not None else None
    return None if inner is None else inlined(inner, eqn.invars)
