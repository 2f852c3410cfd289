"""An explanation as HTML: for notebooks, and as a self-contained page that works from a file.

All lines are in the document; the script (`assets/page.js`) only links them.

May import ``explaining.sections`` and below.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fungrad.explaining import sections as parts
from fungrad.explaining.listings import Line
from fungrad.explaining.places import Place
from fungrad.explaining.sections import Block, Listing, Prose, Table, margin, sections

# `explanation.Explanation`, which is above this module.
Explanation = Any

_ASSETS = Path(__file__).parent / "assets"
# Lines of a pane; what is longer is cut, and says so.
_MOST_LINES = 6000


class _Keys:
    """Numbers of the user's lines."""

    def __init__(self) -> None:
        self.numbers: dict[Place, int] = {}

    def of(self, places: Any) -> str:
        """The attribute of an element that comes from some lines; empty for none."""
        if not places:
            return ""
        found = sorted(self.numbers.setdefault(p, len(self.numbers)) for p in sorted(places))
        return f' data-k="{" ".join(map(str, found))}"'


def html_page(e: Explanation) -> str:
    """The explanation as a document of its own."""
    keys = _Keys()
    source = _source(e, keys)
    programs = e.programs
    panes = [
        ("source", "Source", "", source),
        ("jaxpr", "Jaxpr", "as traced", _lines(e.function.traced, keys)),
        ("gradient", "Gradient", "jaxpr of value and gradient", _gradient(e, keys)),
        ("loops", "Loops", "after all passes", _both([(n, _lines(v.loops, keys)) for n, v in programs])),
        ("assembly", "Assembly", "", _both([(n, _lines(v.assembly, keys)) for n, v in programs])),
    ]
    tabs = "".join(
        f'<button role="tab" aria-controls="{name}" aria-selected="false">{title} <span class="count"></span></button>'
        for name, title, _, _ in panes
    )
    columns = "".join(
        f'<section class="pane" id="{name}" aria-label="{title}"><h2>{title} <small>{about}</small></h2>'
        f"{body}</section>"
        for name, title, about, body in panes
    )
    toggle = ""
    if len(programs) > 1:
        toggle = "".join(
            f'<button data-program="{n}" aria-pressed="{str(n == "function").lower()}">{n}</button>'
            for n, _ in programs
        )
    # Not of the page itself: a name may contain anything.
    title = html.escape(f"{e.name} - fungrad.explain")
    summary = sections_summary(e)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_asset('page.css')}</style></head><body>"
        f'<header><h1>{html.escape(e.name)}</h1><div class="controls" role="group" aria-label="Which program">{toggle}'
        f'<button id="theme">dark / light</button></div><p>{summary}</p></header>'
        f'<div class="tabs" role="tablist">{tabs}</div><main class="panes">{columns}</main>'
        '<p class="help">Point at a line to see what became of it. <kbd>&uarr;</kbd> <kbd>&darr;</kbd> move, '
        "<kbd>&larr;</kbd> <kbd>&rarr;</kbd> change the pane, <kbd>Enter</kbd> keeps the lines lit, <kbd>Esc</kbd> "
        "ends that.</p>"
        f'<div class="more">{_more(e, keys)}</div><script>{_asset("page.js")}</script></body></html>\n'
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8").strip()


def sections_summary(e: Explanation) -> str:
    """The first section in a paragraph."""
    (block,) = sections(e, assembly=False, passes=False)[0].blocks
    first, *rest = block.text.split("\n")  # type: ignore[union-attr]
    return f"<code>{html.escape(first)}</code><br>" + "<br>".join(map(html.escape, rest))


def _item(text: str, attributes: str, number: str = "", kind: str = "") -> str:
    mark = f'<span class="n">{number}</span>' if number else '<span class="n"></span>'
    cls = f' class="{kind}"' if kind else ""
    return f'<li tabindex="-1"{cls}{attributes}>{mark}{html.escape(text)}</li>'


def _source(e: Explanation, keys: _Keys) -> str:
    items = []
    for part in e.sources:
        items.append(_item(Path(part.file).name, "", kind="file"))
        for text, place in zip(part.lines, part.places, strict=True):
            items.append(_item(text, keys.of([place]), str(place.line)))
    if not items:
        return '<p class="empty">The source cannot be read.</p>'
    return f"<ol>{''.join(items)}</ol>"


def _lines(lines: Sequence[Line], keys: _Keys) -> str:
    items = []
    for line in lines[:_MOST_LINES]:
        step = f' data-s="{line.step}"' if line.step is not None else ""
        items.append(_item(line.text, keys.of(line.places) + step, margin(line), "back" if line.backward else ""))
    if len(lines) > _MOST_LINES:
        items.append(_item(f"... {len(lines) - _MOST_LINES} more lines", ""))
    return f"<ol>{''.join(items)}</ol>"


def _gradient(e: Explanation, keys: _Keys) -> str:
    if e.derivative is None:
        return f'<p class="empty">Not shown: {html.escape(e.no_derivative)}.</p>'
    return _lines(e.gradient, keys)


def _both(bodies: Sequence[tuple[str, str]]) -> str:
    """What differs between the programs; the buttons choose."""
    out = []
    for name, body in bodies:
        hidden = "" if name == "function" else " hidden"
        out.append(body.replace("<ol>", f'<ol data-p="{name}"{hidden}>', 1))
    return "".join(out)


# -- below the panes ---------------------------------------------------------------------------------------------------


