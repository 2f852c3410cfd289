"""Pass ``combine``: a peephole optimisation. Pairs of elementary functions that are one function.

Which these are is said where the functions are (`kernels/vecmath`). `log1p(exp(x))`, which softplus, `logaddexp` and
the losses of classifiers are written with, is a function of its own: half the work, and no overflow on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir.loops import Let, Program
from fungrad.jit.ir.traverse import map_bodies, mentions, of_kind, walk
from fungrad.jit.kernels.vecmath import COMPOSED


def combine(program: Program, statements: Sequence[Any]) -> list[Any]:
    """The statements with pairs joined whose inner result nothing else uses."""
    inner: dict[Any, Let] = {s.name: s for s in of_kind(Let, walk(statements)) if _is_inner(s)}
    if not inner:
        return list(statements)
    uses = Counter(a for s in walk(statements) for a in mentions(s))
    joined: dict[Any, Let] = {}
    for s in of_kind(Let, walk(statements)):
        if len(s.args) == 1 and uses.get(s.args[0]) == 1:  # type: ignore[arg-type]
            first = inner.get(s.args[0])
            if first is not None and (s.op, first.op) in COMPOSED:
                joined[s.name] = Let(s.name, COMPOSED[s.op, first.op], first.args, s.type)
                joined[first.name] = s
    return _replaced(statements, joined) if joined else list(statements)


def _is_inner(s: Let) -> bool:
    return s.type in ("f32", "f64") and any(s.op == name for _, name in COMPOSED)


def _replaced(statements: Sequence[Any], joined: dict[Any, Let]) -> list[Any]:
    """Outer functions replaced, inner ones left out."""
    result: list[Any] = []
    for s in statements:
        if type(s) is not Let or s.name not in joined:
            result.append(map_bodies(lambda body: _replaced(body, joined), s))
        elif joined[s.name].name == s.name:
            result.append(joined[s.name])
    return result
