"""Outlining and its opposite: what is compiled once, and what is compiled together.

Unrolled programs (layers, steps of a loop that Python wrote out) consist of the same nests over and over. The function
of a nest finds its arrays in its first lines and works on them in the rest; where the rest is the same in several, it
becomes a function of its own with the places as parameters, which is compiled once (`outline`).

LLVM takes a millisecond for a function however short it is. So nests without loops that follow each other, such as
those that put single elements into an array, become one function (`join`), and so do calls of outlined bodies.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from fungrad.jit.ir import tuning

_REFERENCE = re.compile(r"!(\d+)")
_REGISTER = re.compile(r"%(?!table\b)([\w.]+)")
_NEST = re.compile(r"@(nest\d+)\b")
_CALL = re.compile(r"call void @(nest\d+)\(ptr %table, i64 0, i64 (\d+)\)")
_NOT_STRAIGHT = re.compile(r"^(br|ret|switch|unreachable)\b|%begin\b|%end\b|\balloca\b|!llvm\.loop")
_PLACE = re.compile(r"(%b\d+|%r\.\d+) = (load (ptr|i64)|getelementptr)")


class NestFunction(NamedTuple):
    """A function of a nest, in parts.

    Attributes:
      position: of its text among the functions of the module.
      name: of the function.
      setup: lines that find arrays and counters.
      body: the others.
    """

    position: int
    name: str
    setup: Sequence[str]
    body: Sequence[str]

    def text(self) -> str:
        """The function by itself."""
        return "\n".join([self._header(self.name), "entry:", *self.setup, *self.body, "ret void", "}"])

    @property
    def is_straight(self) -> bool:
        """Whether it has no loop or branch and does not ask which part of a range it is for."""
        return not any(line.endswith(":") or _NOT_STRAIGHT.search(line) for line in self.body)

    @property
    def places(self) -> list[str]:
        """The parameters of the body, with their types."""
        found = []
        for line in self.setup:
            match = _PLACE.match(line)
            if match is not None:
                found.append(f"{match[3] or 'ptr'} {match[1]}")
        return found

    def shared(self, name: str) -> str:
        """The body as a function."""
        return "\n".join([self._header(name, *self.places), "entry:", *self.body, "ret void", "}"])

    def calling(self, body: str) -> str:
        """The function as a call of a body."""
        arguments = ", ".join(["ptr %table", "i64 %begin", "i64 %end", *self.places])
        call = f"call void @{body}({arguments})"
        return "\n".join([self._header(self.name), "entry:", *self.setup, call, "ret void", "}"])

    def _header(self, name: str, *more: str) -> str:
        parameters = ", ".join(["ptr noalias %table", "i64 %begin", "i64 %end", *more])
        return f"define internal void @{name}({parameters}) #0 {{"


def outline(functions: list[str], nests: Sequence[NestFunction], metadata: Sequence[str]) -> None:
    """Replaces the texts of functions that have one body.

    Args:
      functions: all texts of the module; bodies are added.
      nests: those of nests.
      metadata: the nodes of the module.
    """
    alike: dict[tuple, list[NestFunction]] = {}
    for nest in nests:
        if len(nest.body) >= tuning.SHARED_LINES:
            # What differs in more than names of metadata differs without them.
            rough = (len(nest.body), tuple(nest.places), _REFERENCE.sub("!", "\n".join(nest.body)))
            alike.setdefault(rough, []).append(nest)
    count = 0
    calls: dict[str, tuple[NestFunction, str]] = {}
    for group in alike.values():
        same: dict[str, list[NestFunction]] = {}
        for nest in group if len(group) > 1 else ():
            same.setdefault(_written_out("\n".join(nest.body), metadata), []).append(nest)
        for twins in same.values():
            if len(twins) > 1:
                name = f"body{count}"
                count += 1
                functions.append(twins[0].shared(name))
                for nest in twins:
                    functions[nest.position] = nest.calling(name)
                    calls[nest.name] = nest, name
    _gather(functions, calls)


def _gather(functions: list[str], calls: dict[str, tuple[NestFunction, str]]) -> None:
    """Makes one function of calls of bodies that follow each other.

    Args:
      functions: all texts of the module; those that nobody calls any more become empty.
      calls: nests that only call a body, and which.
    """
    uses = Counter(name for text in functions for name in _NEST.findall(text))
    made: list[str] = []
    for position, text in enumerate(functions):
        if not any(nest.position == position for nest, _ in calls.values()):
            functions[position] = _with_gathered(text, calls, uses, functions, made)
    functions += made


def _with_gathered(
    text: str, calls: dict[str, tuple[NestFunction, str]], uses: Counter, functions: list[str], made: list[str]
) -> str:
    """The text of a function that calls nests, with fewer calls; adds what it calls instead to ``made``."""
    out: list[str] = []
    run: list[tuple[str, list[str]]] = []

    def finish() -> None:
        if len(run) < 2:
            out.extend(line for line, _ in run)
        else:
            name = f"calls{len(made)}"
            out.append(f"call void @{name}(ptr %table)")
            header = f"define internal void @{name}(ptr noalias %table) #0 {{"
            made.append("\n".join([header, "entry:", *(x for _, lines in run for x in lines), "ret void", "}"]))
            for line, _ in run:
                nest = calls[_CALL.fullmatch(line)[1]][0]  # type: ignore[index]
                if uses[nest.name] == 2:  # its definition, and this call
                    functions[nest.position] = ""
        run.clear()

    for line in text.split("\n"):
        found = _CALL.fullmatch(line)
        nest, body = calls.get(found[1], (None, "")) if found is not None else (None, "")
        if found is None or nest is None:
            finish()
            out.append(line)
            continue
        if sum(len(lines) for _, lines in run) + len(nest.setup) >= tuning.JOINED_LINES:
            finish()
        arguments = ", ".join(["ptr %table", "i64 0", f"i64 {found[2]}", *nest.places])
        lines = [*nest.setup, f"call void @{body}({arguments})"]
        run.append((line, [_REGISTER.sub(rf"%n{len(run)}.\1", x) for x in lines]))
    finish()
    return "\n".join(out)


def join(functions: list[str], nests: list[NestFunction], lines: Sequence[str]) -> list[str]:
    """Makes one function of nests without loops that are called one after the other.

    Args:
      functions: all texts of the module; those of joined nests become empty.
      nests: those of nests; joined ones are taken out.
      lines: that call them.

    Returns:
      The lines that call the functions that there are now.
    """
    known = {nest.name: nest for nest in nests}
    out: list[str] = []
    run: list[NestFunction] = []
    gone: set[str] = set()

    def finish() -> None:
        if len(run) < 2:
            out.extend(f"call void @{nest.name}(ptr %table, i64 0, i64 1)" for nest in run)
        else:
            name = f"joined.{run[0].name}"
            own: list[str] = []
            for k, nest in enumerate(run):
                own += [_REGISTER.sub(rf"%n{k}.\1", line) for line in (*nest.setup, *nest.body)]
                functions[nest.position] = ""
                gone.add(nest.name)
            header = f"define internal void @{name}(ptr noalias %table) #0 {{"
            functions[run[0].position] = "\n".join([header, "entry:", *own, "ret void", "}"])
            out.append(f"call void @{name}(ptr %table)")
        run.clear()

    for line in lines:
        found = _CALL.fullmatch(line)
        nest = known.get(found[1]) if found is not None else None
        if nest is None or not nest.is_straight or line != f"call void @{nest.name}(ptr %table, i64 0, i64 1)":
            finish()
            out.append(line)
            continue
        if sum(len(n.setup) + len(n.body) for n in (*run, nest)) > tuning.JOINED_LINES:
            finish()
        run.append(nest)
    finish()
    nests[:] = [nest for nest in nests if nest.name not in gone]
    return out


def _written_out(text: str, metadata: Sequence[str]) -> str:
    """A text with the contents of the metadata that it refers to, which are numbered as they come.

    Equal results mean equal functions: which accesses are said not to meet is part of them.
    """
    number: dict[str, int] = {}

    def node(found: re.Match) -> str:
        own = found[1]
        if own in number:
            return f"!{number[own]}"
        number[own] = len(number)
        contents = metadata[int(own)].partition(" = ")[2]
        return f"!{number[own]}<{_REFERENCE.sub(node, contents)}>"

    return _REFERENCE.sub(node, text)
