"""Pass ``hoist``: loop-invariant code motion. What does not change in a loop moves in front of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from fungrad.jit.ir.facts import declared_cells
from fungrad.jit.ir.loops import Buffer, Load, Loop, LoopWhile, Program, overlap
from fungrad.jit.ir.traverse import buffers_of, changes, defines, map_bodies, uses, walk


def hoist(program: Program, statements: Sequence[Any]) -> list[Any]:
    """Move pure statements in front of the loops they do not depend on."""
    result = []
    for s in statements:
        if type(s) is Loop:
            before, loop = _hoisted(program, s)
            result += [*before, loop]
        elif type(s) is LoopWhile:
            before, repeated = _hoisted_while(program, s)
            result += [*before, repeated]
        else:
            result.append(map_bodies(lambda body: hoist(program, body), s))
    return result


def _hoisted(program: Program, loop: Loop) -> tuple[list[Any], Loop]:
    body = hoist(program, loop.body)
    changing = {loop.index, *_cells(body)}
    before, rest = _divided(program, body, changing, loop)
    return before, loop.replace(body=rest)


def _hoisted_while(program: Program, loop: LoopWhile) -> tuple[list[Any], LoopWhile]:
    test, body = hoist(program, loop.test), hoist(program, loop.body)
    changing = _cells([*test, *body])
    before, test = _divided(program, test, changing, loop)
    # The body need not run, so it only gives up what can be computed whether or not it does.
    known = [s for s in body if type(s) is not Load or not s.index.symbols()]
    more, _ = _divided(program, known, set(changing), loop, {n for s in body for n in defines(s)})
    moved = {id(s) for s in more}
    body = [s for s in body if id(s) not in moved]
    return [*before, *more], loop.replace(test=test, body=body)


def _cells(statements: Sequence[Any]) -> set[str]:
    """Names of what changes while the statements run."""
    return declared_cells(statements).union(*[changes(s) for s in walk(statements)])


def _divided(
    program: Program, body: Sequence[Any], changing: set[str], loop: Any, unknown: Collection[str] = ()
) -> tuple[list[Any], list[Any]]:
    """The statements that can stand before a loop, and the others, whose results are added to ``changing``.

    Args:
      program: the program.
      body: statements of the loop.
      changing: names whose values change in it.
      loop: the loop.
      unknown: names that are known only once the statements that define them have been moved.
    """
    stored = [program.root(b) for b in buffers_of(loop)[1]]
    waiting = set(unknown)
    before, rest = [], []
    for s in body:
        used = uses(s)
        if _is_movable(program, s, stored) and changing.isdisjoint(used) and waiting.isdisjoint(used):
            before.append(s)
            waiting.difference_update(defines(s))
            continue
        rest.append(s)
        for t in walk([s]):
            changing.update(defines(t))
    return before, rest


def _is_movable(program: Program, s: Any, stored: Sequence[Buffer]) -> bool:
    if type(s) is Load:
        root = program.root(s.buffer)
        return not any(overlap(root, b) for b in stored)
    return bool(s.is_pure)
