"""An explanation as HTML: for notebooks, and as a page.

May import ``explaining.sections``.
"""

from __future__ import annotations

import html
from typing import Any

from fungrad.explaining.sections import Block, Listing, Prose, Table, margin, sections

# `explanation.Explanation`, which is above this module.
Explanation = Any


def html_page(e: Explanation) -> str:
    """The explanation as a document."""
    return f'<!doctype html><meta charset="utf-8"><title>{html.escape(e.name)}</title>{html_fragment(e)}'


def html_fragment(e: Explanation) -> str:
    """The explanation for a notebook: sections that fold."""
    parts = []
    for k, section in enumerate(sections(e, assembly=True, passes=False)):
        body = "".join(map(block_html, section.blocks))
        opened = " open" if k < 2 else ""
        parts.append(f"<details{opened}><summary><b>{html.escape(section.title)}</b></summary>{body}</details>")
    return f'<div class="fg-explanation">{"".join(parts)}</div>'


def block_html(block: Block) -> str:
    """A table, listing or text."""
    if isinstance(block, Prose):
        return f'<pre style="white-space:pre-wrap">{html.escape(block.text)}</pre>'
    if isinstance(block, Listing):
        rows = [f"{margin(line):>8}  {line.text}".rstrip() for line in block.lines]
        return f'<pre style="overflow-x:auto">{html.escape(chr(10).join(rows))}</pre>'
    assert isinstance(block, Table)
    align = ["right" if c.startswith(">") else "left" for c in block.columns]
    head = "".join(
        f'<th scope="col" style="text-align:{a}">{html.escape(c.removeprefix(">"))}</th>'
        for c, a in zip(block.columns, align, strict=True)
    )
    rows = [
        "".join(f'<td style="text-align:{a}">{html.escape(str(x))}</td>' for x, a in zip(row, align, strict=True))
        for row in block.rows
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div style="overflow-x:auto"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
