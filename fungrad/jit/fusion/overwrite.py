"""Copy coalescing: new carries of loops that are made in the memory of the old ones.

A step of a loop that changes part of a carried array makes a copy of it, changes the copy, and copies that over the
old array. Where nothing reads the old values once the first of them has been changed, both copies go. `overwrite` sees
to that: steps that read old values later are moved ahead, and where they cannot be, the few elements that they read
are copied ahead instead.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fungrad.jit.fusion.declared import Declared
from fungrad.jit.ir import tuning
from fungrad.jit.ir.affine import address
from fungrad.jit.ir.facts import is_whole_copy, same_positions
from fungrad.jit.ir.loops import Affine, Branch, Buffer, Call, Host, Load, Loop, Nest, Store
from fungrad.jit.ir.traverse import accesses, buffers_of, defines, of_kind, uses, walk

# The steps of some branches, and the pairs of names of a result and of the operand whose memory it may be given.
Branches = tuple[list[list[Any]], list[tuple[str, str]]]


class Overwriting:
    """The steps of one iteration, and which of their arrays share memory.

    Attributes:
      steps: in their present order.
      later: copies of other new carries over old ones, which follow them.
      made: what has been copied ahead for the last arrays that share memory.

    Args:
      declared: the buffers of the program.
      steps: what makes the new carries.
      own: names of the temporaries that only these steps use.
    """

    def __init__(self, declared: Declared, steps: Sequence[Any], own: Collection[str]):
        self.declared = declared
        self.buffers: Mapping[str, Buffer] = declared.by_name
        self.steps = list(steps)
        self.own = own
        self.later: list[Any] = []
        self.made: list[str] = []
        # What steps touch, by name and by memory. The step is kept with it, so that its number is not given to another.
        self._named: dict[int, tuple[Any, tuple[set[str], set[str]]]] = {}
        self._touched: dict[int, tuple[set[str], set[str]]] = {}

    def overwrite(self, new: str, old: str, later: Sequence[Any]) -> list[str] | None:
        """Puts a new carry, and what it is made of, into the memory of the old one if that is safe.

        Returns:
          The names of the arrays that have been put there; None if it is not safe.

        It is safe if the memory always holds the version of the array that is read. The versions follow each other:
        the old carry, perhaps some temporaries, the new carry; each begins as a copy of the one before (which in one
        memory does nothing), or as a formula of it, element by element. So what must hold of every version is that
        nobody reads it from the step on that first changes it to a later one (but for that step itself, if it reads
        each element only to replace it). That is the next version, or if that stays a mere copy the one after it.
        `_next_fault` looks for a step that breaks this; reordering and copying ahead keep what steps that share an
        array with a writer among them do to each other, so that when no fault is left every step reads what it read
        before.
        """
        if self.buffers[new].alias is not None or self.buffers[old].alias is not None:
            return None
        self.later = list(later)
        versions, _ = self._versions(new, old)
        # A temporary that cannot be there may still be what the others are made of.
        for first in range(1, len(versions)):
            if self._attempt([old, *versions[first:]]):
                return versions[first:]
        return None

    def _attempt(self, versions: Sequence[str]) -> bool:
        """Puts the versions into one memory if that is safe; else nothing changes."""
        steps = list(self.steps)
        self.made.clear()
        old = versions[0]
        room = self.buffers[old].nbytes // tuning.COPIED_AHEAD
        for _ in range(len(steps) + len(versions)):
            fault = self._next_fault(versions)
            if fault is None:
                for name in versions[1:]:
                    self.buffers[name].alias = old
                self.forget()
                return True
            at, first, version = fault
            if at >= len(self.steps):
                break
            if at > first and self._moved_ahead(first, at):
                continue
            copied = self._copied_ahead(first, at, version, room)
            if copied is None:
                break
            room -= copied
        self.steps = steps
        for name in reversed(self.made):
            self.declared.discard(name)
        return False

    def comes_from(self, new: str, old: str) -> bool:
        """Whether an array is a changed copy of another one."""
        return self._versions(new, old)[1]

    def forget(self) -> None:
        """Forgets what steps touch, since buffers have changed places."""
        self._touched.clear()

    def touched(self, step: Any) -> tuple[set[str], set[str]]:
        """The memory that a step reads and writes, as names of buffers that are no aliases."""
        found = self._touched.get(id(step))
        if found is None:
            named = self._named.get(id(step))
            if named is None:
                named = self._named[id(step)] = (step, buffers_of(step))
            reads, writes = named[1]
            found = self._touched[id(step)] = ({self.root(n) for n in reads}, {self.root(n) for n in writes})
        return found

    def root(self, name: str) -> str:
        """The buffer whose memory the named one occupies."""
        buffers = self.buffers
        while (alias := buffers[name].alias) is not None:
            name = alias
        return name

    # -- versions ----------------------------------------------------------------------------------------------------

    def _versions(self, new: str, old: str) -> tuple[list[str], bool]:
        """The versions of the array from the old carry to the new one, and whether each is made of the one before."""
        found = [new]
        end = len(self.steps)
        while True:
            end = next((n for n, s in enumerate(self.steps[:end]) if found[0] in self.touched(s)[1]), 0)
            before = None if end == len(self.steps) else self._version_before(self.steps[end], found[0], old)
            if before is None or before == old or before in found:
                return [old, *found], before == old
            found.insert(0, before)

    def _version_before(self, step: Any, version: str, old: str) -> str | None:
        """The array that a step makes a version of, by copying it or element by element."""
        buffers = self.buffers
        reads, writes = self.touched(step)
        kind = (buffers[version].dtype, buffers[version].size)
        suited = [
            n
            for n in sorted(reads - writes, key=lambda n: (n != old, n))
            if (n == old or (n in self.own and buffers[n].kind == "temp"))
            and (buffers[n].dtype, buffers[n].size) == kind
        ]
        for n in suited:
            if self._is_copy(step, n, version):
                return n
        return next((n for n in suited if self._replaces(step, n, version)), None)

    def _is_copy(self, step: Any, source: str, target: str) -> bool:
        """Whether all that a step writes to the target are the elements of the source at the same places."""
        if type(step) is Call:
            (view,) = step.inputs if len(step.inputs) == 1 else (None,)
            return view is not None and self.root(view.buffer) == source and is_whole_copy(self.buffers, step)
        if type(step) is not Nest:
            return False
        loads = {s.name: s for s in of_kind(Load, walk(step.body)) if self.root(s.buffer) == source}
        for s in of_kind(Store, walk(step.body)):
            if self.root(s.buffer) != target:
                continue
            for part, value in ((0, s.value), (1, s.imag)) if s.imag is not None else ((None, s.value),):
                load = loads.get(value)  # type: ignore[arg-type]
                if load is None or load.part != part or load.index != s.index:
                    return False
                if s.update is not None or load.where is not None:
                    return False
                if self.buffers[load.buffer].dtype != self.buffers[s.buffer].dtype:
                    return False
        return True

    def _replaces(self, step: Any, source: str, target: str) -> bool:
        """Whether a step reads each element of the source only to replace it by one of the target."""
        if type(step) is Branch:
            _, places = self.declared.replacing.get(id(step), (step, ()))
            read = {n for n in buffers_of(step)[0] if self.root(n) == source}
            # Where it also reads that memory as another array, only this one may be replaced.
            return any(read == {old} and self.root(new) == target for new, old in places)
        if type(step) is not Nest:
            return False
        reads, writes = buffers_of(step)
        if {n for n in writes if self.root(n) == target} != {target}:
            return False
        return same_positions(step.body, {n for n in reads if self.root(n) == source}, target)

    def _next_fault(self, versions: Sequence[str]) -> tuple[int, int, str] | None:
        """The position of a step that reads a version too late, the position of the one that changes it first, and the
        version."""
        everything = [*self.steps, *self.later]
        touched = [self.touched(s) for s in everything]
        # From where on the memory holds a later version. Going back, since a version that is but a copy of the one
        # before does not end it: that is also read too late where a version after the copy has been changed.
        end: tuple[int, str] | None = None
        for before, version in zip(versions[-2::-1], versions[:0:-1], strict=True):
            writers = [n for n, (_, writes) in enumerate(touched) if version in writes]
            if writers and any(before in writes for _, writes in touched[writers[0] :]):
                # Not a version that is finished when the next one begins.
                return len(everything), writers[0], before
            changing = [n for n in writers if not self._is_copy(everything[n], before, version)]
            if changing:
                end = changing[0], version
            if end is None:
                continue
            first, changed = end
            for n in range(first, len(everything)):
                if before in touched[n][0] and not (n == first and self._replaces(everything[n], before, changed)):
                    return n, first, before
        return None

    # -- moving and copying ahead ------------------------------------------------------------------------------------

    def _moved_ahead(self, first: int, at: int) -> bool:
        """Moves a step, and what it needs, before another one; False if it needs that one."""
        ahead = self._needed(first, at, *self.touched(self.steps[at]), _has_host(self.steps[at]))
        if ahead is None:
            return False
        ahead = [*ahead, at]
        self._put_ahead(first, ahead, [])
        return True

    def _needed(self, first: int, at: int, reads: set[str], writes: set[str], host: bool) -> list[int] | None:
        """The steps from ``first`` on that must stay before one at ``at`` that reads and writes some memory; None if
        the first is one of them."""
        reads, writes = set(reads), set(writes)
        needed: list[int] = []
        for n in range(at - 1, first - 1, -1):
            read, written = self.touched(self.steps[n])
            # Calls of Python keep their order.
            both = host and _has_host(self.steps[n])
            if both or not (written.isdisjoint(reads | writes) and read.isdisjoint(writes)):
                if n == first:
                    return None
                needed.append(n)
                reads |= read
                writes |= written
                host = host or _has_host(self.steps[n])
        return needed[::-1]

    def _put_ahead(self, first: int, ahead: Sequence[int], more: Sequence[Any]) -> None:
        moved = set(ahead)
        rest = [s for n, s in enumerate(self.steps) if n >= first and n not in moved]
        self.steps = [*self.steps[:first], *[self.steps[n] for n in ahead], *more, *rest]

    def _copied_ahead(self, first: int, at: int, version: str, room: int) -> int | None:
        """Copies what a step reads of a version before another step changes it; returns the bytes copied, or None if
        they are more than there is room for, or are not known before."""
        step = self.steps[at]
        if type(step) is not Nest:
            return None
        loads = [(s, path) for s, path in accesses(step.body) if type(s) is Load and self.root(s.buffer) == version]
        if any(type(around) is not Loop for _, path in loads for around in path):
            return None
        sizes = [math.prod(loop.extent for loop in path) for _, path in loads]
        buffer = self.buffers[version]
        nbytes = sum(sizes) * (buffer.nbytes // max(buffer.size, 1))
        kept = self._leading_to(step, [s for s, _ in loads])
        if nbytes > room or not all(sizes) or kept is None:
            return None
        reads = {self.root(s.buffer) for s in of_kind(Load, walk(step.body)) if id(s) in kept}
        needed = self._needed(first, at, reads, set(), False)
        if needed is None:
            return None
        dtype = buffer.value_dtype
        copies: dict[int, tuple[str, Affine]] = {}
        for s, path in loads:
            shape = [loop.extent for loop in path]
            self.made.append(self.declared.new("temp", dtype, shape))
            copies[id(s)] = (self.made[-1], address(shape, [loop.index for loop in path]))
        copying = Nest(_only(step.body, kept, copies), "copy ahead")
        self.steps[at] = step.replace(body=_from_copies(step.body, copies))
        self._put_ahead(first, needed, [copying])
        return nbytes

    def _leading_to(self, nest: Nest, loads: Sequence[Load]) -> set[int] | None:
        """The statements of a nest that some loads need, and the loads, by identity; None if they need more than
        formulas of what the nest does not change itself."""
        written = self.touched(nest)[1]
        kept = {id(s) for s in loads}
        wanted: set[str] = set()
        for s in reversed(list(walk(nest.body))):
            if id(s) not in kept and (type(s) is Loop or wanted.isdisjoint(defines(s))):
                continue
            if not s.is_pure or (type(s) is Load and self.root(s.buffer) in written):
                return None
            kept.add(id(s))
            wanted |= uses(s)
        return kept


def overwrite_in_branches(
    declared: Declared, branches: Sequence[tuple[Sequence[Any], Collection[str]]], pairs: Sequence[tuple[str, str]]
) -> Branches:
    """The steps of branches of which each makes results from operands, such that the results may be made in the memory
    of the operands.

    Whether they will be is decided where it is known who else reads the operands. So the results get their own memory
    here, in which the arrays that lead to them are put; that is as safe as the memory of the operand with them in it.

    Args:
      declared: the buffers of the program.
      branches: steps, and the names of the temporaries that only they use.
      pairs: names of a result and of an operand that may give it memory.
    """
    buffers = declared.by_name
    work = [Overwriting(declared, steps, own) for steps, own in branches]
    accepted: list[tuple[str, str]] = []
    inside: list[tuple[str, str]] = []
    for new, old in pairs:
        if any(new == n or old == o for n, o in accepted) or not any(w.comes_from(new, old) for w in work):
            continue
        before = [list(w.steps) for w in work]
        put: list[str] = []
        copied: list[str] = []
        for w in work:
            versions = w.overwrite(new, old, [])
            if versions is None:
                break
            put += versions[:-1]
            copied += w.made
            buffers[new].alias = None
            w.forget()
        else:
            # What follows must respect that they share memory.
            buffers[new].alias = old
            accepted.append((new, old))
            inside += [(name, new) for name in put]
            for w in work:
                w.forget()
            continue
        for name in put:
            buffers[name].alias = None
        for name in reversed(copied):
            declared.discard(name)
        for w, steps in zip(work, before, strict=True):
            w.steps = steps
            w.forget()
    for new, _ in accepted:
        buffers[new].alias = None
    for name, new in inside:
        buffers[name].alias = new
    return [w.steps for w in work], accepted


def _has_host(step: Any) -> bool:
    return bool(of_kind(Host, walk([step])))


def _only(statements: Sequence[Any], kept: set[int], copies: Mapping[int, tuple[str, Affine]]) -> list[Any]:
    """Some of the statements, and stores of what is copied."""
    result: list[Any] = []
    for s in statements:
        if type(s) is Loop:
            body = _only(s.body, kept, copies)
            if body:
                # Every element has a place of its own, so iterations are independent whatever they were before.
                result.append(Loop(s.index, s.extent, body))
        elif id(s) in kept:
            result.append(s)
            if id(s) in copies:
                buffer, at = copies[id(s)]
                result.append(Store(buffer, at, s.name))
    return result


def _from_copies(statements: Sequence[Any], copies: Mapping[int, tuple[str, Affine]]) -> list[Any]:
    """The statements with what has been copied read from there."""
    result: list[Any] = []
    for s in statements:
        if type(s) is Loop:
            s = s.replace(body=_from_copies(s.body, copies))
        elif id(s) in copies:
            s = Load(s.name, *copies[id(s)])
        result.append(s)
    return result
