"""Pictures of computations: ``fungrad.draw``.

A graph is laid out in layers, in the manner of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of
Hierarchical System Structures" (1981): every operation one layer behind the last of its operands, the order in a layer
by the positions of neighbours.  The result is SVG text; no other program is needed.

May import ``core``, ``transforms``, ``jit`` and ``numpy``.
"""

from __future__ import annotations

import hashlib
import html
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad import numpy as jnp
from fungrad.core import printing_hooks, tree
from fungrad.core.array import as_array
from fungrad.core.ir import Eqn, Jaxpr, Literal, Var, jaxprs_in_params
from fungrad.core.printing import literal_text, marked_lines, variable_names
from fungrad.transforms.api import vjp
from fungrad.transforms.inspection import make_jaxpr

# Signs for what people write with signs.
_SIGNS = {"add": "+", "add_any": "+", "sub": "\N{MINUS SIGN}", "mul": "\N{MULTIPLICATION SIGN}", "div": "/", "gt": ">",
          "lt": "<", "ge": "\N{GREATER-THAN OR EQUAL TO}", "le": "\N{LESS-THAN OR EQUAL TO}", "eq": "="}  # fmt: skip
_CALLS = ("jit", "custom_jvp_call", "custom_vjp_call", "checkpoint")
# A notebook draws jaxprs with so many equations.
_MOST_DRAWN = 150
_CHARACTER, _LINE, _PAD, _BETWEEN_ROWS, _BETWEEN_LAYERS = 7.3, 16, 8, 18, 64

_LIGHT = """
.edge{fill:none;stroke:#8a8f98;stroke-width:1.3}.box{fill:#f6f7f9;stroke:#8a8f98;stroke-width:1.2}
.input .box{fill:#e8f1ff}.output .box{fill:#eaf7ec}.call .box{stroke-dasharray:5 3}
text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1d2025}
.value{fill:#0b57d0}.gradient{fill:#b3400b}.legend{font-size:11px}"""
_DARK = """
.box{fill:#23262c;stroke:#6b7079}.input .box{fill:#1b2b45}.output .box{fill:#1d3323}
text{fill:#e6e8eb}.value{fill:#8ab4f8}.gradient{fill:#f2a272}"""


def _scoped(rules: str, scope: str) -> str:
    """Rules of a style sheet for elements inside of ``scope`` only: a picture may stand in a page with others."""
    parts = [rule.split("{") for rule in rules.replace("\n", "").split("}") if rule]
    return "".join(f"{scope} {selector}{{{body}}}" for selector, body in parts)


# The scheme is the reader's, unless a page around the picture sets one with `data-theme`.
STYLE = (
    _scoped(_LIGHT, ".fg-graph")
    + "@media (prefers-color-scheme:dark){"
    + _scoped(_DARK, ":root:not([data-theme=light]) .fg-graph")
    + _scoped(_DARK, ".fg-graph:root")
    + "}"
    + _scoped(_DARK, "[data-theme=dark] .fg-graph")
)


