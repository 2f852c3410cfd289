"""Branches and steps that run for examples that do not take them, with derivatives that are zero there.

Where examples of a batch take different branches, all branches run for all of them; and a loop goes on for examples
that are done. What comes out for the others is thrown away, but reverse mode would still go through it: the cotangent
is zero, and zero times an infinite derivative is NaN. So before such a jaxpr is mapped it gets a condition as a further
input, and *shields*: the identity, whose derivative is zero where the condition fails.

Mapped operands are shielded where they come in. An operand that all examples share must stay one array, so its
cotangent, a sum over examples, must get nothing bad from those that do not take the branch: what is computed from it
and something mapped is shielded, and the factors of a matrix product with it are zero there. Where a shared operand
meets a mapped one in any other operation, which elementwise costs no memory that the result does not, each example gets
a shielded copy.

The compiler removes shields; where no derivative is taken, nothing but the zero factors remains of them.

May import ``core``, ``ops``, ``transforms`` and ``control._base``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fungrad.core.context import state
from fungrad.core.ir import Atom, Eqn, Jaxpr, Literal, Var, eval_jaxpr
from fungrad.core.jaxpr_parts import closed
from fungrad.core.source import attributed
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.ops._operands import constant
from fungrad.ops.cast import stop_gradient
from fungrad.ops.compare import select_n
from fungrad.ops.reduce import reduce_or
from fungrad.transforms.checkpointing import remat_p
from fungrad.transforms.conditional_effects import CONDITION

# Operations whose derivatives by each operand are bounded, so that zero cotangents stay zero.
_BOUNDED = frozenset(
    {
        "add", "add_any", "sub", "max", "min", "select_n", "concatenate", "stack", "pad", "gather", "dynamic_slice",
        "dynamic_update_slice", "scatter", "scatter-add", "scatter-sub",
    }
)  # fmt: skip


def shield(condition: Any, x: Any) -> Any:
    """``x``, whose derivative is zero where ``condition`` fails."""
    return select_n(condition, stop_gradient(x), x) if x.aval.inexact else x


def shielded(jaxpr: Jaxpr, mapped: Sequence[bool]) -> Jaxpr:
    """A jaxpr without constants with a condition as a further first input: without it there are no effects, and
    derivatives are zero.

    Args:
      jaxpr: the function of one example.
      mapped: which of its inputs differ between examples.

    Returns:
      The jaxpr, which may have constants.
    """
    key = ("shielded", tuple(mapped), state.axis_env)
    if key not in jaxpr.memo:
        avals = [CONDITION, *jaxpr.in_avals]
        name = jaxpr.debug.fun_name if jaxpr.debug else "jaxpr"

        def fun(condition: Any, *xs: Any) -> list[Any]:
            xs = tuple([shield(condition, x) if on else x for x, on in zip(xs, mapped, strict=True)])
            return eval_shielded(jaxpr, condition, xs, mapped)

        jaxpr.memo[key] = trace_flat(fun, avals, DebugInfo(name, (), "vmap"))
    return jaxpr.memo[key]


def needs_shields(jaxpr: Jaxpr) -> bool:
    """Whether it makes a difference which examples a jaxpr without constants runs for."""
    return jaxpr.has_effects or any(v.aval.inexact for v in jaxpr.invars)


def with_shared(jaxpr: Jaxpr, condition: int, mapped: Sequence[bool]) -> Jaxpr:
    """A mapped jaxpr that shields what all examples share where the condition fails for all of them.

    Args:
      jaxpr: what ``batch_jaxpr`` makes of a shielded jaxpr, without constants.
      condition: position of the conditions among its inputs.
      mapped: which of the inputs after that one are mapped.
    """
    shared = [False] * (condition + 1)
    shared += [not on and v.aval.inexact for v, on in zip(jaxpr.invars[condition + 1 :], mapped, strict=True)]
    if not any(shared):
        return jaxpr
    key = ("shared", tuple(shared))
    if key not in jaxpr.memo:

        def fun(*xs: Any) -> list[Any]:
            some = reduce_or(xs[condition], (0,))
            given = [shield(some, x) if on else x for x, on in zip(xs, shared, strict=True)]
            return eval_jaxpr(jaxpr, (), *given)

        name = jaxpr.debug.fun_name if jaxpr.debug else "jaxpr"
        jaxpr.memo[key] = closed(trace_flat(fun, jaxpr.in_avals, DebugInfo(name, (), "vmap")))[1]
    return jaxpr.memo[key]


def mapped_outputs(jaxpr: Jaxpr, mapped: Sequence[bool]) -> list[bool]:
    """Which results of a jaxpr depend on mapped inputs, or may differ between examples for another reason."""
    found = {v for v, on in zip(jaxpr.invars, mapped, strict=True) if on}
    for eqn in jaxpr.eqns:
        if _differs(eqn) or any(a in found for a in eqn.invars if type(a) is Var):
            found.update(eqn.outvars)
    return [type(a) is Var and a in found for a in jaxpr.outvars]


def _differs(eqn: Eqn) -> bool:
    return bool(eqn.primitive.axis_names(eqn.params)) or eqn.has_effects


def eval_shielded(jaxpr: Jaxpr, condition: Any, args: Sequence[Any], mapped: Sequence[bool]) -> list[Any]:
    """Applies a jaxpr without constants whose mapped operands are shielded; shields what the others meet."""
    env: dict[Var, Any] = dict(zip(jaxpr.invars, args, strict=True))
    differing = {v for v, on in zip(jaxpr.invars, mapped, strict=True) if on}
    shared = {v for v, on in zip(jaxpr.invars, mapped, strict=True) if not on and v.aval.inexact}

    def read(a: Atom) -> Any:
        return a.array if isinstance(a, Literal) else env[a]

    for eqn in jaxpr.eqns:
        operands = [read(a) for a in eqn.invars]
        flags = [type(a) is Var and a in differing for a in eqn.invars]
        meets = [type(a) is Var and a in shared for a in eqn.invars]
        differs = any(flags) or _differs(eqn)
        with attributed(eqn.source):
            if eqn.has_effects:
                operands = [shield(condition, x) if on else x for x, on in zip(operands, meets, strict=True)]
                outs = _results(eqn, eqn.primitive.bind_when(condition, operands, eqn.params))
            elif any(flags) and any(meets):
                outs = _meet(eqn, condition, operands, flags, meets)
            else:
                outs = _results(eqn, eqn.primitive.bind(*operands, **eqn.params))
        env.update(zip(eqn.outvars, outs, strict=True))
        if differs:
            differing.update(eqn.outvars)
        elif any(meets):
            shared.update(_inexact(eqn.outvars))
    return [read(a) for a in jaxpr.outvars]


def _inexact(variables: Iterable[Var]) -> list[Var]:
    return [v for v in variables if v.aval.inexact]


def _results(eqn: Eqn, out: Any) -> list[Any]:
    return list(out) if eqn.primitive.multiple_results else [out]


def _meet(
    eqn: Eqn, condition: Any, operands: Sequence[Any], mapped: Sequence[bool], shared: Sequence[bool]
) -> list[Any]:
    """An operation on mapped operands and such that all examples share."""
    primitive, name = eqn.primitive, eqn.primitive.name
    if not _inexact(eqn.outvars):
        return _results(eqn, primitive.bind(*operands, **eqn.params))
    if name == "jit":
        return eval_shielded(eqn.params["jaxpr"], condition, operands, mapped)
    if primitive is remat_p:
        inner = shielded(eqn.params["jaxpr"], mapped)
        params = {**eqn.params, "jaxpr": inner.with_consts_as_inputs()}
        return primitive.bind(*inner.consts, condition, *operands, **params)
    within = getattr(primitive, "bind_shielded", None)
    if within is not None:
        return within(condition, operands, mapped, eqn.params)
    if name == "dot_general":
        # The derivative by one operand is a product with the other.
        operands = [_or_zero(condition, x) if on else x for x, on in zip(operands, mapped, strict=True)]
    elif name not in _BOUNDED:
        operands = [shield(condition, x) if on else x for x, on in zip(operands, shared, strict=True)]
    return [shield(condition, x) for x in _results(eqn, primitive.bind(*operands, **eqn.params))]


def _or_zero(condition: Any, x: Any) -> Any:
    """``x``, or zeros where ``condition`` fails."""
    return select_n(condition, constant(x, 0), x)
