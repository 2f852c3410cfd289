"""Walks through the loop IR and rebuilds it, from the roles that the fields of its nodes declare.

`children`, `walk` and `accesses` go down; `uses`, `defines`, `changes` and `buffers_of` say what a node does;
`map_bodies`, `map_steps`, `map_loops`, `substitute`, `rename` and `part_of` build changed nodes. They ask for roles
rather than classes, so they serve new nodes as they are.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fungrad.jit.ir.loops import Affine, Loop, Nest, Parallel, Program, Series, View

N = TypeVar("N")
T = TypeVar("T")

# -- going down ----------------------------------------------------------------------------------------------------


def children(node: Any) -> tuple[Sequence[Any], ...]:
    """Lists of statements or steps nested directly in a statement or step."""
    names = node.BODIES
    if not names:
        return ()
    if node.SEVERAL:
        return getattr(node, names[0])  # type: ignore[no-any-return]
    return tuple([getattr(node, n) for n in names])


def walk(items: Sequence[Any]) -> Iterator[Any]:
    """All statements or steps in a list, outer before inner, in order."""
    stack = list(reversed(items))
    while stack:
        item = stack.pop()
        yield item
        if item.BODIES:
            for nested in reversed(children(item)):
                stack.extend(reversed(nested))


def of_kind(kind: type[N], items: Iterable[Any]) -> list[N]:
    """The statements or steps of one class among some; give it `walk(items)` to find nested ones too."""
    return [s for s in items if type(s) is kind]


def walk_in_loops(statements: Sequence[Any], extents: dict[str, int]) -> Iterator[tuple[Any, dict[str, int]]]:
    """Statements in order, each with the extents of the loops around it."""
    for s in statements:
        yield s, extents
        if s.BODIES:
            inside = {**extents, s.index: s.extent} if s.is_counted else extents
            for nested in children(s):
                yield from walk_in_loops(nested, inside)


def accesses(items: Sequence[Any], path: tuple[Any, ...] = ()) -> list[tuple[Any, tuple[Any, ...]]]:
    """Loads and stores in order, each with the statements around it, the outermost first."""
    found: list[tuple[Any, tuple[Any, ...]]] = []
    for s in items:
        if s.is_access:
            found.append((s, path))
        for nested in children(s):
            found += accesses(nested, (*path, s))
    return found


def by_memory(program: Program, found: Iterable[tuple[Any, T]]) -> dict[str, list[tuple[Any, T]]]:
    """The accesses among some statements, each with what is known of it, by the buffer whose memory they touch."""
    groups: dict[str, list[tuple[Any, T]]] = {}
    for s, known in found:
        if s.is_access:
            groups.setdefault(program.root(s.buffer).name, []).append((s, known))
    return groups


# -- what a node does ----------------------------------------------------------------------------------------------


def addresses(node: Any) -> tuple[Affine, ...]:
    """The affine expressions in a node itself."""
    return tuple([x for n in node.ADDRESSES if (x := getattr(node, n)) is not None])


def defines(node: Any) -> tuple[str, ...]:
    """Names of values, cells and counters that a node itself defines."""
    found: list[str] = []
    for n in node.DEFINITIONS:
        name = getattr(node, n)
        if isinstance(name, str):
            found.append(name)
        elif name is not None:
            found += name
    return tuple(found)


def mentions(node: Any) -> list[str]:
    """Names of values, cells and symbols that a node itself (not what is nested in it) uses, as often as it does."""
    found: list[str] = []
    for n in node.USES:
        x = getattr(node, n)
        if isinstance(x, str):
            found.append(x)
        elif isinstance(x, tuple):
            found += [a for a in x if isinstance(a, str)]
    for n in node.ADDRESSES:
        expression = getattr(node, n)
        if expression is not None:
            found += expression.symbols()
    return found


def uses(node: Any) -> set[str]:
    """Names of values, cells and symbols that a node itself (not what is nested in it) uses."""
    return set(mentions(node))


def all_uses(node: Any) -> set[str]:
    """Names that a node and all that is nested in it use."""
    return {name for s in walk([node]) for name in mentions(s)}


def changes(node: Any) -> tuple[str, ...]:
    """Names of the cells that a node itself gives other values."""
    return tuple([getattr(node, n) for n in node.CHANGES])


def buffers_of(node: Any) -> tuple[set[str], set[str]]:
    """Names of the buffers that a step or statement, and what is nested in it, reads and writes."""
    reads: set[str] = set()
    writes: set[str] = set()
    for s in walk([node]):
        if s.READS or s.WRITES:
            written = _names(s, s.WRITES)
            reads.update(_names(s, s.READS))
            writes.update(written)
            if s.reads_what_it_writes:
                reads.update(written)
    return reads, writes


def own_buffers(node: Any) -> tuple[list[str], list[str]]:
    """Names of the buffers that a node itself reads and writes, one for each operand."""
    return _names(node, node.READS), _names(node, node.WRITES)


def _names(node: Any, fields: Sequence[str]) -> list[str]:
    found: list[str] = []
    for n in fields:
        x = getattr(node, n)
        if isinstance(x, str):
            found.append(x)
        else:
            for part in x:
                found += [part.buffer] if isinstance(part, View) else part
    return found


# -- building changed nodes ----------------------------------------------------------------------------------------


def with_bodies(node: Any, bodies: Sequence[Sequence[Any]]) -> Any:
    """A node with other lists inside, in the order of `children`; everything else stays."""
    if not node.BODIES:
        return node
    if node.SEVERAL:
        return node.replace(**{node.BODIES[0]: bodies})
    return node.replace(**dict(zip(node.BODIES, bodies, strict=True)))


def map_bodies(change: Callable[[Sequence[Any]], Sequence[Any]], node: Any) -> Any:
    """A node with every list in it changed; the node itself where it has none or the same stays in all of them."""
    if not node.BODIES:
        return node
    bodies = children(node)
    changed = [change(b) for b in bodies]
    # Nodes are compared by identity.
    same = all([len(a) == len(b) and all(map(operator.is_, a, b)) for a, b in zip(changed, bodies, strict=True)])
    return node if same else with_bodies(node, changed)


def map_steps(change: Callable[[Sequence[Any]], Sequence[Any]], step: Any) -> Any:
    """A step of control flow with the lists of steps in it changed, any other step as it is."""
    return map_bodies(change, step) if step.is_control else step


def map_nests(change: Callable[[Nest], Sequence[Nest]], steps: Sequence[Any]) -> list[Any]:
    """Steps with every nest replaced by others that do the same in order: those that stand in the steps, in their
    control flow, and beside each other in `Parallel` (but for `Rows`, where nests have their final form)."""
    result: list[Any] = []
    for s in steps:
        if type(s) is Nest:
            result += change(s)
        elif type(s) is Parallel:
            result.append(map_bodies(lambda inner: _in_one(change, inner), s))
        else:
            result.append(map_steps(lambda inner: map_nests(change, inner), s))
    return result


def _in_one(change: Callable[[Nest], Sequence[Nest]], steps: Sequence[Any]) -> list[Any]:
    """As `map_nests`, with one step for each."""
    made = [map_nests(change, [s]) for s in steps]
    return [new[0] if len(new) == 1 else Series(new) for new in made]


def map_loops(
    change: Callable[[Loop, Sequence[Loop]], Sequence[Any] | None],
    statements: Sequence[Any],
    around: Sequence[Loop] = (),
) -> list[Any]:
    """Statements with loops replaced, from the outermost on: ``change`` gets a loop and those around it, and gives what
    stands in its place, or None to go on with what is nested in it."""
    result: list[Any] = []
    for s in statements:
        made = change(s, around) if type(s) is Loop else None
        if made is None:
            inside = (*around, s) if type(s) is Loop else around
            made = [map_bodies(lambda body, inside=inside: map_loops(change, body, inside), s)]  # type: ignore[misc]
        result += made
    return result


def map_loops_inside_out(change: Callable[[Loop], Sequence[Any]], statements: Sequence[Any]) -> list[Any]:
    """Statements with loops replaced, from the innermost on: ``change`` gets a loop in which that has been done, and
    gives what stands in its place."""
    result: list[Any] = []
    for s in statements:
        s = map_bodies(lambda body: map_loops_inside_out(change, body), s)
        result += change(s) if type(s) is Loop else [s]
    return result


def substitute(node: Any, values: Mapping[str, Affine]) -> Any:
    """A node, and what is nested in it, with symbols in addresses replaced."""
    return rename(node, {}, values)


def part_of(loop: Loop, first: Affine | int, extent: int) -> Loop:
    """Some iterations of a loop: `extent` of them, from the one numbered `first` on."""
    here = {loop.index: Affine.of(first) + loop.index}
    return loop.replace(extent=extent, body=[substitute(s, here) for s in loop.body])


def rename(node: Any, names: Mapping[str, str], values: Mapping[str, Affine]) -> Any:
    """A node, and what is nested in it, with names of values, cells and counters and symbols in addresses replaced."""
    changed: dict[str, Any] = {}
    for n in node.ADDRESSES:
        expression = getattr(node, n)
        if expression is not None and values:
            changed[n] = expression.substitute(values)
    if names:
        for n in (*node.DEFINITIONS, *node.USES):
            x = getattr(node, n)
            if isinstance(x, str):
                changed[n] = names.get(x, x)
            elif isinstance(x, tuple):
                changed[n] = tuple([names.get(a, a) if isinstance(a, str) else a for a in x])
    for n in (*node.READS, *node.WRITES):
        x = getattr(node, n)
        if isinstance(x, tuple):
            changed[n] = tuple([rename(v, names, values) if isinstance(v, View) else v for v in x])
    if node.BODIES:
        bodies = [tuple([rename(s, names, values) for s in b]) for b in children(node)]
        if node.SEVERAL:
            changed[node.BODIES[0]] = bodies
        else:
            changed.update(zip(node.BODIES, bodies, strict=True))
    return node.replace(**changed) if changed else node