class Drawing:
    """A picture of a computation.

    It shows itself in a notebook.

    Attributes:
      svg: the picture as text.
      parts: pictures of what is inside of single boxes (jitted functions drawn as one box, bodies of loops, branches),
        each with its title. A notebook shows them folded up.
    """

    def __init__(self, svg: str, parts: Sequence[tuple[str, Drawing]] = ()):
        self.svg = svg
        self.parts = tuple(parts)

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The picture, with folded-up pictures of what is inside of its boxes, as HTML."""
        inner = "".join(
            f'<details class="fg-part"><summary>{html.escape(title)}</summary>{part.html()}</details>'
            for title, part in self.parts
        )
        return f'<div style="overflow-x:auto">{self.svg}</div>{inner}'

    def save(self, path: Any) -> None:
        """Writes the picture to a file, which browsers open.

        Args:
          path: name of the file: with ``.html``, what is inside of boxes is there as well, folded up; else ``.svg``.
        """
        name = os.fspath(path)
        page = f'<!doctype html><meta charset="utf-8"><title>fungrad.draw</title>{self.html()}'
        with open(name, "w", encoding="utf-8") as file:
            file.write(page if str(name).endswith((".html", ".htm")) else self.svg)

    def __repr__(self) -> str:
        return f"Drawing({len(self.svg)} characters of SVG; .save(path) writes it)"


def draw(fun: Callable, *args: Any, gradients: bool = True, expand: bool = True, digits: int = 4) -> Drawing:
    """Draws the graph of a computation, with its numbers on it.

    Values are blue.  If the result is one number, the derivative of it by each value is orange: what reverse mode
    computes on its way back.

    Args:
      fun: function of arrays, or of trees of them.
      *args: its arguments; ``ShapeDtypeStruct`` in the place of arrays draws without numbers.
      gradients: whether to show derivatives.
      expand: whether to draw what is inside of jitted functions and custom rules; else each is one box, and its
        inside a picture of its own among the ``parts``, like bodies of loops and branches.
      digits: of the numbers.

    Returns:
      The drawing: it shows itself in notebooks, and ``save`` writes it to a file.

    Raises:
      TypeError: ``fun`` cannot be called, or an argument is no array.

    Example:
      >>> import fungrad
      >>> picture = fungrad.draw(lambda a, b: (a + b) * (b + 1), 2.0, 1.0)
      >>> "c = a + b" in picture.svg and "e = c \N{MULTIPLICATION SIGN} d" in picture.svg
      True
    """
    if not callable(fun):
        raise TypeError(f"fungrad.draw: fun must be a function, got {type(fun).__name__}")
    closed: Any = make_jaxpr(fun)(*args)
    jaxpr: Jaxpr = closed.jaxpr if hasattr(closed, "jaxpr") and isinstance(closed.jaxpr, Jaxpr) else closed
    eqns, outvars = _shown(jaxpr, expand)
    leaves = tree.leaves(args)
    numbers: dict[Var, Any] = {}
    slopes: dict[Var, Any] = {}
    if not any(_is_type(leaf) for leaf in leaves):
        inputs = [*jaxpr.consts, *map(as_array, leaves)]
        numbers, slopes = _numbers(jaxpr, eqns, outvars, inputs, gradients)
    return Drawing(_Graph(jaxpr, eqns, outvars, numbers, slopes, digits).svg(), _parts(eqns, expand))


def draw_jaxpr(jaxpr: Jaxpr, expand: bool = True) -> Drawing:
    """Draws a jaxpr, without numbers.

    Args:
      jaxpr: the program.
      expand: as that of ``draw``.
    """
    eqns, outvars = _shown(jaxpr, expand)
    return Drawing(_Graph(jaxpr, eqns, outvars, {}, {}, 4).svg(), _parts(eqns, expand))


def _shown(jaxpr: Jaxpr, expand: bool) -> tuple[list[Eqn], list[Any]]:
    """The equations that are drawn, and the results."""
    eqns, outvars = _expanded(jaxpr) if expand else (list(jaxpr.eqns), list(jaxpr.outvars))
    return _needed(eqns, outvars), outvars


def _parts(eqns: Sequence[Eqn], expand: bool) -> list[tuple[str, Drawing]]:
    """Pictures of the jaxprs inside of equations; one that occurs again is not drawn again."""
    found: dict[int, tuple[str, Drawing]] = {}
    for eqn in eqns:
        inner = list(jaxprs_in_params(eqn.params))
        for k, jaxpr in enumerate(inner):
            if id(jaxpr) not in found and jaxpr.eqns:
                name = str(eqn.params.get("name", eqn.primitive.name))
                number = f", part {k + 1} of {len(inner)}" if len(inner) > 1 else ""
                count = len(jaxpr.eqns)
                title = f"{name}{number}: {count} operation{'s' * (count != 1)}"
                found[id(jaxpr)] = title, draw_jaxpr(jaxpr, expand)
    return list(found.values())


def jaxpr_html(jaxpr: Jaxpr) -> str:
    """A jaxpr for notebooks: its text, with the user's lines where the pointer rests, and its picture, folded up."""
    rows = []
    for line in marked_lines(jaxpr):
        sources = ", ".join(dict.fromkeys(str(e.source) for e in line.eqns if e.source is not None))
        title = f' title="{html.escape(sources, quote=True)}"' if sources else ""
        rows.append(f"<span{title}>{html.escape(line.text)}</span>")
    text = '<pre class="fg-jaxpr" style="overflow-x:auto">' + "\n".join(rows) + "</pre>"
    if not jaxpr.eqns or len(jaxpr.eqns) > _MOST_DRAWN:
        return text
    return text + f"<details><summary>graph</summary>{draw_jaxpr(jaxpr, expand=False).html()}</details>"


