"""The chain rule of a small computation, written out.

Nothing here knows derivatives: each local rule is the library's own, traced for one equation and printed as a formula.

May import ``core``, ``transforms``, ``jit.passes`` and ``explaining.derivatives``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import as_array
from fungrad.core.ir import Eqn, Jaxpr, Literal, Var
from fungrad.core.printing import literal_text, variable_names
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.explaining.derivatives import differentiable, plain, why_not
from fungrad.jit.passes.cse import cse
from fungrad.jit.passes.dce import dce
from fungrad.jit.passes.fold import fold
from fungrad.jit.passes.simplify import simplify
from fungrad.transforms.api import vjp

# Equations up to which a computation is written out.
MOST = 24

# A formula: a name, a number, or an operation on formulas.
Formula = tuple[Any, ...]

_INFIX = {
    "add": ("+", 1),
    "add_any": ("+", 1),
    "sub": ("\N{MINUS SIGN}", 1),
    "mul": ("\N{MIDDLE DOT}", 2),
    "div": ("/", 2),
}
_SILENT = ("convert_element_type", "copy", "stop_gradient", "reshape", "squeeze", "broadcast_in_dim")
_LATEX = {"sin", "cos", "tan", "exp", "log", "tanh", "sinh", "cosh", "max", "min"}


@dataclass(frozen=True)
class ChainRule:
    """A computation forwards, and the derivative of its result by every value backwards.

    Attributes:
      forward: pairs of a name and the formula of a value.
      backward: pairs of a name and the formula of the derivative of the result by the value of that name, which adds
        up what every use of the value passes back.
    """

    forward: tuple[tuple[str, Formula], ...]
    backward: tuple[tuple[str, Formula], ...]

    def text(self) -> str:
        """As text. The sign before a name stands for the derivative of the result by that value."""
        left = [f"{name} = {_text(f)}" for name, f in self.forward]
        right = [f"\N{PARTIAL DIFFERENTIAL}{name} = {_text(f)}" for name, f in self.backward]
        width = max(map(len, left), default=0) + 6
        rows = max(len(left), len(right))
        left += [""] * (rows - len(left))
        right += [""] * (rows - len(right))
        return "\n".join(f"{a:{width}}{b}".rstrip() for a, b in zip(left, right, strict=True))

    def latex(self) -> str:
        """As an ``aligned`` block of LaTeX."""
        rows = [f"{_latex_name(name)} &= {_latex(f)}" for name, f in self.forward]
        rows += [f"\\bar{{{_latex_name(name)}}} &= {_latex(f)}" for name, f in self.backward]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def __str__(self) -> str:
        return self.text()


def chain_rule(jaxpr: Jaxpr, wanted: Sequence[bool] | None = None) -> ChainRule | None:
    """The chain rule of a function whose result is one number; None if it is too large or has loops or branches."""
    if why_not(jaxpr):
        return None
    bare = dce(cse(plain(jaxpr.with_consts_as_inputs())))
    kinds = {(e.primitive.multiple_results, e.primitive.kind == "higher_order") for e in bare.eqns}
    if len(bare.eqns) > MOST or kinds - {(False, False)}:
        return None
    names = _names(bare, jaxpr)
    atom = lambda a: ("name", names[a]) if isinstance(a, Var) else ("number", _number(a))  # noqa: E731
    forward = [(names[e.outvars[0]], _formula(e, [atom(a) for a in e.invars])) for e in bare.eqns]
    out = bare.outvars[0]
    if not isinstance(out, Var):
        return None
    by = [False] * len(jaxpr.consts) + differentiable(jaxpr, wanted)
    active = {v for v, a in zip(bare.invars, by, strict=True) if a}
    for e in bare.eqns:
        if e.primitive.name != "stop_gradient" and any(isinstance(a, Var) and a in active for a in e.invars):
            if dtypes.is_inexact(e.outvars[0].aval.dtype):
                active.add(e.outvars[0])
    terms: dict[Var, list[Formula]] = {out: [("number", "1")]}
    backward: list[tuple[str, Formula]] = []

    def total(v: Var) -> None:
        parts = terms[v]
        whole = parts[0]
        for p in parts[1:]:
            whole = ("op", "add", whole, p)
        backward.append((names[v], whole))

    for e in reversed(bare.eqns):
        v = e.outvars[0]
        if v not in terms:
            continue
        total(v)
        for a, term in _pulled(e, active, names):
            terms.setdefault(a, []).append(term)
    for v in bare.invars:
        if v in terms and v is not out:
            total(v)
    return ChainRule(tuple(forward), tuple(backward))


def _number(a: Literal) -> str:
    return literal_text(a).partition(":")[0].removesuffix(".0")


def _names(bare: Jaxpr, jaxpr: Jaxpr) -> dict[Var, str]:
    given = list(jaxpr.debug.arg_names) if jaxpr.debug is not None else []
    labels = [f"const{k}" for k in range(len(jaxpr.consts))] + given
    if len(labels) != len(bare.invars):
        labels = []
    names: dict[Var, str] = dict(zip(bare.invars, labels, strict=False))
    free = (n for n in variable_names() if n not in labels)
    for v in [*bare.invars, *(e.outvars[0] for e in bare.eqns)]:
        if v not in names:
            names[v] = next(free)
    return names


def _pulled(eqn: Eqn, active: set[Var], names: dict[Var, str]) -> list[tuple[Var, Formula]]:
    """What an equation passes back to each operand, as a formula of the derivative by its result."""
    places = [k for k, a in enumerate(eqn.invars) if isinstance(a, Var) and a in active]
    if not places:
        return []
    variables = list(dict.fromkeys(a for a in eqn.invars if isinstance(a, Var)))
    result = eqn.outvars[0]

    def pull(ct: Any, *values: Any) -> list[Any]:
        at = dict(zip(variables, values, strict=True))
        operands = [at[a] if isinstance(a, Var) else as_array(a.val) for a in eqn.invars]

        def run(*xs: Any) -> Any:
            rest = iter(xs)
            given = [next(rest) if k in places else x for k, x in enumerate(operands)]
            return eqn.primitive.bind(*given, **eqn.params)

        return list(vjp(run, *[operands[k] for k in places])[1](ct))

    traced = trace_flat(pull, [result.aval, *[v.aval for v in variables]], DebugInfo("pull", (), "explain"))
    bare = plain(traced.with_consts_as_inputs())
    bare = dce(simplify(fold(cse(bare))))
    given = [("bar", names[result]), *[("name", names[v]) for v in variables]]
    known: dict[Any, Formula] = dict(zip(bare.invars[len(traced.consts) :], given, strict=True))
    own = {v: names[a] for v, a in zip(bare.invars[len(traced.consts) + 1 :], variables, strict=True)}
    for k, v in enumerate(bare.invars[: len(traced.consts)]):
        value = np.asarray(traced.consts[k])
        known[v] = ("number", f"{value.reshape(-1)[0]:g}" if value.size else "0")
    for e in bare.eqns:
        args = [known[a] if isinstance(a, Var) else ("number", _number(a)) for a in e.invars]
        same = (
            e.primitive is eqn.primitive
            and len(e.invars) == len(eqn.invars)
            and all(
                (isinstance(x, Var) and isinstance(y, Var) and own.get(x) == names[y])
                or (isinstance(x, Literal) and isinstance(y, Literal) and x.key == y.key)
                for x, y in zip(e.invars, eqn.invars, strict=True)
            )
        )
        for v in e.outvars:
            # The value of the equation itself has a name.
            known[v] = ("name", names[result]) if same else _formula(e, args)
    found = []
    for k, a in zip(places, bare.outvars, strict=True):
        operand = eqn.invars[k]
        term = known[a] if isinstance(a, Var) else ("number", _number(a))
        if term != ("number", "0"):
            found.append((operand, term))
    return found  # type: ignore[return-value]


def _formula(eqn: Eqn, args: Sequence[Formula]) -> Formula:
    name = eqn.primitive.name
    if name in _SILENT and name != "stop_gradient" and len(args) == 1:
        if name == "broadcast_in_dim":
            return ("op", "broadcast", args[0])
        return args[0]
    if name == "integer_pow":
        return ("power", args[0], ("number", str(eqn.params["y"])))
    if name == "pow":
        return ("power", args[0], args[1])
    if name == "dot_general":
        return _product(eqn, args)
    if name == "transpose":
        if tuple(eqn.params["permutation"]) == (1, 0):
            return _transposed(args[0])
        return ("op", "transpose", *args)
    if name == "reduce_sum":
        return ("op", "sum", *args)
    return ("op", name, *args)


def _transposed(x: Formula) -> Formula:
    if x[0] == "transposed":
        return x[1]
    if x[0] == "matmul":
        return ("matmul", _transposed(x[2]), _transposed(x[1]))
    return ("transposed", x)


def _product(eqn: Eqn, args: Sequence[Formula]) -> Formula:
    (left, right), (batch, _) = eqn.params["dimension_numbers"]
    ndims = [a.aval.ndim for a in eqn.invars]
    if batch or len(left) != 1 or max(ndims) > 2:
        return ("op", "dot_general", *args)
    a = args[0] if left[0] == ndims[0] - 1 else _transposed(args[0])
    b = args[1] if right[0] == 0 else _transposed(args[1])
    return ("matmul", a, b)


def _text(f: Formula, level: int = 0) -> str:
    kind = f[0]
    if kind == "name" or kind == "number":
        return f"({f[1]})" if level > 1 and str(f[1]).startswith("-") else str(f[1])
    if kind == "bar":
        return f"\N{PARTIAL DIFFERENTIAL}{f[1]}"
    if kind == "transposed":
        return f"{_text(f[1], 4)}\N{MODIFIER LETTER CAPITAL T}"
    if kind == "power":
        return f"{_text(f[1], 4)}^{_text(f[2], 4)}"
    if kind == "matmul":
        text = f"{_text(f[1], 3)} @ {_text(f[2], 3)}"
        return f"({text})" if level > 2 else text
    name, args = f[1], f[2:]
    if name == "neg":
        return f"\N{MINUS SIGN}{_text(args[0], 3)}"
    if name in _INFIX and len(args) == 2:
        sign, own = _INFIX[name]
        text = f"{_text(args[0], own)} {sign} {_text(args[1], own + (name in ('sub', 'div')))}"
        return f"({text})" if level > own else text
    return f"{name}({', '.join(_text(a) for a in args)})"


def _latex_name(name: str) -> str:
    if len(name) == 1 and name.isalpha():
        return name
    escaped = name.replace("\\", "").replace("_", "\\_").replace("{", "").replace("}", "").replace("'", "")
    return f"\\mathrm{{{escaped}}}"


def _latex(f: Formula, level: int = 0) -> str:
    kind = f[0]
    if kind == "name":
        return _latex_name(str(f[1]))
    if kind == "number":
        return f"({f[1]})" if level > 1 and str(f[1]).startswith("-") else str(f[1])
    if kind == "bar":
        return f"\\bar{{{_latex_name(str(f[1]))}}}"
    if kind == "transposed":
        return f"{_latex(f[1], 4)}^\\top"
    if kind == "power":
        return f"{_latex(f[1], 4)}^{{{_latex(f[2])}}}"
    if kind == "matmul":
        text = f"{_latex(f[1], 3)}\\,{_latex(f[2], 3)}"
        return f"\\left({text}\\right)" if level > 2 else text
    name, args = f[1], f[2:]
    if name == "neg":
        return f"-{_latex(args[0], 3)}"
    if name == "div" and len(args) == 2:
        return f"\\frac{{{_latex(args[0])}}}{{{_latex(args[1])}}}"
    if name == "exp" and len(args) == 1:
        return f"e^{{{_latex(args[0])}}}"
    if name == "sqrt" and len(args) == 1:
        return f"\\sqrt{{{_latex(args[0])}}}"
    if name == "sum":
        return f"\\sum {_latex(args[0], 2)}"
    if name in _INFIX and len(args) == 2:
        sign = {"add": "+", "add_any": "+", "sub": "-", "mul": "\\cdot"}[name]
        own = _INFIX[name][1]
        text = f"{_latex(args[0], own)} {sign} {_latex(args[1], own + (name == 'sub'))}"
        return f"\\left({text}\\right)" if level > own else text
    head = f"\\{name}" if name in _LATEX else f"\\operatorname{{{_latex_name(name)[8:-1] if len(name) > 1 else name}}}"
    return f"{head}\\left({', '.join(_latex(a) for a in args)}\\right)"
