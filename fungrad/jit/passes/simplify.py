"""Pass ``simplify``: algebraic simplification. Rewrites equations into cheaper ones with the same results.

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

from fungrad.core import dtypes
from fungrad.core.ir import Atom, Builder, Eqn, Jaxpr, Literal, Var
from fungrad.core.primitive import Primitive
from fungrad.jit.ir import tuning
from fungrad.jit.passes.sweep import Replacement, swept
from fungrad.ops.cast import convert_element_type_p, copy_p, name_p, stop_gradient_p
from fungrad.ops.compare import clamp_p, max_p, min_p, select_n_p
from fungrad.ops.complex_parts import conj_p
from fungrad.ops.dynamic import dynamic_slice_p
from fungrad.ops.elementwise import add_p, div_p, integer_pow_p, mul_p, neg_p, square_p, sub_p
from fungrad.ops.foundation import add_any_p, broadcast_in_dim_p, reduce_sum_p, reshape_p, transpose_p
from fungrad.ops.integer import and_p, not_p, or_p
from fungrad.ops.joining import concatenate_p
from fungrad.ops.reduce import reduce_and_p, reduce_max_p, reduce_min_p, reduce_or_p, reduce_prod_p
from fungrad.ops.shape import pad_p, rev_p, slice_p, squeeze_p
from fungrad.ops.transcendental import pow_p

Rule = Callable[[Eqn, Callable[[Atom], Eqn | None]], "Atom | list[Eqn] | None"]
RULES: dict[Primitive, list[Rule]] = {}


def simplify(jaxpr: Jaxpr) -> Jaxpr:
    """Applies the rules until none fits."""
    for _ in range(tuning.SIMPLIFYING_SWEEPS):
        new = _sweep(jaxpr)
        if new is jaxpr:
            break
        jaxpr = new
    return jaxpr


def _sweep(jaxpr: Jaxpr) -> Jaxpr:
    made: dict[Atom, Eqn] = {}

    def change(eqn: Eqn) -> Replacement | None:
        result = _apply_rules(eqn, made.get)
        if result is None:
            return None
        return (result, result[-1].outvars) if isinstance(result, list) else ([], [result])

    return swept(jaxpr, change, made)


def _apply_rules(eqn: Eqn, definition: Callable[[Atom], Eqn | None]) -> Any:
    rules = RULES.get(eqn.primitive, ())
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


def rule(*primitives: Primitive) -> Callable[[Rule], Rule]:
    """Registers a rule for some primitives."""

    def register(fn: Rule) -> Rule:
        for primitive in primitives:
            RULES.setdefault(primitive, []).append(fn)
        return fn

    return register


def _emit(
    primitive: Primitive, invars: list[Atom], params: dict[str, Any] | None = None, source: Any = None
) -> list[Eqn]:
    builder = Builder()
    builder.add(primitive, invars, params or {}, source)
    return builder.eqns


def _is(a: Atom, value: float) -> bool:
    """Whether an atom is the literal ``value`` (with this sign of zero)."""
    if type(a) is not Literal or a.val != value:
        return False
    return value != 0 or not _is_float(a) or math.copysign(1, complex(a.val).real) == math.copysign(1, value)


def _is_float(a: Atom) -> bool:
    return dtypes.is_inexact(a.aval.dtype)


# -- scalars beside arrays -------------------------------------------------------------------------------------------


def _scalar_operands(eqn: Eqn, definition: Callable) -> Any:
    """A literal broadcast to the shape of the result: elementwise operations take the literal itself."""
    shape = eqn.outvars[0].aval.shape
    if not shape or eqn.primitive.multiple_results:
        return None
    invars: list[Atom] = []
    for a in eqn.invars:
        source = definition(a)
        if source is not None and source.primitive is broadcast_in_dim_p and type(source.invars[0]) is Literal:
            a = source.invars[0]
        invars.append(a)
    if tuple(invars) == eqn.invars or not any(a.aval.shape == shape for a in invars):
        return None
    # The sum of tangents wants equal types; the ordinary one does not.
    primitive = add_p if eqn.primitive is add_any_p else eqn.primitive
    return _emit(primitive, invars, eqn.params, eqn.source)


# -- neutral elements ------------------------------------------------------------------------------------------------


@rule(add_p, add_any_p)
def _add(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    for a, b in ((x, y), (y, x)):
        # x + -0.0 is x for every x; x + 0.0 is not for x = -0.0.
        if _is(b, -0.0 if _is_float(b) else 0) and a.aval.shape == eqn.outvars[0].aval.shape:
            return a
    for a, b in ((x, y), (y, x)):
        inner = definition(b)
        if inner is not None and inner.primitive is neg_p:
            return _emit(sub_p, [a, inner.invars[0]], {}, eqn.source)
    return None


@rule(sub_p)
def _sub(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    if _is(y, 0) and x.aval.shape == eqn.outvars[0].aval.shape:
        return x
    inner = definition(y)
    if inner is not None and inner.primitive is neg_p:
        return _emit(add_p, [x, inner.invars[0]], {}, eqn.source)
    return None


@rule(mul_p)
def _mul(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    out = eqn.outvars[0].aval
    for a, b in ((x, y), (y, x)):
        if a.aval.shape != out.shape or out.dtype.kind == "c":
            continue
        if _is(b, 1):
            return a
        if _is(b, -1):
            return _emit(neg_p, [a], {}, eqn.source)
    return None


@rule(div_p)
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
            return _emit(mul_p, [x, Literal(1.0 / float(y.val), y.aval)], {}, eqn.source)
    return None


@rule(integer_pow_p)
def _integer_pow(eqn: Eqn, definition: Callable) -> Any:
    (x,) = eqn.invars
    y = eqn.params["y"]
    if y == 1:
        return x
    if not 2 <= abs(y) <= tuning.LARGEST_POWER or (y < 0 and not _is_float(x)) or x.aval.dtype.kind == "c":
        return None
    builder = Builder()
    result: Atom | None = None
    base, n = x, abs(y)
    while n:
        if n & 1:
            result = base if result is None else builder.add(mul_p, [result, base], {}, eqn.source)[0]
        n >>= 1
        if n:
            base = builder.add(mul_p, [base, base], {}, eqn.source)[0]
    if y < 0:
        one = Literal(1, x.aval.update(shape=()))
        builder.add(div_p, [one, result], {}, eqn.source)  # type: ignore[list-item]
    return builder.eqns


@rule(square_p)
def _square(eqn: Eqn, definition: Callable) -> Any:
    (x,) = eqn.invars
    # A product of complex numbers is less exact.
    return None if x.aval.dtype.kind == "c" else _emit(mul_p, [x, x], {}, eqn.source)


@rule(pow_p)
def _pow(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    if type(y) is Literal and x.aval.dtype.kind == "f" and x.aval.shape == eqn.outvars[0].aval.shape:
        if _is(y, 1):
            return x
        if _is(y, 2):
            return _emit(mul_p, [x, x], {}, eqn.source)
    return None


# -- involutions and idempotents -------------------------------------------------------------------------------------


@rule(neg_p, not_p, conj_p)
def _involution(eqn: Eqn, definition: Callable) -> Any:
    inner = definition(eqn.invars[0])
    if inner is not None and inner.primitive is eqn.primitive and inner.params == eqn.params:
        return inner.invars[0]
    return None


@rule(max_p, min_p, and_p, or_p)
def _idempotent(eqn: Eqn, definition: Callable) -> Any:
    x, y = eqn.invars
    return x if type(x) is Var and x is y else None


@rule(copy_p, name_p, stop_gradient_p)
def _identity(eqn: Eqn, definition: Callable) -> Any:
    return eqn.invars[0]


@rule(select_n_p)
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
        return _emit(broadcast_in_dim_p, [case], {"shape": shape, "broadcast_dimensions": dimensions}, eqn.source)
    truth = _truth(predicate, definition)
    return None if truth is None or len(cases) != 2 else _emit(select_n_p, [truth, *cases], {}, eqn.source)


def _truth(predicate: Atom, definition: Callable) -> Atom | None:
    """The boolean that an index of two cases was made of, by conversion and clamping, as ``cond`` does."""
    made = definition(predicate)
    if made is not None and made.primitive is clamp_p:
        low, predicate, high = made.invars
        if not _is(low, 0) or not _is(high, 1):
            return None
        made = definition(predicate)
    if made is None or made.primitive is not convert_element_type_p:
        return None
    (origin,) = made.invars
    return origin if origin.aval.dtype == np.bool_ and origin.aval.shape == predicate.aval.shape else None


# -- casts -----------------------------------------------------------------------------------------------------------


@rule(convert_element_type_p)
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
    return _emit(convert_element_type_p, [origin], eqn.params, eqn.source)


def _widens(narrow: np.dtype, wide: np.dtype) -> bool:
    """Whether every value of ``narrow`` is a value of ``wide`` and of the same kind, so that what follows sees the
    same.
    """
    if narrow.kind != wide.kind or narrow.kind not in "iuf":
        return False
    return narrow.itemsize < wide.itemsize


# -- positions -------------------------------------------------------------------------------------------------------


@rule(broadcast_in_dim_p)
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
        return _emit(broadcast_in_dim_p, [inner.invars[0]], {**eqn.params, "broadcast_dimensions": through}, eqn.source)
    return None


@rule(reshape_p)
def _reshape(eqn: Eqn, definition: Callable) -> Any:
    x = eqn.invars[0]
    if len(eqn.invars) != 1 or eqn.params.get("dimensions") is not None:
        return None
    if x.aval.shape == eqn.outvars[0].aval.shape:
        return x
    inner = definition(x)
    if inner is not None and inner.primitive is eqn.primitive and inner.params.get("dimensions") is None:
        return _emit(reshape_p, [inner.invars[0]], eqn.params, eqn.source)
    return None


@rule(transpose_p)
def _transpose(eqn: Eqn, definition: Callable) -> Any:
    (x,) = eqn.invars
    permutation = tuple(eqn.params["permutation"])
    if permutation == tuple(range(len(permutation))):
        return x
    inner = definition(x)
    if inner is not None and inner.primitive is eqn.primitive:
        through = tuple([inner.params["permutation"][d] for d in permutation])
        return _emit(transpose_p, [inner.invars[0]], {"permutation": through}, eqn.source)
    return None


@rule(rev_p)
def _rev(eqn: Eqn, definition: Callable) -> Any:
    (x,) = eqn.invars
    if all(x.aval.shape[d] == 1 for d in eqn.params["dimensions"]):
        return x
    inner = definition(x)
    if inner is not None and inner.primitive is eqn.primitive and inner.params == eqn.params:
        return inner.invars[0]
    return None


@rule(
    slice_p,
    squeeze_p,
    pad_p,
    concatenate_p,
    dynamic_slice_p,
    reduce_sum_p,
    reduce_max_p,
    reduce_min_p,
    reduce_prod_p,
    reduce_and_p,
    reduce_or_p,
)
def _unchanged(eqn: Eqn, definition: Callable) -> Any:
    """Operations whose parameters make them the identity."""
    x = eqn.invars[0]
    if x.aval.shape != eqn.outvars[0].aval.shape:
        return None
    primitive, params = eqn.primitive, eqn.params
    if primitive is concatenate_p:
        return x if len(eqn.invars) == 1 else None
    if primitive is pad_p:
        return x if all(tuple(c) == (0, 0, 0) for c in params["padding_config"]) else None
    if primitive is dynamic_slice_p:
        # A slice of the full size starts at 0: starts are clamped.
        return x
    if primitive.kind == "reduction":
        return x if not params["axes"] else None
    # Without a change of shape, slices and squeezes keep every element.
    return x
