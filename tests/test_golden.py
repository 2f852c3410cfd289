"""The plans of about thirty programs are those in ``tests/golden``: a change of the compiler shows its effect there.

``pytest tests/test_golden.py --update-golden`` writes them anew; look at the difference before you keep it. Plans are
made for one fixed processor, and show steps and scheduled loops, not the LLVM text.
"""

from pathlib import Path

import pytest
from golden_programs import PROGRAMS, arguments

import fungrad
from fungrad.jit.formulas.lowering import lower_jaxpr
from fungrad.jit.fusion.build import build_program
from fungrad.jit.ir.loop_text import program_text
from fungrad.jit.ir.machine import Machine
from fungrad.jit.passes import run_passes
from fungrad.jit.rewrites import pipeline

FOLDER = Path(__file__).parent / "golden"
MACHINE = Machine(vector_bytes=32, threads=True, own_blas_threads=False)


def plan(name):
    """The text of the plan of a program for `MACHINE`."""
    jaxpr = fungrad.make_jaxpr(PROGRAMS[name][0])(*arguments(name))
    graph = lower_jaxpr(run_passes(jaxpr.with_consts_as_inputs()))
    program = build_program(graph, list(dict.fromkeys(t for t in graph.outputs if t not in graph.inputs)), name)
    return program_text(pipeline.run(program.aimed_at(MACHINE))) + "\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_plans_are_as_before(name, request):
    path = FOLDER / f"{name}.txt"
    text = plan(name)
    if request.config.getoption("--update-golden"):
        path.write_text(text)
    assert path.read_text() == text, f"run pytest --update-golden and look at the difference of {path}"


def test_no_plan_is_left_behind():
    assert {p.stem for p in FOLDER.glob("*.txt")} == set(PROGRAMS)
