"""Plans of a function with and without arrays that are changed in place, run by the interpreter of the loop IR.

Both plans compute the same formulas from the same elements, so their results have the same bits: one that differs has
read a version of an array that was not meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import loop_interpreter as interpret
import numpy as np
import pytest

import fungrad
from fungrad.jit.formulas.lowering import lower_jaxpr
from fungrad.jit.fusion import build, overwrite
from fungrad.jit.ir import loops
from fungrad.jit.passes import run_passes
from fungrad.jit.rewrites import buffers


@contextmanager
def beside() -> Iterator[None]:
    """While this is entered, new values of carried arrays are made beside the old ones and copied over them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overwrite.Overwriting, "overwrite", lambda *_: None)
        yield


@contextmanager
def unverified() -> Iterator[None]:
    """While this is entered, plans are made without a look by the verifier of memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buffers, "verifier", None)
        yield


def graph_of(f: Callable[..., Any], args: Sequence[Any]) -> Callable[[], loops.Program]:
    """What makes a plan of a function, as it is before the rewrites."""
    jaxpr = run_passes(fungrad.make_jaxpr(f)(*args).with_consts_as_inputs())

    def plan() -> loops.Program:
        graph = lower_jaxpr(jaxpr)
        inputs = set(graph.inputs)
        made = list(dict.fromkeys(t for t in graph.outputs if t not in inputs))
        return build.build_program(graph, made, "f")

    return plan


def run(program: loops.Program, consts: Sequence[Any], args: Sequence[Any]) -> list[np.ndarray]:
    """The results of a plan, element by element."""
    return interpret.run(program, [np.asarray(x) for x in (*consts, *fungrad.tree.leaves(args))])


def differences(f: Callable[..., Any], args: Sequence[Any]) -> list[str]:
    """What differs between the results of both plans of a function; empty if nothing does."""
    plan = graph_of(f, args)
    consts = fungrad.make_jaxpr(f)(*args).consts
    with beside():
        wanted = run(plan(), consts, args)
    got = run(plan(), consts, args)
    found = []
    for n, (a, b) in enumerate(zip(got, wanted, strict=True)):
        different = np.sum(~((a == b) | ((a != a) & (b != b))))
        if different:
            found.append(f"{different} of {a.size} elements of result {n}")
    return found
