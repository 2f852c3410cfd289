"""The passes that give a nest its final form, in order.

Producers write nests in the plain order of the result. `PIPELINE` ends with these passes; nests that are put into
`Rows` go through them before.
"""

from __future__ import annotations

from fungrad.jit.ir.loops import Nest, Program
from fungrad.jit.rewrites.collapse import collapse
from fungrad.jit.rewrites.hoist import hoist
from fungrad.jit.rewrites.jam import unroll_and_jam
from fungrad.jit.rewrites.masks import branch_on_masks
from fungrad.jit.rewrites.passes import Pass
from fungrad.jit.rewrites.threads import parallelise, separate
from fungrad.jit.rewrites.tile import tile
from fungrad.jit.rewrites.vectorise import vectorise

SCHEDULE = (
    Pass("collapse loops", "statements", collapse),
    Pass("hoist", "statements", hoist),
    Pass("branch on masks", "statements", branch_on_masks),
    Pass("vectorise", "statements", vectorise),
    Pass("tile", "statements", tile),
    Pass("unroll and jam", "statements", unroll_and_jam),
    Pass("separate", "nest", separate),
    Pass("threads", "nest", parallelise),
)


def schedule(program: Program, nest: Nest) -> list[Nest]:
    """The nest in the form in which it is emitted; several where its loops can run one after the
    other as nests of their own."""
    nests = [nest]
    for step in SCHEDULE:
        nests = [new for n in nests for new in step.nests(program, n)]
    return nests
