"""Pass ``exchange``: double buffering. Carried arrays of loops change places with their new values instead of being
copied.

The last steps of a loop copy each new carry, made in a temporary, over the old one. Where nothing else needs the
temporary, the two memories exchange their roles: every function finds buffers through the table of the program, so it
is enough to exchange two addresses there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.facts import is_copy
from fungrad.jit.ir.loops import Affine, Buffer, Call, Program
from fungrad.jit.ir.traverse import buffers_of, children, map_steps, walk

Pair = tuple[Buffer, Buffer]


def exchange(program: Program) -> Program:
    """The program with exchanges in place of copies at the end of loops."""
    found = [s for s in walk(program.steps) if s.exchanges_memory]
    if not found:
        return program
    mentioned = _mentions(program, program.steps)
    pairs_of: dict[int, list[Pair]] = {}
    copies: set[int] = set()
    for loop in found:
        pairs: list[Pair] = []
        for copy in _last_copies(loop.steps):
            pair = _pair(program, copy)
            if pair is not None and _is_free(program, loop, pair, mentioned, pairs):
                pairs.append(pair)
                copies.add(id(copy))
        pairs_of[id(loop)] = pairs
    if not copies:
        return program

    def exchanging(steps: Sequence[Any]) -> list[Any]:
        result = []
        for s in steps:
            if id(s) in copies:
                continue
            pairs = pairs_of.get(id(s), [])
            changed = map_steps(exchanging, s)
            result.append(changed.replace(exchanges=[(a.name, b.name) for a, b in pairs]) if pairs else changed)
        return result

    return program.with_steps(exchanging(program.steps))


def _mentions(program: Program, steps: Sequence[Any]) -> Counter:
    """In how many places a memory is read or written."""
    found: Counter = Counter()
    for s in walk(steps):
        if not s.exchanges_memory:
            found.update({program.root(name).name for names in buffers_of(s) for name in names})
    return found


def _last_copies(steps: Sequence[Any]) -> list[Call]:
    """The copies at the end of a loop."""
    copies: list[Call] = []
    for s in reversed(steps):
        if not is_copy(s):
            break
        copies.append(s)
    return copies


def _pair(program: Program, copy: Call) -> Pair | None:
    """The memories that a copy is about, if it copies all of one to all of the other."""
    (source,), (target,) = copy.inputs, copy.outputs
    new, old = program.root(source.buffer), program.root(target.buffer)
    whole = source.offset == target.offset == Affine() and math.prod(target.shape) == old.size == new.size
    if not whole or new is old or new.kind != "temp" or new.nbytes != old.nbytes or old.nbytes < tuning.EXCHANGED_BYTES:
        return None
    return new, old


def _is_free(program: Program, loop: Any, pair: Pair, mentioned: Counter, others: Sequence[Pair]) -> bool:
    """Whether the new memory is nobody's business outside of the loop, and no other pair's."""
    new, old = pair
    if any(b is x for p in others for b in p for x in pair):
        return False
    inside = _mentions(program, [s for b in children(loop) for s in b])
    last = Counter(program.root(v.buffer).name for c in _last_copies(loop.steps) for v in (*c.inputs, *c.outputs))
    return mentioned[new.name] == inside[new.name] and last[new.name] == last[old.name] == 1
