"""Pass ``interchange``: loop interchange. Repeated elementwise steps become one loop over elements.

A loop of the user (`Repeat`) whose body is one nest without connections between elements, such as an iteration on
whole arrays, would go through memory at every step. Every element can as well do all its steps at once: the loops
change places, and what is carried from step to step stays in registers, of many elements side by side where the outer
loop runs as vectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.facts import injective, is_copy, is_straight, stored
from fungrad.jit.ir.loops import Affine, Const, Let, Load, Loop, Nest, Program, Repeat, Set, Store, Var
from fungrad.jit.ir.traverse import addresses, map_steps, of_kind


def interchange(program: Program) -> Program:
    """The program with repeated nests turned inside out."""
    return program.with_steps(_steps(program, program.steps, count()))


def _steps(program: Program, steps: Sequence[Any], names: Any) -> list[Any]:
    result: list[Any] = []
    for step in steps:
        if type(step) is Repeat:
            turned = _turned(program, step, names)
            if turned is not None:
                result.append(turned)
                continue
        result.append(map_steps(lambda inner: _steps(program, inner, names), step))
    return result


def _turned(program: Program, step: Repeat, names: Any) -> Nest | None:
    """The nest that does all steps of one element after the other; None if elements depend on each other."""
    where = [k for k, s in enumerate(step.steps) if type(s) is Nest]
    if len(where) != 1 or step.extent < 2:
        return None
    stacked, nest, copies = step.steps[: where[0]], step.steps[where[0]], step.steps[where[0] + 1 :]
    if not all(_is_copy(program, c, step.index) for c in stacked) or not all(_is_copy(program, c) for c in copies):
        return None
    loops, inner = _chain(nest.body, step.index)
    if not loops or _size(loops) < tuning.INTERCHANGED_LEAST:
        return None
    if not is_straight(inner):
        return None
    for copy in stacked:
        # Carries that are results of every step, as they were before it.
        old, target = copy.inputs[0].buffer, copy.outputs[0]
        places = {s.index for s in of_kind(Store, inner) if program.root(s.buffer) is program.root(old)}
        if len(places) != 1 or _size(loops) != program.buffers[old].size:
            return None
        inner = [*_moved(program, old, places.pop(), target.buffer, target.offset, names), *inner]
    for copy in copies:
        # New carries that were made beside the old ones.
        new, old = copy.inputs[0].buffer, copy.outputs[0].buffer
        made = [s for s in of_kind(Store, inner) if s.buffer == new]
        if len(made) != 1 or _size(loops) != program.buffers[new].size:
            return None
        inner = [*inner, *_moved(program, new, made[0].index, old, Affine(), names)]
    carried = _carried(program, inner, step, loops)
    if carried is None or len(carried) > tuning.INTERCHANGED_CARRIED:
        return None
    fixed, inner = _split(program, inner, {loop.index for loop in loops})
    body: list[Any] = fixed
    variables: dict[tuple[str, int | None], str] = {}
    for root, index in carried.items():
        buffer = program.buffers[root]
        for part in (0, 1) if buffer.is_complex else (None,):
            k = next(names)
            variables[root, part] = f"kept{k}"
            first: Any = Const.zero(buffer.type)
            if _is_read_first(program, inner, root):
                first = f"first{k}"
                body.append(Load(first, root, index, part))
            body.append(Var(f"kept{k}", buffer.type, first))
    body.append(Loop(step.index, step.extent, _in_registers(program, inner, variables), ordered=True))
    for root, index in carried.items():
        parts = [variables[root, part] for part in ((0, 1) if program.buffers[root].is_complex else (None,))]
        body.append(Store(root, index, *parts))
    return Nest(_rebuilt(nest.body, body), nest.name)


def _is_copy(program: Program, step: Any, symbol: str | None = None) -> bool:
    """Whether a step copies the whole of one array to another of its type; to a part of one that only the counter
    ``symbol`` moves, if that is given."""
    if not is_copy(step):
        return False
    source, target = step.inputs[0], step.outputs[0]
    a, b = program.buffers[source.buffer], program.buffers[target.buffer]
    if source.offset != Affine() or source.strides is not None or target.strides is not None or a.dtype != b.dtype:
        return False
    if symbol is not None:
        return set(target.offset.symbols()) == {symbol} and math.prod(source.shape) == a.size
    return target.offset == Affine() and a.size == b.size


def _moved(program: Program, source: str, place: Affine, target: str, offset: Affine, names: Any) -> list[Any]:
    """Statements that move an element to another array."""
    parts = (0, 1) if program.buffers[source].is_complex else (None,)
    values = [f"moved{next(names)}" for _ in parts]
    reads = [Load(v, source, place, part) for v, part in zip(values, parts, strict=True)]
    return [*reads, Store(target, place + offset, *values)]


def _chain(statements: Sequence[Any], symbol: str) -> tuple[list[Loop], Sequence[Any]]:
    """Loops each of which has only one inside, and the statements in the innermost; nothing before them may change
    from step to step."""
    loops: list[Loop] = []
    while statements and type(statements[-1]) is Loop:
        before, loop = statements[:-1], statements[-1]
        if loop.ordered or not all(s.is_pure for s in before) or _mentions(before, symbol):
            return [], []
        loops.append(loop)
        statements = loop.body
    return loops, statements


def _rebuilt(statements: Sequence[Any], inner: list[Any]) -> list[Any]:
    """A chain of loops with another innermost body."""
    if not statements or type(statements[-1]) is not Loop:
        return inner
    loop = statements[-1]
    return [*statements[:-1], Loop(loop.index, loop.extent, _rebuilt(loop.body, inner))]


def _mentions(statements: Sequence[Any], symbol: str) -> bool:
    return any(symbol in p.symbols() for s in statements for p in addresses(s))


def _size(loops: Sequence[Loop]) -> int:
    result = 1
    for loop in loops:
        result *= loop.extent
    return result


def _carried(program: Program, inner: Sequence[Any], step: Repeat, loops: Sequence[Loop]) -> dict[str, Affine] | None:
    """The memory that steps read and write, with the one address at which an element does; None if it has others.

    What is only written, at an address of its own in every step, is not carried.
    """
    counters = {loop.index for loop in loops}
    reads: dict[str, set[Affine]] = {}
    writes: dict[str, set[Affine]] = {}
    for s in inner:
        if not s.is_access:
            continue
        if s.where is not None or s.reads_what_it_writes:
            return None
        found = reads if type(s) is Load else writes
        found.setdefault(program.root(s.buffer).name, set()).add(s.index)
    carried: dict[str, Affine] = {}
    for root, places in writes.items():
        (place, *others) = places
        moving = set(place.symbols())
        if others or not moving <= counters | {step.index} or not _one_dtype(program, inner, root):
            return None
        if step.index in moving:
            if root in reads or not injective(place, [*loops, Loop(step.index, step.extent, [])]):
                return None
            continue
        if not injective(place, loops) or reads.get(root, places) != places:
            return None
        carried[root] = place
    return carried or None


def _is_read_first(program: Program, inner: Sequence[Any], root: str) -> bool:
    """Whether a step needs what was in some memory before: otherwise nobody may have written there yet."""
    accesses = (s for s in inner if s.is_access and program.root(s.buffer).name == root)
    return type(next(accesses)) is Load


def _one_dtype(program: Program, inner: Sequence[Any], root: str) -> bool:
    """Whether all names for some memory have its dtype."""
    names = {s.buffer for s in inner if s.is_access and program.root(s.buffer).name == root}
    return all(program.buffers[n].dtype == program.buffers[root].dtype for n in names)


def _split(program: Program, inner: Sequence[Any], counters: set[str]) -> tuple[list[Any], list[Any]]:
    """Reads that are the same in every step, and the rest."""
    written = stored(program, inner)
    fixed = [
        s
        for s in of_kind(Load, inner)
        if program.root(s.buffer) not in written and counters.issuperset(s.index.symbols())
    ]
    return fixed, [s for s in inner if s not in fixed]


def _in_registers(program: Program, inner: Sequence[Any], variables: dict) -> list[Any]:
    """The statements with carried memory replaced by variables."""
    result: list[Any] = []
    for s in inner:
        if type(s) is Load and (program.root(s.buffer).name, s.part) in variables:
            variable = variables[program.root(s.buffer).name, s.part]
            result.append(Let(s.name, "copy", (variable,), program.buffers[s.buffer].type))
        elif type(s) is Store and _variable(program, s, variables) is not None:
            parts = ((0, s.value), (1, s.imag)) if s.imag is not None else ((None, s.value),)
            result += [Set(variables[program.root(s.buffer).name, part], x) for part, x in parts]
        else:
            result.append(s)
    return result


def _variable(program: Program, s: Store, variables: dict) -> str | None:
    root = program.root(s.buffer).name
    return variables.get((root, None if s.imag is None else 0))
