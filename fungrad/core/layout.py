"""Line breaking for printed programs.

A document is a text, a list of documents, or one of the four classes below.  ``layout`` prints a
``Group`` on one line if the whole group fits into the rest of the line, and otherwise starts a new
line at each ``Break`` that belongs directly to it: the algorithm of Wadler's "A prettier printer"
(1998) without lookahead past the end of the group.

May import nothing from the package.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Doc = Any


class Break(NamedTuple):
    """A new line if the enclosing group is broken, else ``text``."""

    text: str


class Group(NamedTuple):
    """Printed on one line where possible."""

    body: Doc


class Nest(NamedTuple):
    """New lines in ``body`` are indented by ``indent`` more columns."""

    indent: int
    body: Doc


class Note(NamedTuple):
    """``text`` whose line ends with the remark ``note``."""

    text: str
    note: str


def join(separator: Doc, docs: list[Doc]) -> Doc:
    """``docs`` with ``separator`` between them."""
    out: list[Doc] = []
    for doc in docs:
        out += (separator, doc) if out else (doc,)
    return out


def _fits(doc: Doc, room: int) -> bool:
    """Whether ``doc`` without line breaks has at most ``room`` columns."""
    stack = [doc]
    while stack:
        doc = stack.pop()
        kind = type(doc)
        if kind is str:
            room -= len(doc)
            if room < 0:
                return False
        elif kind is list:
            stack.extend(reversed(doc))
        elif kind is Break or kind is Note:
            stack.append(doc.text)
        else:
            stack.append(doc.body)
    return room >= 0


def layout(doc: Doc, width: int = 80) -> str:
    """The text of ``doc`` in lines of at most ``width`` columns where its breaks allow that."""
    parts: list[str] = []  # of the current line
    lines: list[tuple[str, list[str]]] = []  # finished lines and their notes
    notes: list[str] = []
    column = 0
    stack: list[tuple[int, bool, Doc]] = [(0, False, doc)]
    while stack:
        indent, flat, doc = stack.pop()
        kind = type(doc)
        if kind is str or kind is Note:
            if kind is Note:
                notes.append(doc.note)
                doc = doc.text
            parts.append(doc)
            column += len(doc)
        elif kind is list:
            stack.extend((indent, flat, item) for item in reversed(doc))
        elif kind is Nest:
            stack.append((indent + doc.indent, flat, doc.body))
        elif kind is Group:
            stack.append((indent, flat or _fits(doc.body, width - column), doc.body))
        elif flat:
            parts.append(doc.text)
            column += len(doc.text)
        else:
            lines.append(("".join(parts), notes))
            parts, notes, column = [" " * indent], [], indent
    lines.append(("".join(parts), notes))
    if not any(line_notes for _, line_notes in lines):
        return "\n".join(text for text, _ in lines)
    return _with_notes(lines)


def _with_notes(lines: list[tuple[str, list[str]]]) -> str:
    """The lines with their notes in a column to the right."""
    margin = max(len(text) for text, _ in lines)
    out = []
    for text, notes in lines:
        if not notes:
            out.append(text)
        for note in notes:
            out.append(f"{text:{margin}} # {note}")
            text = ""
    return "\n".join(out)
