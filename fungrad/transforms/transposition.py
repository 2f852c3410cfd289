"""Transposition: running a linear program backwards.

The backward pass walks the operations of a linear program in reverse and asks each primitive's ``transpose`` rule for
the cotangents of its operands.  Reverse-mode differentiation is linearization followed by this.

May import ``core``, ``ops.foundation`` and ``transforms.linearization``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.config import watch
from fungrad.core.array import ArrayImpl, wrap
from fungrad.core.avals import ShapedArray, Zero, same_type
from fungrad.core.context import EVAL, state
from fungrad.core.float_errors import SILENT, silence, unsilence
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.primitive import Linear, is_linear
from fungrad.core.refs import RefFrame, RefsUsedError
from fungrad.core.sharded_types import lenient
from fungrad.core.source import attributed
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.ops.cast import convert_element_type_p
from fungrad.ops.foundation import add_any
from fungrad.ops.summands import cotangent_of, cotangent_type
from fungrad.transforms.linearization import LinearEqn, LinearProgram, TangentVar, record_linear


def backward_pass(program: LinearProgram, cotangents: Sequence[Any]) -> list[Any]:
    """Cotangents of the inputs of a linear program.

    Args:
      program: from input tangents to result tangents.
      cotangents: one value or ``Zero`` per result.

    Returns:
      One value or ``Zero`` per input.
    """
    with lenient():
        if state.trace is EVAL and not watch.slow and not program.high:
            if all([type(ct) is ArrayImpl or type(ct) is Zero for ct in cotangents]):
                return _backward_pass_now(program, cotangents)
        return _backward_pass(program, cotangents)


def _backward_pass(program: LinearProgram, cotangents: Sequence[Any]) -> list[Any]:
    """``backward_pass`` by the general rules."""
    # Variables are keyed by identity: arrays do not hash.
    total: dict[int, Any] = {}
    for x, ct in zip(program.outputs, cotangents, strict=True):
        if type(x) is TangentVar and type(ct) is not Zero:
            before = total.get(id(x))
            total[id(x)] = ct if before is None else add_any(before, ct)
    for eqn in reversed(program.eqns):
        cts = [total.pop(id(v), None) for v in eqn.outs]
        for operand, result in _transposed(eqn, cts):
            key = id(operand)
            before = total.get(key)
            if before is not None:
                # The sum belongs to the line whose operand is used more than once.
                with attributed(None if eqn.source is None else eqn.source.transposed()):
                    result = add_any(before, result)
            total[key] = result
    return [total[id(v)] if id(v) in total else Zero(cotangent_type(v.aval)) for v in program.inputs]


def _transposed(eqn: LinearEqn, cts: Sequence[Any]) -> list[tuple[TangentVar, Any]]:
    """The operands that an operation passes cotangents on to, and these, by the rule of its primitive.

    Args:
      eqn: the operation.
      cts: cotangents of its results, None for zero.
    """
    if all([ct is None for ct in cts]):
        return []
    ct: Any = cts[0]
    if eqn.primitive.multiple_results:
        ct = [Zero(cotangent_type(v.aval)) if c is None else c for v, c in zip(eqn.outs, cts, strict=True)]
    trace = eqn.outs[0]._trace
    args = [Linear(a.aval) if type(a) is TangentVar and a._trace is trace else a for a in eqn.args]
    results = _cotangents(eqn, ct, args)
    out = []
    for operand, marked, result in zip(eqn.args, args, results, strict=True):
        if type(marked) is Linear and result is not None and type(result) is not Zero:
            if result.aval is not operand.aval:
                _check_cotangent(eqn, operand, result)
                result = cotangent_of(result, operand.aval)
            out.append((operand, result))
    return out


def _backward_pass_now(program: LinearProgram, cotangents: Sequence[Any]) -> list[Any]:
    """``backward_pass`` of concrete arrays outside of every transformation: cotangents are ndarrays or NumPy scalars.

    An operation that has no short rule goes the usual way, with its cotangents made arrays.
    """
    total: dict[int, Any] = {}
    # Where the cotangent is not of the type of the variable: it may be strong where that is weak.
    types: dict[int, ShapedArray] = {}
    token = silence(SILENT)
    try:
        for x, ct in zip(program.outputs, cotangents, strict=True):
            if type(x) is TangentVar and type(ct) is not Zero:
                before = total.get(id(x))
                total[id(x)] = ct._data if before is None else before + ct._data
        for eqn in reversed(program.eqns):
            outs, results = eqn.outs, None
            cts = [total.pop(id(v), None) for v in outs] if len(outs) > 1 else [total.pop(id(outs[0]), None)]
            rule = eqn.primitive.transpose_now
            if rule is not None:
                if cts[0] is None:
                    continue
                results = _transposed_now(eqn, rule, cts[0])
            if results is not None:
                for v, _ in results:
                    if v.aval.weak_type and _is_strong(eqn, v):
                        types[id(v)] = v.aval.strip_weak_type()
            else:
                arrays = [
                    None if ct is None else wrap(ct, types.get(id(v), v.aval)) for ct, v in zip(cts, outs, strict=True)
                ]
                # Rules that users write are no business of ours.
                unsilence(token)
                try:
                    made = _transposed(eqn, arrays)
                finally:
                    token = silence(SILENT)
                types.update({id(v): x.aval for v, x in made if x.aval is not v.aval})
                results = [(v, x._concrete(eqn.primitive.name)) for v, x in made]
            for operand, result in results:
                key = id(operand)
                before = total.get(key)
                total[key] = result if before is None else before + result
    finally:
        unsilence(token)
    out: list[Any] = []
    for v in program.inputs:
        if id(v) not in total:
            out.append(Zero(cotangent_type(v.aval)))
            continue
        ct = wrap(total[id(v)], types.get(id(v), v.aval))
        out.append(ct if ct.aval.placement is None else cotangent_of(ct, v.aval))
    return out


def _is_strong(eqn: LinearEqn, operand: TangentVar) -> bool:
    """Whether the cotangent of a weak operand is strong: it is made of that of the result, and of constants."""
    weak = operand.aval.weak_type and not eqn.outs[0].aval.weak_type
    return weak and eqn.primitive is not convert_element_type_p


def _transposed_now(eqn: LinearEqn, rule: Callable[..., Any], ct: Any) -> list[tuple[TangentVar, Any]] | None:
    """``_transposed`` by the short rule of the primitive; None if it does not cover the case.

    Args:
      eqn: the operation, which has one result.
      rule: the rule.
      ct: the cotangent of the result.
    """
    args, params, trace = eqn.args, eqn.params, eqn.outs[0]._trace
    out = []
    for position, a in enumerate(args):
        if type(a) is TangentVar and a._trace is trace:
            result = rule(ct, position, args, params)
            if result is NotImplemented:
                return None
            out.append((a, result))
        elif type(a) is not ArrayImpl:
            return None
    return out


def _cotangents(eqn: LinearEqn, ct: Any, args: Sequence[Any]) -> Sequence[Any]:
    """The transpose rule of an operation; what it does belongs to the line of the operation."""
    if eqn.source is None:
        return eqn.primitive.transpose(ct, *args, **eqn.params)
    with attributed(eqn.source.transposed()):
        return eqn.primitive.transpose(ct, *args, **eqn.params)


def _check_cotangent(eqn: LinearEqn, operand: TangentVar, ct: Any) -> None:
    if not same_type(ct.aval, operand.aval):
        raise TypeError(
            f"the transpose rule of {eqn.primitive.name} returned a cotangent of type {ct.aval.short()} "
            f"for an operand of type {operand.aval.short()}"
        )


def transpose_jaxpr(jaxpr: Jaxpr, linear: Sequence[bool], ct_nonzero: Sequence[bool]) -> tuple[Jaxpr, list[bool]]:
    """Transpose of a jaxpr without constants that is linear in some inputs.

    Args:
      jaxpr: the function.
      linear: which inputs it is transposed in.
      ct_nonzero: which results have a cotangent.

    Returns:
      A jaxpr from the other inputs followed by the given cotangents to the non-zero cotangents of the linear inputs,
      and which linear inputs have one.

    Raises:
      RefsUsedError: backward rules in it use references; see `transposed_in_place`.
    """
    key = ("transpose", tuple(linear), tuple(ct_nonzero), state.axis_env)
    if key in jaxpr.memo:
        return jaxpr.memo[key]
    nonzero: list[bool] = []
    fixed_avals = [v.aval for v, on in zip(jaxpr.invars, linear, strict=True) if not on]

    def fun(*args: Any) -> list[Any]:
        fixed, given = iter(args[: len(fixed_avals)]), iter(args[len(fixed_avals) :])
        operands = [v.aval if on else next(fixed) for v, on in zip(jaxpr.invars, linear, strict=True)]
        program = record_linear(lambda *xs: eval_jaxpr(jaxpr, (), *xs), operands, linear, "transpose")
        cts = [
            next(given) if nz else Zero(cotangent_type(v.aval)) for nz, v in zip(ct_nonzero, jaxpr.outvars, strict=True)
        ]
        results = backward_pass(program, cts)
        nonzero[:] = [type(r) is not Zero for r in results]
        return [r for r in results if type(r) is not Zero]

    ct_avals = [cotangent_type(v.aval) for v, nz in zip(jaxpr.outvars, ct_nonzero, strict=True) if nz]
    name = jaxpr.debug.fun_name if jaxpr.debug else "jaxpr"
    frame = RefFrame()
    out = trace_flat(fun, fixed_avals + ct_avals, DebugInfo(name, (), "transpose"), frame), nonzero
    if frame.closed:
        raise RefsUsedError(frame.closed)
    jaxpr.memo[key] = out
    return out


def transposed_in_place(
    fun: Callable[..., Sequence[Any]], args: Sequence[Any], cts: Sequence[Any], name: str
) -> list[Any]:
    """The transpose of an operation whose backward rules use references: as Python runs it, so that these are at hand.

    Args:
      fun: what the operation does, a function of its operands.
      args: operands, ``Linear`` those in which it is transposed.
      cts: cotangents of the results.
      name: of the operation.

    Returns:
      A cotangent or ``Zero`` for each operand in which it is linear, None for the others.
    """
    linear = [is_linear(a) for a in args]
    operands = [a.aval if on else a for a, on in zip(args, linear, strict=True)]
    found = iter(backward_pass(record_linear(fun, operands, linear, name), cts))
    return [next(found) if on else None for on in linear]
