"""An explanation in a terminal: with ``rich`` where it is installed, else as plain text.

May import ``explaining.sections`` and ``optional``.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import textwrap
from typing import Any

from fungrad.explaining.sections import Listing, Prose, Section, Table, margin, sections

# `explanation.Explanation`, which is above this module.
Explanation = Any

# Texts of cells are not broken below this width.
_NARROW = 24


def plain_text(e: Explanation, *, assembly: bool = False, passes: bool = False) -> str:
    """All of an explanation as text."""
    return as_text(sections(e, assembly=assembly, passes=passes))


def as_text(parts: list[Section], width: int | None = None) -> str:
    """Sections as text."""
    width = width or max(80, min(shutil.get_terminal_size((120, 40)).columns, 160))
    out: list[str] = []
    for part in parts:
        out += ["", part.title, "=" * len(part.title)]
        for k, block in enumerate(part.blocks):
            if k:
                out.append("")
            if isinstance(block, Prose):
                out.append(block.text)
            elif isinstance(block, Table):
                out += table_lines(block, width)
            else:
                out += [f"{margin(line):>8} | {line.text}".rstrip() for line in block.lines]
    return "\n".join(out).lstrip("\n")


def table_lines(table: Table, width: int) -> list[str]:
    """A table as lines of text; the widest columns are broken where it would be wider than ``width``."""
    heads = [c.removeprefix(">") for c in table.columns]
    right = [c.startswith(">") for c in table.columns]
    rows = [list(map(str, row)) for row in table.rows]
    sizes = [max([len(h), *[len(row[k]) for row in rows]]) for k, h in enumerate(heads)]
    while sum(sizes) + 2 * (len(sizes) - 1) > width and max(sizes) > _NARROW:
        sizes[sizes.index(max(sizes))] -= 1
    lines = []
    for row in [heads, ["-" * n for n in sizes], *rows]:
        cells = [textwrap.wrap(text, n) or [""] for text, n in zip(row, sizes, strict=True)]
        for k in range(max(map(len, cells))):
            parts = [c[k] if k < len(c) else "" for c in cells]
            line = [p.rjust(n) if r else p.ljust(n) for p, n, r in zip(parts, sizes, right, strict=True)]
            lines.append("  ".join(line).rstrip())
    return lines


def show(e: Explanation, *, assembly: bool, passes: bool) -> None:
    """Prints an explanation."""
    show_sections(sections(e, assembly=assembly, passes=passes))


def show_sections(parts: list[Section]) -> None:
    """Prints sections."""
    console = importlib.import_module("rich.console").Console() if importlib.util.find_spec("rich") else None
    if console is None or not console.is_terminal:
        print(as_text(parts))
        return
    for part in parts:
        console.print()
        console.rule(f"[bold]{_escaped(part.title)}", align="left")
        for block in part.blocks:
            console.print(_rich(block))


def _rich(block: Any) -> Any:
    text = importlib.import_module("rich.text")
    if isinstance(block, Prose):
        return text.Text(block.text)
    if isinstance(block, Table):
        table = importlib.import_module("rich.table").Table(box=importlib.import_module("rich.box").SIMPLE_HEAD)
        for c in block.columns:
            # Where the terminal is narrow, cells have more lines, and lose nothing.
            side = "right" if c.startswith(">") else "left"
            table.add_column(text.Text(c.removeprefix(">")), justify=side, overflow="fold")
        for row in block.rows:
            table.add_row(*[text.Text(str(cell)) for cell in row])
        return table
    assert isinstance(block, Listing)
    out = text.Text(no_wrap=True, overflow="ignore")
    for line in block.lines:
        out.append(f"{margin(line):>8} ", style="cyan")
        out.append(line.text.rstrip() + "\n", style="magenta" if line.backward else "")
    out.rstrip()
    return out


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")