def _more(e: Explanation, keys: _Keys) -> str:
    out = []
    for name, view in e.programs:
        hidden = "" if name == "function" else " hidden"
        blocks = [
            _heading("Cost of every step", [_costs(view, keys)]),
            _heading("What was not fused, and why", map(block_html, parts.apart_blocks(view))),
            _heading("Copies, and why", map(block_html, parts.copies_blocks(view))),
            _heading("Steps in Python", map(block_html, parts.hosts_blocks(view))),
        ]
        out.append(f'<div data-p="{name}"{hidden}>{"".join(blocks)}</div>')
    drawing = e.drawing
    if drawing is not None:
        out.append(_heading("Graph", [_linked(drawing.html(), keys)]))
    if e.chain_rule is not None:
        latex = f"<details><summary>LaTeX</summary><pre>{html.escape(e.chain_rule.latex())}</pre></details>"
        about = "<p>\N{PARTIAL DIFFERENTIAL}x is the derivative of the result by x.</p>"
        out.append(_heading("The chain rule", [about, f"<pre>{html.escape(str(e.chain_rule))}</pre>", latex]))
    if e.derivative is not None:
        kept = map(block_html, parts.residual_blocks(e))
        out.append(_heading("What is kept for the backward pass, and why", kept))
    for name, view in e.programs:
        hidden = "" if name == "function" else " hidden"
        out.append(f'<div data-p="{name}"{hidden}>{_heading("Passes, one by one", [_passes(view)])}</div>')
    out.append(_heading("Traces", [f'<pre class="wrap">{html.escape(parts.traces_text(e))}</pre>']))
    return "".join(out)


def _heading(title: str, bodies: Any) -> str:
    return f"<h3>{html.escape(title)}</h3>{''.join(bodies)}"


def _costs(view: Any, keys: _Keys) -> str:
    """The table of costs, with a bar for each step; its rows light up lines."""
    (block,) = parts.steps_blocks(view)
    if not isinstance(block, Table):
        return block_html(block)
    weights = [(s.roofline.seconds if s.roofline is not None else float(s.cost.moved)) * s.times for s in view.steps]
    most = max(weights) or 1.0
    what = "least time" if any(s.roofline is not None for s in view.steps) else "bytes"
    head = _head([*block.columns, what])
    rows = []
    for s, row, weight in zip(view.steps, block.rows, weights, strict=True):
        bar = f'<td class="bar"><i style="width:{max(1.0, 100 * weight / most):.1f}%"></i></td>'
        rows.append(f'<tr tabindex="0" data-s="{s.number}"{keys.of(s.places)}>{_cells(block.columns, row)}{bar}</tr>')
    return f'<div class="scroll"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _linked(text: str, keys: _Keys) -> str:
    """A drawing whose boxes know their lines."""

    def key(found: re.Match) -> str:
        file, _, line = html.unescape(found[1]).rpartition(":")
        return keys.of([Place(file, int(line))])

    return re.sub(r' data-at="([^"]*)"', key, text)


def _passes(view: Any) -> str:
    out = []
    before = len(view.jaxpr.eqns)
    for name, count, lines in view.passes():
        if lines is not None:
            change = f"{before} equations, then {count}"
            body = html.escape("\n".join(x.text for x in lines))
            out.append(f"<details><summary>{html.escape(name)}: {change}</summary><pre>{body}</pre></details>")
        before = count
    for name, about, text in view.rewrites():
        if text is not None:
            body = html.escape("\n".join(text))
            title = html.escape(f"{name}: {about}")
            out.append(f"<details><summary>{title}</summary><pre>{body}</pre></details>")
    quiet = [n for n, _, lines in view.passes() if lines is None] + [n for n, _, t in view.rewrites() if t is None]
    return "".join(out) + f"<p>Without an effect here: {html.escape(', '.join(quiet))}.</p>"


# -- notebooks, and blocks ---------------------------------------------------------------------------------------------


def html_fragment(e: Explanation) -> str:
    """The explanation for a notebook: sections that fold."""
    out = []
    for k, section in enumerate(sections(e, assembly=True, passes=False)):
        body = "".join(map(block_html, section.blocks))
        opened = " open" if k < 2 else ""
        out.append(f"<details{opened}><summary><b>{html.escape(section.title)}</b></summary>{body}</details>")
    return f'<div class="fg-explanation">{"".join(out)}</div>'


def block_html(block: Block) -> str:
    """A table, listing or text."""
    if isinstance(block, Prose):
        return f'<pre class="wrap" style="white-space:pre-wrap">{html.escape(block.text)}</pre>'
    if isinstance(block, Listing):
        rows = [f"{margin(line):>8}  {line.text}".rstrip() for line in block.lines]
        return f'<pre style="overflow-x:auto">{html.escape(chr(10).join(rows))}</pre>'
    assert isinstance(block, Table)
    body = "".join(f"<tr>{_cells(block.columns, row)}</tr>" for row in block.rows)
    table = f"<table>{_head(block.columns)}<tbody>{body}</tbody></table>"
    return f'<div class="scroll" style="overflow-x:auto">{table}</div>'


def _side(column: str) -> str:
    return ' class="r" style="text-align:right"' if column.startswith(">") else ' style="text-align:left"'


def _head(columns: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col"{_side(c)}>{html.escape(c.removeprefix(">"))}</th>' for c in columns)
    return f"<thead><tr>{cells}</tr></thead>"


def _cells(columns: Sequence[str], row: Sequence[Any]) -> str:
    pairs = zip(columns, row, strict=True)
    return "".join(f"<td{_side(c)}>{html.escape(str(x))}</td>" for c, x in pairs)
