"""Pass ``simplify``: rewrites equations into cheaper ones with the same results.

Contract: every rule keeps the result for all operands, infinities, NaNs (but for their sign) and signed zeros
included (so ``x + 0.0`` stays, as it turns -0.0 into 0.0, while ``x + -0.0`` goes), except that ``integer_pow`` and
``square`` become products, whose rounding may differ from that of a library ``pow`` in the last place. Types,
weakness included, never change. The rules are the functions registered with ``@rule`` in this module; each gets an
equation and how its operands were made, and returns an atom that replaces the result, or a list of new equations
whose last one makes it, or None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.core.ir import Atom, Builder, Eqn, Jaxpr, Literal, Var, substitute
from fungrad.core.primitive import Primitive

Rule = Callable[[Eqn, Callable[[Atom], Eqn | None]], "Atom | list[Eqn] | None"]
RULES: dict[str, list[Rule]] = {}

_MAX_SWEEPS = 8
_MAX_POWER = 64


def simplify(jaxpr: Jaxpr) -> Jaxpr:
    """Applies the rules until none fits."""
    for _ in range(_MAX_SWEEPS):
        new = _sweep(jaxpr)
        if new is jaxpr:
            break
        jaxpr = new
    return jaxpr


def _sweep(jaxpr: Jaxpr) -> Jaxpr:
    env: dict[Var, Atom] = {}
    made: dict[Var, Eqn] = {}
    eqns: list[Eqn] = []
    changed = False

    def definition(a: Atom) -> Eqn | None:
        return made.get(a) if type(a) is Var else None

    for eqn in jaxpr.eqns:
        eqn = substitute(eqn, env)
        result = _apply_rules(eqn, definition)
        if result is None:
            new = [eqn]
        elif isinstance(result, list):
            changed = True
            new = result
            env[eqn.outvars[0]] = new[-1].outvars[0]
        else:
            changed = True
            env[eqn.outvars[0]] = result
            new = []
        for e in new:
            eqns.append(e)
            for v in e.outvars:
                made[v] = e
    if not changed:
        return jaxpr
    outvars = [env.get(a, a) if type(a) is Var else a for a in jaxpr.outvars]
    return jaxpr.replace(eqns=eqns, outvars=outvars)


def _apply_rules(eqn: Eqn, definition: Callable[[Atom], Eqn | None]) -> Any:
    rules = RULES.get(eqn.primitive.name, ())
    if eqn.primitive.kind == "elementwise":
        rules = (_scalar_operands, *rules)
    for r in rules:
        result = r(eqn, definition)
        if result is None:
            continue
        out = result[-1].outvars[0] if isinstance(result, list) else result
        # A rule that would change the type (usually only its weakness) does not apply.
        if out.aval is eqn.outvars[0].aval:
            return result
    return None


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers a rule for the primitives of these names."""

    def register(fn: Rule) -> Rule:
        for name in names:
            RULES.setdefault(name, []).append(fn)
        return fn

    return register


def _emit(name: str, invars: list[Atom], params: dict[str, Any] | None = None, source: Any = None) -> list[Eqn]:
    builder = Builder()
    builder.add(Primitive.instances[name], invars, params or {}, source)
    return builder.eqns


def _is(a: Atom, value: float) -> bool:
    """Whether an atom is the literal ``value`` (with this sign of zero)."""
    if type(a) is not Literal or a.val != value:
        return False
    return value != 0 or a.aval.dtype.kind not in "fc" or math.copysign(1, a.val.real) == math.copysign(1, value)


def _is_float(a: Atom) -> bool:
    return a.aval.dtype.kind not in "biu"


# -- scalars beside arrays -------------------------------------------------------------------------------------------


def _scalar_operands(eqn: Eqn, definition: Callable) -> Any:
    """A literal broadcast to the shape of the result: elementwise operations take the literal itself."""
    shape = eqn.outvars[0].aval.shape
    if not shape or eqn.primitive.multiple_results:
        return None
    invars: list[Atom] = []
    for a in eqn.invars:
        source = definition(a)
        if source is not None and source.primitive.name == "broadcast_in_dim" and type(source.invars[0]) is Literal:
            a = source.invars[0]
        invars.append(a)
    if tuple(invars) == eqn.invars or not any(a.aval.shape == shape for a in invars):
        return None
    # The sum of tangents wants equal types; the ordinary one does not.
    name = "add" if eqn.primitive.name == "add_any" else eqn.primitive.name
    return _emit(name, invars, eqn.params, eqn.source)


# -- neutral elements ------------------------------------------------------------------------------------------------


