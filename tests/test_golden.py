"""The plans of about thirty programs are those in ``tests/golden``: a change of the compiler shows its effect there.

``pytest tests/test_golden.py --update-golden`` writes them anew; look at the difference before you keep it. Plans are
made for one fixed processor, and show steps and scheduled loops, not the LLVM text.
"""

from pathlib import Path

import pytest
from golden_programs import PROGRAMS, arguments

import fungrad
from fungrad.jit import buffers, interchange, regions
from fungrad.jit.build import build_program
from fungrad.jit.emit.module import Machine
from fungrad.jit.emit.parallel import side_by_side
from fungrad.jit.emit.restructure import restructured
from fungrad.jit.emit.rows import grouped
from fungrad.jit.loop_text import program_text
from fungrad.jit.lowering import lower_jaxpr
from fungrad.jit.passes import run_passes

FOLDER = Path(__file__).parent / "golden"
MACHINE = Machine(vector_bytes=32, threads=True, own_blas_threads=False)


def plan(name):
    """The text of the plan of a program for `MACHINE`."""
    jaxpr = fungrad.make_jaxpr(PROGRAMS[name][0])(*arguments(name))
    graph = lower_jaxpr(run_passes(jaxpr.with_consts_as_inputs()))
    program = build_program(graph, list(dict.fromkeys(t for t in graph.outputs if t not in graph.inputs)), name)
    buffers.drop_empty_copies(program)
    interchange.interchange(program)
    regions.merge(program)
    buffers.reuse(program, [])
    program = side_by_side(grouped(restructured(program, MACHINE), MACHINE))
    buffers.arrange(program)
    return program_text(program) + "\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_plans_are_as_before(name, request):
    path = FOLDER / f"{name}.txt"
    text = plan(name)
    if request.config.getoption("--update-golden"):
        path.write_text(text)
    assert path.read_text() == text, f"run pytest --update-golden and look at the difference of {path}"


def test_no_plan_is_left_behind():
    assert {p.stem for p in FOLDER.glob("*.txt")} == set(PROGRAMS)