def _is_type(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype") and not hasattr(leaf, "__array__")


def _expanded(jaxpr: Jaxpr) -> tuple[list[Eqn], list[Any]]:
    """The equations with calls of jitted functions and custom rules written out."""
    eqns: list[Eqn] = []

    def write(inner: Jaxpr, operands: Sequence[Any]) -> list[Any]:
        env: dict[Any, Any] = dict(zip(inner.all_invars, operands, strict=True))
        read = lambda a: env.get(a, a) if isinstance(a, Var) else a  # noqa: E731
        for eqn in inner.eqns:
            body = eqn.params.get("jaxpr") or eqn.params.get("call_jaxpr")
            args = [read(a) for a in eqn.invars]
            if eqn.primitive.name in _CALLS and isinstance(body, Jaxpr) and len(body.all_invars) == len(args):
                for var, out in zip(eqn.outvars, write(body, args), strict=True):
                    env[var] = out
            else:
                fresh = [Var(v.aval) for v in eqn.outvars]
                env.update(zip(eqn.outvars, fresh, strict=True))
                eqns.append(eqn.replace(invars=tuple(args), outvars=tuple(fresh)))
        return [read(a) for a in inner.outvars]

    return eqns, write(jaxpr, jaxpr.all_invars)


def _needed(eqns: list[Eqn], outvars: Sequence[Any]) -> list[Eqn]:
    """The equations that a result depends on."""
    wanted = {v for v in outvars if isinstance(v, Var)}
    kept = []
    for eqn in reversed(eqns):
        if any(v in wanted for v in eqn.outvars):
            kept.append(eqn)
            wanted |= {v for v in eqn.invars if isinstance(v, Var)}
    return kept[::-1]


def _numbers(
    jaxpr: Jaxpr, eqns: list[Eqn], outvars: Sequence[Any], inputs: list[Any], gradients: bool
) -> tuple[dict[Var, Any], dict[Var, Any]]:
    """The value of every variable, and the derivative of a scalar result by it."""
    variables = [*jaxpr.all_invars, *(v for eqn in eqns for v in eqn.outvars)]
    inexact = [v for v in variables if jnp.issubdtype(v.aval.dtype, jnp.inexact)]
    seen: dict[Var, Any] = {}

    def run(shifts: dict[int, Any]) -> list[Any]:
        places = {v: i for i, v in enumerate(inexact)}
        env: dict[Var, Any] = {}

        def put(v: Var, x: Any) -> None:
            seen.setdefault(v, x)
            env[v] = x if not shifts or v not in places else x + shifts[places[v]]

        read = lambda a: env[a] if isinstance(a, Var) else as_array(a.val)  # noqa: E731
        for v, x in zip(jaxpr.all_invars, inputs, strict=True):
            put(v, x)
        for eqn in eqns:
            out = eqn.primitive.bind(*map(read, eqn.invars), **eqn.params)
            for v, x in zip(eqn.outvars, out if eqn.primitive.multiple_results else [out], strict=True):
                put(v, x)
        return [read(a) for a in outvars]

    results = run({})
    numbers = dict(seen)
    out = results[0]
    if not gradients or len(results) != 1 or out.shape != () or not jnp.issubdtype(out.dtype, jnp.floating):
        return numbers, {}
    zeros = {i: jnp.zeros(v.aval.shape, v.aval.dtype) for i, v in enumerate(inexact)}
    _, pull = vjp(lambda shifts: run(shifts)[0], zeros)
    (slopes,) = pull(jnp.ones((), out.dtype))
    return numbers, {v: slopes[i] for i, v in enumerate(inexact)}


class _Node:
    """A box, or a bend of an edge that crosses a layer (``lines`` is empty)."""

    def __init__(self, lines: list[tuple[str, str]], kind: str = "", note: str = ""):
        self.lines, self.kind, self.note = lines, kind, note
        self.at = ""
        self.before: list[_Node] = []
        self.after: list[_Node] = []
        self.layer = 0
        self.x = self.y = 0.0
        self.width = max((len(text) for _, text in lines), default=0) * _CHARACTER + 2 * _PAD if lines else 0.0
        self.height = len(lines) * _LINE + _PAD if lines else 6.0


class _Graph:
    """The layout of a program."""

    def __init__(self, jaxpr: Jaxpr, eqns: list[Eqn], outvars: Sequence[Any], numbers: dict, slopes: dict, digits: int):
        self.numbers, self.slopes, self.digits = numbers, slopes, digits
        arguments = jaxpr.debug.arg_names if jaxpr.debug is not None else ()
        constants = [f"const{i}" for i in range(len(jaxpr.constvars))]
        labels = constants + list(arguments) if len(arguments) == len(jaxpr.invars) else []
        self.names: dict[Var, str] = dict(zip(jaxpr.all_invars, labels or variable_names(), strict=False))
        letters = (name for name in variable_names() if name not in self.names.values())
        self.names |= {v: next(letters) for eqn in eqns for v in eqn.outvars}
        used = {v for eqn in eqns for v in eqn.invars if isinstance(v, Var)} | {
            v for v in outvars if isinstance(v, Var)
        }
        made: dict[Var, _Node] = {}
        self.nodes: list[_Node] = []
        for v in jaxpr.all_invars:
            if v in used:
                made[v] = self._add(_Node([("", f"{self.names[v]}: {v.aval.str_short()}"), *self._on(v)], "input"))
        results = {v for v in outvars if isinstance(v, Var)}
        for eqn in eqns:
            outs = [v for v in eqn.outvars if v in used]
            text = ", ".join(self.names[v] for v in outs) + " = " + self._operation(eqn)
            numbers_on = self._on(outs[0]) if len(outs) == 1 else []
            kind = "output" if any(v in results for v in eqn.outvars) else ""
            if any(True for _ in jaxprs_in_params(eqn.params)):
                kind = f"{kind} call".strip()
            node = self._add(_Node([("", text), *numbers_on], kind, _note(eqn)))
            if eqn.source is not None:
                node.at = f"{eqn.source.file}:{eqn.source.line}"
            for v in dict.fromkeys(a for a in eqn.invars if isinstance(a, Var)):
                self._connect(made[v], node)
            made |= dict.fromkeys(eqn.outvars, node)

    def _add(self, node: _Node) -> _Node:
        self.nodes.append(node)
        return node

    @staticmethod
    def _connect(a: _Node, b: _Node) -> None:
        a.after.append(b)
        b.before.append(a)

    def _on(self, v: Var) -> list[tuple[str, str]]:
        lines = [("value", f"= {self._number(self.numbers[v])}")] if v in self.numbers else []
        return lines + (
            [("gradient", f"\N{PARTIAL DIFFERENTIAL} {self._number(self.slopes[v])}")] if v in self.slopes else []
        )

    def _number(self, x: Any) -> str:
        if x.size > 4:
            return x.aval.str_short()
        text = np.array2string(np.asarray(x), precision=self.digits, separator=", ", floatmode="maxprec")
        return " ".join(text.split())

    def _operation(self, eqn: Eqn) -> str:
        operands = [self.names[a] if isinstance(a, Var) else _literal(a) for a in eqn.invars]
        name = eqn.primitive.name
        if name in _SIGNS and len(operands) == 2:
            return f"{operands[0]} {_SIGNS[name]} {operands[1]}"
        if name == "integer_pow":
            return f"{operands[0]} ^ {eqn.params['y']}"
        if name in _CALLS and "name" in eqn.params:
            name = str(eqn.params["name"])
        return f"{name}({', '.join(operands)})"

    # -- layout -------------------------------------------------------------------------------------------------------

    def _layers(self) -> list[list[_Node]]:
        for node in self.nodes:
            node.layer = max((b.layer + 1 for b in node.before), default=0)
        for node in reversed(self.nodes):
            # Inputs stand just before what first uses them.
            if not node.before and node.after:
                node.layer = min(a.layer for a in node.after) - 1
        layers: list[list[_Node]] = [[] for _ in range(max((n.layer for n in self.nodes), default=0) + 1)]
        for node in self.nodes:
            layers[node.layer].append(node)
        for node in list(self.nodes):
            for end in list(node.after):
                # Edges over several layers bend in each of them.
                last = node
                for layer in range(node.layer + 1, end.layer):
                    bend = _Node([])
                    bend.layer = layer
                    layers[layer].append(bend)
                    last.after[last.after.index(end)] = bend
                    bend.before, bend.after = [last], [end]
                    end.before[end.before.index(last)] = bend
                    last = bend
        return layers

    def _place(self) -> tuple[float, float]:
        layers = self._layers()
        x = 12.0
        for layer in layers:
            width = max(n.width for n in layer)
            for node in layer:
                node.x = x + (width - node.width) / 2
            x += width + _BETWEEN_LAYERS
        _stack(layers[0])
        for sweep in range(6):
            forward = sweep % 2 == 0
            for layer in layers[1:] if forward else layers[-2::-1]:
                for node in layer:
                    near = node.before if forward else node.after
                    if near:
                        node.y = sum(n.y + n.height / 2 for n in near) / len(near) - node.height / 2
                layer.sort(key=lambda n: n.y)
                _separate(layer)
        top = min(n.y for layer in layers for n in layer)
        for layer in layers:
            for node in layer:
                node.y += 12 - top
        return x - _BETWEEN_LAYERS + 12, max(n.y + n.height for layer in layers for n in layer) + 12

    def svg(self) -> str:
        """The picture."""
        if not self.nodes:
            return '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"></svg>'
        width, height = self._place()
        parts = [_edges(node) for node in self.nodes]
        for node in self.nodes:
            title = f"<title>{html.escape(node.note)}</title>" if node.note else ""
            at = f' data-at="{html.escape(node.at, quote=True)}"' if node.at else ""
            parts.append(
                f'<g class="{node.kind}"{at}>{title}<rect class="box" x="{node.x:.1f}" y="{node.y:.1f}" '
                f'width="{node.width:.1f}" height="{node.height:.1f}" rx="5"/>'
            )
            for i, (kind, text) in enumerate(node.lines):
                y = node.y + _PAD / 2 + 12 + i * _LINE
                parts.append(f'<text class="{kind}" x="{node.x + _PAD:.1f}" y="{y:.1f}">{html.escape(text)}</text>')
            parts.append("</g>")
        if self.slopes:
            result = "\N{PARTIAL DIFFERENTIAL}: derivative of the result"
            parts.append(f'<text class="legend gradient" x="12" y="{height + 6:.1f}">{result}</text>')
            height += 16
        body = "".join(parts)
        # Pictures in one page must not share names: the arrow of one that is folded up would not be there for others.
        tip = "tip" + hashlib.sha256(body.encode()).hexdigest()[:10]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="fg-graph" width="{width:.0f}" '
            f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"><style>{STYLE}</style>'
            f'<defs><marker id="{tip}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0L8 4L0 8z" fill="#8a8f98"/></marker></defs>'
            + body.replace("url(#tip)", f"url(#{tip})")
            + "</svg>"
        )


