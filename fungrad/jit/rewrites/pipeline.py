"""All rewrites of a program of the loop IR, in order: from what the formulas were turned into, to what is emitted.

`GENERAL` passes do not look at the processor; `TARGETED` ones do, and need `Program.target`. To add a pass, write it in
a module of its own and give it a line here. `as_text("rewrites")` prints what each of them does to a program,
`as_text("rewrites:NAME")` the program after one. With ``FUNGRAD_CHECK=1`` in the environment, as in the tests, the
verifier looks at the program after every pass.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from fungrad.jit.ir import loop_check
from fungrad.jit.ir.loops import Program
from fungrad.jit.rewrites import buffers, memory_check
from fungrad.jit.rewrites.blocks import in_blocks
from fungrad.jit.rewrites.collapse import collapse
from fungrad.jit.rewrites.combine import combine
from fungrad.jit.rewrites.exchange import exchange
from fungrad.jit.rewrites.interchange import interchange
from fungrad.jit.rewrites.lazy import lazily
from fungrad.jit.rewrites.levels import in_levels
from fungrad.jit.rewrites.parallel import side_by_side
from fungrad.jit.rewrites.passes import Pass
from fungrad.jit.rewrites.redundant_stores import drop_redundant_stores
from fungrad.jit.rewrites.regions import merge
from fungrad.jit.rewrites.rows import grouped
from fungrad.jit.rewrites.schedule import SCHEDULE
from fungrad.jit.rewrites.split import split_columns, split_reduction, split_rows
from fungrad.jit.rewrites.strips import in_strips
from fungrad.jit.rewrites.sweep import narrow_sums, sweep_rows
from fungrad.jit.rewrites.unroll import unrolled

GENERAL = (
    Pass("empty copies", "program", buffers.drop_empty_copies),
    Pass("interchange", "program", interchange),
    Pass("regions", "program", merge),
    Pass("in place", "program", buffers.reuse),
    Pass("redundant stores", "program", drop_redundant_stores),
)
TARGETED = (
    Pass("combine", "statements", combine),
    Pass("collapse", "statements", collapse),
    Pass("unroll", "statements", unrolled),
    Pass("sweep rows", "nest", sweep_rows),
    Pass("split reductions", "nest", split_reduction),
    Pass("split columns", "nest", split_columns),
    Pass("split rows", "nest", split_rows),
    Pass("narrow sums", "statements", narrow_sums),
    Pass("blocks", "statements", in_blocks),
    Pass("rows", "program", grouped),
    Pass("side by side", "program", side_by_side),
    Pass("strips", "statements", in_strips),
    Pass("levels", "nest", in_levels),
    Pass("arena", "program", buffers.arrange),
    Pass("exchange", "program", exchange),
    Pass("lazy", "statements", lazily),
    *SCHEDULE,
)
PIPELINE = (*GENERAL, *TARGETED)

# Whether programs are verified after every pass.
CHECKING = os.environ.get("FUNGRAD_CHECK", "") not in ("", "0")
if CHECKING:
    buffers.verifier = memory_check.Verifier()


def run(
    program: Program, passes: Sequence[Pass] = PIPELINE, after: Callable[[str, Program], None] | None = None
) -> Program:
    """The program after some passes.

    Args:
      program: is left as it is, except for its buffers, which get aliases and places.
      passes: in order.
      after: called with the name of each pass and its result.

    Raises:
      LoopError: a pass made something that is not well formed (with ``FUNGRAD_CHECK=1``).
    """
    known = loop_check.Checked()
    if CHECKING:
        loop_check.check(program, known)
    for step in passes:
        program = step(program)
        if CHECKING:
            _verify(step, program, known)
        if after is not None:
            after(step.name, program)
    return program


def _verify(step: Pass, program: Program, known: loop_check.Checked) -> None:
    try:
        loop_check.check(program, known)
        if buffers.verifier is not None and known.has_moved(program):
            buffers.verifier.placed(program)
    except loop_check.LoopError as error:
        raise loop_check.LoopError(f"after the pass {step.name!r}: {error}") from None
