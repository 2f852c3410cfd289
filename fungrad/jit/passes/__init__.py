"""The passes that rewrite a jaxpr before it is turned into loops, in order.

Each is a function ``Jaxpr -> Jaxpr`` in the module of its name, whose docstring is its contract. A pass keeps inputs,
the number and types of outputs, and the values (bit for bit, except where its contract says otherwise), and applying
it twice is the same as once.
"""

from __future__ import annotations

from collections.abc import Callable

from fungrad.core.ir import Jaxpr
from fungrad.jit.passes.accumulate import accumulate
from fungrad.jit.passes.cse import cse
from fungrad.jit.passes.dce import dce
from fungrad.jit.passes.elements import elements
from fungrad.jit.passes.fold import fold
from fungrad.jit.passes.inline import inline, inline_late
from fungrad.jit.passes.layout import layout
from fungrad.jit.passes.motion import motion
from fungrad.jit.passes.simplify import simplify

Pass = Callable[[Jaxpr], Jaxpr]

PASSES: tuple[tuple[str, Pass], ...] = (
    ("inline", inline),
    ("dce", dce),
    ("fold", fold),
    ("simplify", simplify),
    ("elements", elements),
    ("cse", cse),
    ("motion", motion),
    ("inline late", inline_late),
    ("layout", layout),
    ("accumulate", accumulate),
    ("simplify again", simplify),
    ("dce again", dce),
)


def run_passes(jaxpr: Jaxpr, after: Callable[[str, Jaxpr], None] | None = None) -> Jaxpr:
    """Runs all passes.

    Args:
      jaxpr: the program.
      after: called with the name of each pass and its result (for verifying, or for printing).
    """
    known = jaxpr.memo.get("passes") if after is None else None
    if known is not None:
        return known
    given = jaxpr
    for name, run in PASSES:
        jaxpr = run(jaxpr)
        if after is not None:
            after(name, jaxpr)
    # Bodies of loops are looked at more than once.
    given.memo["passes"] = jaxpr.memo["passes"] = jaxpr
    return jaxpr
