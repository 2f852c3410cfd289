"""The derivative of a jaxpr: its own jaxpr, and what is kept for the backward pass, and why.

May import ``core``, ``transforms``, ``jit.passes`` and ``explaining.places``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import as_array
from fungrad.core.ir import Jaxpr, Var, eval_jaxpr
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.explaining.places import Place, places_of
from fungrad.jit.passes.dce import dce
from fungrad.jit.passes.inline import inline, inline_late
from fungrad.transforms.api import vjp
from fungrad.transforms.linearization import linearize_jaxpr


@dataclass(frozen=True)
class Residual:
    """A value that the forward pass keeps for the backward pass.

    Attributes:
      type: such as ``f32[3,4]``.
      size: bytes.
      origin: where it comes from.
      places: the lines of the user that make it.
      uses: the operations that read it on the way back, each with its line.
      is_argument: whether it is an argument, which needs no memory of its own.
    """

    type: str
    size: int
    origin: str
    places: frozenset[Place]
    uses: tuple[str, ...]
    is_argument: bool

    @property
    def reason(self) -> str:
        """Why it is kept."""
        return "the derivative of " + ", of ".join(self.uses) + " is computed with it"


def differentiable(jaxpr: Jaxpr, wanted: Sequence[bool] | None = None) -> list[bool]:
    """Which inputs of a jaxpr to differentiate by: those of floating dtypes, of the ``wanted`` ones if given."""
    inexact = [dtypes.is_inexact(v.aval.dtype) for v in jaxpr.invars]
    return inexact if wanted is None else [a and b for a, b in zip(inexact, wanted, strict=True)]


def why_not(jaxpr: Jaxpr) -> str:
    """Why there is no derivative to show of a function by itself; empty if there is."""
    if not any(differentiable(jaxpr)):
        return "no argument has a floating dtype"
    outs = jaxpr.outvars
    if len(outs) != 1 or outs[0].aval.shape != () or not _is_real(outs[0].aval.dtype):
        return "the result is not one real number; derivative=True shows the product with a cotangent"
    return ""


def _is_real(dtype: np.dtype) -> bool:
    return dtypes.is_inexact(dtype) and dtype.kind != "c"


def derivative_jaxpr(jaxpr: Jaxpr, wanted: Sequence[bool] | None = None) -> Jaxpr:
    """The jaxpr of value and gradient, by all arguments of floating dtypes, or the ``wanted`` ones of them.

    A result that is one real number is differentiated as it is. Otherwise cotangents of the results are further inputs.
    """
    active = differentiable(jaxpr, wanted)
    scalar = not why_not(jaxpr)
    n = len(jaxpr.invars)

    def both(*args: Any) -> list[Any]:
        given, cotangents = args[:n], list(args[n:])

        def fun(*xs: Any) -> list[Any]:
            rest = iter(xs)
            operands = [next(rest) if a else x for a, x in zip(active, given, strict=True)]
            return eval_jaxpr(jaxpr, jaxpr.consts, *operands)

        outs, pull = vjp(fun, *[x for a, x in zip(active, given, strict=True) if a])
        cts = [as_array(np.ones((), outs[0].dtype))] if scalar else _all_cotangents(outs, cotangents)
        return [*outs, *pull(cts)]

    name = jaxpr.debug.fun_name if jaxpr.debug is not None else "fun"
    names = jaxpr.debug.arg_names if jaxpr.debug is not None else ()
    avals = list(jaxpr.in_avals)
    if not scalar:
        inexact = [v.aval for v in jaxpr.outvars if dtypes.is_inexact(v.aval.dtype)]
        avals += inexact
        names = (*names, *[f"cotangent{k}" for k in range(len(inexact))]) if names else ()
    return trace_flat(both, avals, DebugInfo(name, names, "explain"))


def _all_cotangents(outs: Sequence[Any], given: list[Any]) -> list[Any]:
    rest = iter(given)
    found = []
    for x in outs:
        aval = x.aval.tangent()
        found.append(next(rest) if dtypes.is_inexact(x.dtype) else np.zeros(aval.shape, aval.dtype))
    return found


def plain(jaxpr: Jaxpr) -> Jaxpr:
    """A jaxpr without calls and without what no result needs."""
    return dce(inline_late(inline(jaxpr)))


def residuals(jaxpr: Jaxpr, wanted: Sequence[bool] | None = None) -> list[Residual]:
    """What reverse mode keeps of a function, those with most bytes first."""
    bare = plain(jaxpr.with_consts_as_inputs())
    n_consts = len(jaxpr.consts)
    active = [False] * n_consts + differentiable(jaxpr, wanted)
    forward, linear, where, _ = linearize_jaxpr(bare, active)
    live = dce(linear)
    names = list(jaxpr.debug.arg_names) if jaxpr.debug is not None else []
    labels = [f"constant {k}" for k in range(n_consts)] + names
    makers = {v: e for e in forward.eqns for v in e.outvars}
    n_out = len(bare.outvars)
    new = iter(forward.outvars[n_out:])
    found = []
    for var, at in zip(linear.invars[: len(where)], where, strict=True):
        source: Any = next(new) if at is None else None
        if at is not None:
            source = bare.invars[at] if at < len(bare.invars) else forward.outvars[at - len(bare.invars)]
        uses, lines = _uses(live, var)
        if not uses:
            continue
        eqn = makers.get(source) if type(source) is Var else None
        argument = at is not None and at < len(bare.invars)
        if at is not None and argument:
            label = labels[at] if at < len(labels) else f"number {at}"
            origin = label if at < n_consts else f"the argument {label}"
        elif eqn is not None:
            origin = f"the result of {eqn.primitive.name}" + (f" at {_line(eqn)}" if _line(eqn) else "")
        else:
            origin = "a constant"
        aval = var.aval
        size = int(np.prod(aval.shape, dtype=np.int64)) * aval.dtype.itemsize
        places = places_of(eqn) if eqn is not None else lines
        found.append(Residual(aval.str_short(), size, origin, places, tuple(uses), argument))
    found.sort(key=lambda r: (r.is_argument, -r.size))
    return found


def _uses(jaxpr: Jaxpr, var: Var) -> tuple[list[str], frozenset[Place]]:
    """The equations that read a variable, as text, each once, and their lines."""
    found: dict[str, None] = {}
    places: frozenset[Place] = frozenset()
    for eqn in jaxpr.eqns:
        if any(a is var for a in eqn.invars):
            text = eqn.source and next((_text_of(p) for p in places_of(eqn)), "")
            label = f"`{text}`" if text else eqn.primitive.name
            found[f"{label} ({_line(eqn)})" if _line(eqn) else label] = None
            places |= places_of(eqn)
    return list(found), places


def _text_of(place: Place) -> str:
    text = place.text
    return text if len(text) <= 60 else text[:57] + "..."


def _line(eqn: Any) -> str:
    return "" if eqn.source is None else str(Place(eqn.source.file, eqn.source.line))