def _stack(layer: list[_Node]) -> None:
    y = 0.0
    for node in layer:
        node.y = y
        y += node.height + _BETWEEN_ROWS


def _separate(layer: list[_Node]) -> None:
    """Moves the boxes of a layer apart, as little as needed, around where they want to be."""
    wanted = [n.y + n.height / 2 for n in layer]
    for a, b in zip(layer, layer[1:], strict=False):
        b.y = max(b.y, a.y + a.height + _BETWEEN_ROWS)
    shift = sum(n.y + n.height / 2 - w for n, w in zip(layer, wanted, strict=True)) / len(layer)
    for node in layer:
        node.y -= shift


def _edges(node: _Node) -> str:
    """The edges that begin at a box, through their bends."""
    out = []
    for first in node.after:
        x, y = node.x + node.width, node.y + node.height / 2
        path, end = f"M{x:.1f} {y:.1f}", first
        while True:
            nx, ny = end.x - (1 if end.lines else 0), end.y + end.height / 2
            bend = max((nx - x) / 2, 12)
            path += f"C{x + bend:.1f} {y:.1f} {nx - bend:.1f} {ny:.1f} {nx:.1f} {ny:.1f}"
            if end.lines:
                break
            x, y, end = nx, ny, end.after[0]
        out.append(f'<path class="edge" d="{path}" marker-end="url(#tip)"/>')
    return "".join(out)


def _literal(a: Literal) -> str:
    return literal_text(a).partition(":")[0]


def _note(eqn: Eqn) -> str:
    """What a pointer on the box shows: the type, and the line of the user."""
    types = ", ".join(v.aval.str_short() for v in eqn.outvars)
    return f"{eqn.primitive.name}: {types}" + (f", at {eqn.source}" if eqn.source is not None else "")


printing_hooks.install_html(jaxpr_html)