@rule("add", "add_any")
def _add(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    for a, b in ((x, y), (y, x)):
        # x + -0.0 is x for every x; x + 0.0 is not for x = -0.0.
        if _is(b, -0.0 if _is_float(b) else 0) and a.aval.shape == eqn.outvars[0].aval.shape:
            return a
    for a, b in ((x, y), (y, x)):
        inner = definition(b)
        if inner is not None and inner.primitive.name == "neg" and "sub" in Primitive.instances:
            return _emit("sub", [a, inner.invars[0]], {}, eqn.source)
    return None


@rule("sub")
def _sub(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    if _is(y, 0) and x.aval.shape == eqn.outvars[0].aval.shape:
        return x
    inner = definition(y)
    if inner is not None and inner.primitive.name == "neg":
        return _emit("add", [x, inner.invars[0]], {}, eqn.source)
    return None


@rule("mul")
def _mul(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    out = eqn.outvars[0].aval
    for a, b in ((x, y), (y, x)):
        if a.aval.shape != out.shape or out.dtype.kind == "c":
            continue
        if _is(b, 1):
            return a
        if _is(b, -1):
            return _emit("neg", [a], {}, eqn.source)
    return None


@rule("div")
def _div(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    if type(y) is not Literal or x.aval.shape != eqn.outvars[0].aval.shape or y.aval.dtype.kind == "c":
        return None
    if _is(y, 1):
        return x
    if _is_float(y) and y.aval.dtype.kind == "f":
        # Division by a power of two is exact, and so is the product with its inverse.
        mantissa, exponent = math.frexp(float(y.val))
        if abs(mantissa) == 0.5 and abs(exponent) < -np.finfo(y.aval.dtype).minexp - 1:
            return _emit("mul", [x, Literal(1.0 / float(y.val), y.aval)], {}, eqn.source)
    return None


@rule("integer_pow")
def _integer_pow(eqn: Eqn, definition: Callable) -> Any:
    (x,) = eqn.invars
    y = eqn.params["y"]
    if y == 1:
        return x
    if not 2 <= abs(y) <= _MAX_POWER or (y < 0 and not _is_float(x)):
        return None
    builder = Builder()
    mul = Primitive.instances["mul"]
    result: Atom | None = None
    base, n = x, abs(y)
    while n:
        if n & 1:
            result = base if result is None else builder.add(mul, [result, base], {}, eqn.source)[0]
        n >>= 1
        if n:
            base = builder.add(mul, [base, base], {}, eqn.source)[0]
    if y < 0:
        one = Literal(1, x.aval.update(shape=()))
        builder.add(Primitive.instances["div"], [one, result], {}, eqn.source)  # type: ignore[list-item]
    return builder.eqns


@rule("square")
def _square(eqn: Eqn, definition: Callable) -> Any:
    (x,) = eqn.invars
    return _emit("mul", [x, x], {}, eqn.source)


@rule("pow")
def _pow(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    if type(y) is Literal and x.aval.dtype.kind == "f" and x.aval.shape == eqn.outvars[0].aval.shape:
        if _is(y, 1):
            return x
        if _is(y, 2):
            return _emit("mul", [x, x], {}, eqn.source)
    return None


# -- involutions and idempotents -------------------------------------------------------------------------------------


@rule("neg", "not", "conj")
def _involution(eqn: Eqn, definition: Callable) -> Any:
    inner = definition(eqn.invars[0])
    if inner is not None and inner.primitive is eqn.primitive and inner.params == eqn.params:
        return inner.invars[0]
    return None


@rule("max", "min", "and", "or")
def _idempotent(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    return x if type(x) is Var and x is y else None


@rule("copy", "copy_p", "optimization_barrier_1", "name", "stop_gradient")
def _identity(eqn: Eqn, definition: Callable) -> Any:
    return eqn.invars[0]


@rule("select_n")
def _select(eqn: Eqn, definition: Callable) -> Any:
    predicate, *cases = eqn.invars
    shape = eqn.outvars[0].aval.shape
    if type(predicate) is Literal:
        chosen = cases[min(max(int(predicate.val), 0), len(cases) - 1)]
        return chosen if chosen.aval.shape == shape else None
    if all(c is cases[0] for c in cases):
        case = cases[0]
        if case.aval.shape == shape:
            return case
        dimensions = tuple(range(len(shape))) if case.aval.ndim else ()
        return _emit("broadcast_in_dim", [case], {"shape": shape, "broadcast_dimensions": dimensions}, eqn.source)
    truth = _truth(predicate, definition)
    return None if truth is None or len(cases) != 2 else _emit("select_n", [truth, *cases], {}, eqn.source)


def _truth(predicate: Atom, definition: Callable) -> Atom | None:
    """The boolean that an index of two cases was made of, by conversion and clamping, as ``cond`` does."""
    made = definition(predicate)
    if made is not None and made.primitive.name == "clamp":
        low, predicate, high = made.invars
        if not _is(low, 0) or not _is(high, 1):
            return None
        made = definition(predicate)
    if made is None or made.primitive.name != "convert_element_type":
        return None
    (origin,) = made.invars
    return origin if origin.aval.dtype == np.bool_ and origin.aval.shape == predicate.aval.shape else None


# -- casts -----------------------------------------------------------------------------------------------------------


@rule("convert_element_type")
def _convert(eqn: Eqn, definition: Callable) -> Any:
    (x,) = eqn.invars
    if x.aval is eqn.outvars[0].aval:
        return x
    inner = definition(x)
    if inner is None or inner.primitive is not eqn.primitive:
        return None
    (origin,) = inner.invars
    if not _widens(origin.aval.dtype, x.aval.dtype):
        return None
    if origin.aval is eqn.outvars[0].aval:
        return origin
    # The chain through an exactly wider type is one conversion.
    return _emit("convert_element_type", [origin], eqn.params, eqn.source)


def _widens(narrow: np.dtype, wide: np.dtype) -> bool:
    """Whether every value of ``narrow`` is a value of ``wide`` and of the same kind, so that what follows sees the
    same.
    """
    if narrow.kind != wide.kind or narrow.kind not in "iuf":
        return False
    return narrow.itemsize < wide.itemsize


# -- positions -------------------------------------------------------------------------------------------------------


@rule("broadcast_in_dim")
def _broadcast(eqn: Eqn, definition: Callable) -> Any:
    if len(eqn.invars) != 1:
        return None
    (x,) = eqn.invars
    shape, dims = tuple(eqn.params["shape"]), tuple(eqn.params["broadcast_dimensions"])
    if x.aval.shape == shape and dims == tuple(range(len(shape))):
        return x
    inner = definition(x)
    if inner is not None and inner.primitive is eqn.primitive and len(inner.invars) == 1:
        through = tuple([dims[d] for d in inner.params["broadcast_dimensions"]])
        return _emit("broadcast_in_dim", [inner.invars[0]], {**eqn.params, "broadcast_dimensions": through}, eqn.source)
    return None


@rule("reshape")
def _reshape(eqn: Eqn, definition: Callable) -> Any:
    x = eqn.invars[0]
    if len(eqn.invars) != 1 or eqn.params.get("dimensions") is not None:
        return None
    if x.aval.shape == eqn.outvars[0].aval.shape:
        return x
    inner = definition(x)
    if inner is not None and inner.primitive is eqn.primitive and inner.params.get("dimensions") is None:
        return _emit("reshape", [inner.invars[0]], eqn.params, eqn.source)
    return None


@rule("transpose")
def _transpose(eqn: Eqn, definition: Callable) -> Any:
    (x,) = eqn.invars
    permutation = tuple(eqn.params["permutation"])
    if permutation == tuple(range(len(permutation))):
        return x
    inner = definition(x)
    if inner is not None and inner.primitive is eqn.primitive:
        through = tuple([inner.params["permutation"][d] for d in permutation])
        return _emit("transpose", [inner.invars[0]], {"permutation": through}, eqn.source)
    return None


@rule("rev")
def _rev(eqn: Eqn, definition: Callable) -> Any:
    (x,) = eqn.invars
    if all(x.aval.shape[d] == 1 for d in eqn.params["dimensions"]):
        return x
    inner = definition(x)
    if inner is not None and inner.primitive is eqn.primitive and inner.params == eqn.params:
        return inner.invars[0]
    return None


@rule(
    "slice",
    "squeeze",
    "expand_dims",
    "pad",
    "concatenate",
    "dynamic_slice",
    "reduce_sum",
    "reduce_max",
    "reduce_min",
    "reduce_prod",
    "reduce_and",
    "reduce_or",
)
def _unchanged(eqn: Eqn, definition: Callable) -> Any:
    """Operations whose parameters make them the identity."""
    x = eqn.invars[0]
    if x.aval.shape != eqn.outvars[0].aval.shape:
        return None
    name, params = eqn.primitive.name, eqn.params
    if name == "concatenate":
        return x if len(eqn.invars) == 1 else None
    if name == "pad":
        return x if all(tuple(c) == (0, 0, 0) for c in params["padding_config"]) else None
    if name == "dynamic_slice":
        # A slice of the full size starts at 0: starts are clamped.
        return x
    if name.startswith("reduce_"):
        return x if not params["axes"] else None
    # Without a change of shape, slices and squeezes keep every element.
    return x
