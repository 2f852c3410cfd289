"""Pass ``redundant stores`` (redundant store elimination): what was just read from a place is not written back to it.

An array that is updated in a loop shares memory with its state before. The copy of what does not change, where it was
fused with a sum over the same elements, then reads every element and stores it where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir.loops import Load, Nest, Program, Store
from fungrad.jit.ir.traverse import buffers_of, changes, map_bodies, map_nests, walk


def drop_redundant_stores(program: Program) -> Program:
    """The program without stores of a value to where it was read from, nothing having been written there since."""

    def kept(statements: Sequence[Any]) -> list[Any]:
        return [
            map_bodies(kept, s)
            for n, s in enumerate(statements)
            if not (type(s) is Store and _is_redundant(program, statements[:n], s))
        ]

    def of_nest(nest: Nest) -> Sequence[Nest]:
        return [map_bodies(kept, nest)]

    return program.with_steps(map_nests(of_nest, program.steps))


def _is_redundant(program: Program, before: Sequence[Any], store: Store) -> bool:
    if store.update is not None:
        return False
    parts = [(store.value, None)] if store.imag is None else [(store.value, 0), (store.imag, 1)]
    return all(_is_there(program, before, store, value, part) for value, part in parts)


def _is_there(program: Program, before: Sequence[Any], store: Store, value: Any, part: int | None) -> bool:
    """Whether a value was read from where it would be stored, by one of the statements before."""
    memory = program.root(store.buffer)
    for s in reversed(before):
        if type(s) is Load and s.name == value:
            return (
                program.root(s.buffer) is memory
                and program.buffers[s.buffer].dtype == program.buffers[store.buffer].dtype
                and s.index == store.index
                and s.part == part
                and s.where is None
            )
        if any(program.root(b) is memory for b in buffers_of(s)[1]):
            return False
        if any(name in store.index.symbols() for inner in walk([s]) for name in changes(inner)):
            return False
    return False
