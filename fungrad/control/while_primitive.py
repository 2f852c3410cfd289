"""The primitive ``while``: a loop that runs as long as a predicate holds.

Its operands are what the predicate captures, what the body captures, and the initial carry; its
results are the last carry. Derivatives in forward mode and batches are while loops; reverse mode
needs a bound on the number of steps, by which the loop becomes a scan. Where the operands are concrete
the steps are counted.

May import ``core``, ``ops``, ``transforms`` and ``control.scan_primitive``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np

from fungrad.control._base import (
    HigherOrderPrimitive,
    draws_together,
    fixpoint,
    is_nonzero,
    pruned,
    rewired,
    tangents_of,
    with_inputs,
)
from fungrad.control.checked_bodies import checked_while
from fungrad.control.cond_primitive import cond_p
from fungrad.control.scan_primitive import scan_p
from fungrad.control.shields import mapped_outputs, needs_shields, shield, shielded
from fungrad.core.array import wrap
from fungrad.core.avals import ShapedArray, same_type
from fungrad.core.context import EVAL, AxisData, running, state
from fungrad.core.ir import Eqn, Jaxpr, eval_jaxpr
from fungrad.core.jaxpr_parts import chosen, closed, memoised, split_list, used_inputs
from fungrad.core.lojax import lower_jaxpr, lowered, raised
from fungrad.core.nonfinite import within
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.jit.passes.scan_unroll import Loop
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import select
from fungrad.ops.elementwise import add
from fungrad.ops.foundation import batch_to, broadcast_in_dim, instantiate, zeros
from fungrad.ops.reduce import reduce_or
from fungrad.transforms.batching import batch_flat, batch_jaxpr
from fungrad.transforms.conditional_effects import when_jaxpr
from fungrad.transforms.forward import jvp_jaxpr
from fungrad.transforms.runtime_checks import EVERY, Errors, eval_checked, needs_checks, recharged

T = TypeVar("T")


class WhileLoop(NamedTuple):
    """The parameters of a while loop, and how its operands are grouped.

    Attributes:
      cond_jaxpr: the predicate, from ``(*cond_consts, *carry)`` to one boolean.
      body_jaxpr: from ``(*body_consts, *carry)`` to the carry.
      cond_nconsts, body_nconsts: how many operands the predicate and the body capture.
      max_steps: a number of steps that the loop is known not to exceed; 0 if there is none.
      masked: whether the loop runs many examples: the first carry, a mask, says which of them go on, the predicate
        whether any does, and a step changes nothing in the others.
    """

    cond_jaxpr: Jaxpr
    body_jaxpr: Jaxpr
    cond_nconsts: int
    body_nconsts: int
    max_steps: int = 0
    masked: bool = False

    def operands(self, args: Sequence[T]) -> list[list[T]]:
        """``args`` as consts of the predicate, consts of the body, and carry."""
        return split_list(args, self.cond_nconsts, self.body_nconsts)

    def params(self) -> dict[str, Any]:
        """Parameters of the equation."""
        found = self._asdict()
        if not self.max_steps:
            del found["max_steps"]
        if not self.masked:
            del found["masked"]
        return found

    def derived(self, key: Hashable, make: Callable[[], T]) -> T:
        """``make()``, kept with the body for this loop."""
        own = (self.cond_jaxpr, self.cond_nconsts, self.body_nconsts, self.max_steps)
        return memoised(self.body_jaxpr, ("while", own, key, state.axis_env), make)


class While(HigherOrderPrimitive):
    """Runs the body while the predicate of the carry holds."""

    def abstract_eval(self, *avals: ShapedArray, **params: Any) -> Sequence[ShapedArray]:
        loop = WhileLoop(**params)
        groups = loop.operands(avals)
        carry = groups[2]
        outs = loop.body_jaxpr.out_avals
        inputs = (
            (loop.cond_jaxpr.in_avals, [*groups[0], *carry]),
            (loop.body_jaxpr.in_avals, [*groups[1], *carry]),
            (outs, carry),
        )
        for wanted, given in inputs:
            if len(wanted) != len(given) or not all(map(same_type, wanted, given)):
                expected, got = (
                    ", ".join(a.str_short() for a in group) for group in (wanted, given)
                )
                raise TypeError(f"while: expected values of types ({expected}), got ({got})")
        if [(a.shape, a.dtype.kind) for a in loop.cond_jaxpr.out_avals] != [((), "b")]:
            raise TypeError("while: the predicate must be one boolean scalar")
        return outs

    def interpret(self, *args: Any, **params: Any) -> list[Any]:
        loop = WhileLoop(**params)
        cond_consts, body_consts, carry = loop.operands(args)
        for i in itertools.count():
            with within(f"in step {i} of while_loop"):
                if not eval_jaxpr(loop.cond_jaxpr, (), *cond_consts, *carry)[0]:
                    break
                carry = eval_jaxpr(loop.body_jaxpr, (), *body_consts, *carry)
        return carry

    def lower(self, ctx: Any, *args: Any, **params: Any) -> Any:
        loop = WhileLoop(**params)
        cond_consts, body_consts, carry = loop.operands(args)
        bodies = loop.cond_jaxpr, cond_consts, loop.body_jaxpr, body_consts
        return ctx.while_loop(*bodies, carry, loop.masked)

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        loop = WhileLoop(**params)
        cond_consts, body_consts, carry = loop.operands(args)
        cond_avals = loop.cond_jaxpr.in_avals[: loop.cond_nconsts]
        body_avals, carry_avals = split_list(loop.body_jaxpr.in_avals, loop.body_nconsts)
        cond_captured, cond = closed(lower_jaxpr(loop.cond_jaxpr))
        body_captured, body = closed(lower_jaxpr(loop.body_jaxpr))
        outs = bind(
            loop._replace(cond_jaxpr=cond, body_jaxpr=body),
            [*cond_captured, *lowered(cond_consts, cond_avals)],
            [*body_captured, *lowered(body_consts, body_avals)],
            lowered(carry, carry_avals),
        )
        return raised(outs, carry_avals)

    def bind_when(self, condition: Any, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        loop = WhileLoop(**params)
        if loop.cond_jaxpr.has_effects:
            return super().bind_when(condition, args, params)
        cond_consts, body_consts, carry = loop.operands(args)
        captured, body = closed(when_jaxpr(loop.body_jaxpr))
        body_consts = [*captured, condition, *body_consts]
        return bind(loop._replace(body_jaxpr=body), cond_consts, body_consts, carry)

    def checked(self, errors: Errors, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        loop = WhileLoop(**params)
        sizes = (loop.cond_nconsts, loop.body_nconsts)
        found = checked_while(loop.cond_jaxpr, loop.body_jaxpr, sizes, errors.kinds)
        if found is None:
            return self.bind(*args, **params)
        cond_consts, body_consts, carry = loop.operands(args)
        (pred,) = eval_checked(loop.cond_jaxpr, errors, (), *cond_consts, *carry)
        cond, body = found
        error = [pred, *[zeros(a) for a in body.avals[1:]]]
        outs = bind(
            loop._replace(cond_jaxpr=cond, body_jaxpr=body.jaxpr),
            [],
            [*body.captured, *cond_consts, *body_consts],
            [*error, *carry],
        )
        errors.merge(outs[2], body.sites, outs[3 : len(error)])
        return outs[len(error) :]

    def bind_shielded(
        self, condition: Any, args: Sequence[Any], mapped: Sequence[bool], params: dict[str, Any]
    ) -> list[Any]:
        """The operation in a branch or step that shields its mapped operands; see ``control.shields``."""
        loop = WhileLoop(**params)
        cond_consts, body_consts, carry = loop.operands(args)
        cond_flags, body_flags, flags = loop.operands(mapped)

        def step(flags: list[bool]) -> list[bool]:
            if mapped_outputs(loop.cond_jaxpr, [*cond_flags, *flags])[0]:
                return [True] * len(flags)
            return mapped_outputs(loop.body_jaxpr, [*body_flags, *flags])

        flags = fixpoint(flags, step)
        carry = [shield(condition, x) if on else x for x, on in zip(carry, flags, strict=True)]
        captured, body = closed(shielded(loop.body_jaxpr, [*body_flags, *flags]))
        return bind(loop._replace(body_jaxpr=body), cond_consts, [*captured, condition, *body_consts], carry)

    # -- derivatives ---------------------------------------------------------------------------

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        loop = WhileLoop(**params)
        given = tuple(is_nonzero(tangents[loop.cond_nconsts :]))
        cond, captured, body, nonzero = loop.derived(("jvp", given), lambda: _jvp(loop, given))
        cond_consts, body_consts, carry = loop.operands(primals)
        _, const_dots, carry_dots = loop.operands(tangents)
        const_flags, carry_flags = split_list(nonzero, loop.body_nconsts)
        outs = bind(
            loop._replace(cond_jaxpr=cond, body_jaxpr=body),
            cond_consts,
            [*captured, *body_consts, *chosen(const_dots, const_flags)],
            [*carry, *map(instantiate, chosen(carry_dots, carry_flags))],
        )
        outs, out_dots = split_list(outs, len(carry))
        return outs, tangents_of(out_dots, carry_flags, outs)

    def linearize(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        loop = WhileLoop(**params)
        if not any(is_nonzero(tangents[loop.cond_nconsts :])):
            outs = self.bind(*primals, **params)
            return outs, tangents_of([], [False] * len(outs), outs)
        bound = loop.max_steps or _number_of_steps(loop, primals)
        if bound is not None:
            bounded = loop._replace(max_steps=bound)
            scan = bounded.derived("scan", lambda: _as_scan(bounded))
            return scan_p.linearize(primals, tangents, **scan._asdict())
        # The tangents go round in a loop that carries the values too; the values themselves come
        # from a loop without tangents, since what depends on tangents is only recorded.
        return self.bind(*primals, **params), self.jvp(primals, tangents, **params)[1]

    def transpose(self, cts: Sequence[Any], *args: Any, **params: Any) -> NoReturn:
        raise ValueError(
            "fungrad.lax.while_loop: reverse-mode differentiation of a loop in a compiled or mapped "
            "function needs to know how many steps there can be. Give while_loop a bound, "
            "max_steps=n; or use fori_loop with bounds that are Python integers, or scan; or forward "
            "mode (jvp, jacfwd); or take the derivative of a function that is not jitted, where steps "
            "are counted."
        )

    # -- batching ------------------------------------------------------------------------------

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        loop = WhileLoop(**params)
        if draws_together(loop.body_jaxpr) and any(kept := _unchanged(loop)):
            # A key that no step changes stays shared where the predicate differs.
            return self._batch_without(kept, axis, loop, args, dims)
        cond_consts, body_consts, carry = loop.operands(args)
        cond_dims, body_dims, carry_dims = loop.operands(dims)

        def inner(flags: Sequence[bool]) -> list[int | None]:
            return [0 if m else None for m in flags]

        if loop.masked:
            carry = [batch_to(x, d, 0, axis) for x, d in zip(carry, carry_dims, strict=True)]
            everything = [True] * len(carry)
            body, _ = batch_jaxpr(loop.body_jaxpr, axis, [*body_dims, *inner(everything)], everything)
            captured, body = closed(body)
            go_on = trace_flat(_any_runs, body.out_avals, DebugInfo("while", (), "vmap"))
            loop = loop._replace(cond_jaxpr=go_on, body_jaxpr=body)
            return bind(loop, [], [*captured, *body_consts], carry), inner(everything)

        def carry_out(flags: list[bool]) -> list[bool]:
            _, pred_dims = batch_jaxpr(loop.cond_jaxpr, axis, [*cond_dims, *inner(flags)])
            if pred_dims[0] is not None:
                # Where the predicate differs, so does the number of steps.
                return [True] * len(flags)
            out_dims = batch_jaxpr(loop.body_jaxpr, axis, [*body_dims, *inner(flags)], flags)[1]
            return [d is not None for d in out_dims]

        mapped = fixpoint([d is not None for d in carry_dims], carry_out)
        cond, pred_dims = batch_jaxpr(loop.cond_jaxpr, axis, [*cond_dims, *inner(mapped)])
        carry = [
            batch_to(x, d, 0, axis) if m else x
            for x, d, m in zip(carry, carry_dims, mapped, strict=True)
        ]
        if pred_dims[0] is not None and any(needs_checks(j, EVERY) for j in (cond, loop.body_jaxpr)):
            # Examples that are done must not fail any more.
            return batch_flat(lambda *xs: recharged(self, xs, params), axis, args, dims, "vmap")
        guarded = pred_dims[0] is not None and needs_shields(loop.body_jaxpr)
        if guarded:
            # Nor must they have effects or derivatives: the body gets the predicate as its first input.
            body_mapped = [*[d is not None for d in body_dims], *mapped]
            own, body = closed(shielded(loop.body_jaxpr, body_mapped))
            body_dims, body_consts = [*[None] * len(own), *body_dims], [*own, *body_consts]
            body = _condition_first(body, len(own))
            body, _ = batch_jaxpr(body, axis, [0, *body_dims, *inner(mapped)], mapped)
        else:
            body, _ = batch_jaxpr(loop.body_jaxpr, axis, [*body_dims, *inner(mapped)], mapped)
        cond_captured, cond = closed(cond)
        body_captured, body = closed(body)
        if guarded:
            body = _condition_first(body, len(body_captured))
        cond_consts, body_consts = [*cond_captured, *cond_consts], [*body_captured, *body_consts]
        loop = loop._replace(cond_jaxpr=cond, body_jaxpr=body)
        if pred_dims[0] is None:
            return bind(loop, cond_consts, body_consts, carry), inner(mapped)
        return _bind_masked(loop, cond_consts, body_consts, carry, guarded), inner(mapped)

    def _batch_without(
        self, kept: Sequence[bool], axis: AxisData, loop: WhileLoop, args: Sequence[Any], dims: Sequence[int | None]
    ) -> tuple[Any, Any]:
        """``batch`` of the loop that captures those carries which no step changes."""

        def parted(xs: Sequence[T]) -> tuple[list[T], list[T]]:
            return chosen(xs, kept), chosen(xs, [not k for k in kept])

        def moved(xs: Sequence[T]) -> list[T]:
            of_cond, of_body, carry = loop.operands(xs)
            same, rest = parted(carry)
            return [*of_cond, *same, *of_body, *same, *rest]

        def regrouped(jaxpr: Jaxpr, count: int) -> Jaxpr:
            own, carry = split_list(jaxpr.invars, count)
            same, rest = parted(carry)
            return jaxpr.replace(invars=[*own, *same, *rest], debug=None)

        body = regrouped(loop.body_jaxpr, loop.body_nconsts)
        new = loop._replace(
            cond_jaxpr=regrouped(loop.cond_jaxpr, loop.cond_nconsts),
            body_jaxpr=body.replace(outvars=parted(body.outvars)[1], debug=None),
            cond_nconsts=loop.cond_nconsts + sum(kept),
            body_nconsts=loop.body_nconsts + sum(kept),
        )
        outs, out_dims = map(iter, self.batch(axis, moved(args), moved(dims), **new.params()))
        carry, carry_dims = loop.operands(args)[2], loop.operands(dims)[2]
        pairs = [
            (x, d) if k else (next(outs), next(out_dims)) for x, d, k in zip(carry, carry_dims, kept, strict=True)
        ]
        return [x for x, _ in pairs], [d for _, d in pairs]

    # -- dead code -----------------------------------------------------------------------------

    def dce(self, eqn: Eqn, used: Sequence[bool]) -> Eqn:
        """Without the carries that neither the predicate nor a used result depends on."""
        loop = WhileLoop(**eqn.params)
        new, flags = _narrowed(loop, used)
        if all(flags):
            return eqn
        kept = loop.operands(flags)[2]
        return eqn.replace(
            invars=chosen(eqn.invars, flags), outvars=chosen(eqn.outvars, kept), params=new.params()
        )


while_p = While("while")


def _unchanged(loop: WhileLoop) -> list[bool]:
    """Which carries the body returns as they are; no mask of a loop that has one."""
    carry = loop.body_jaxpr.invars[loop.body_nconsts :]
    return [not loop.masked and a is v for a, v in zip(loop.body_jaxpr.outvars, carry, strict=True)]


def _narrowed(loop: WhileLoop, used: Sequence[bool]) -> tuple[WhileLoop, list[bool]]:
    """A loop with those carries only that the predicate or a used result depends on, and which operands it has."""
    m, n = loop.cond_nconsts, loop.body_nconsts
    needed = used_inputs(loop.cond_jaxpr)[m:]

    def step(flags: list[bool]) -> list[bool]:
        return used_inputs(pruned(loop.body_jaxpr, flags))[n:]

    kept = fixpoint([a or b for a, b in zip(used, needed, strict=True)], step)
    if all(kept):
        return loop, [True] * (m + n + len(kept))
    body = pruned(loop.body_jaxpr, kept)
    consts = used_inputs(body)[:n]
    body = body.replace(invars=chosen(body.invars, [*consts, *kept]), debug=None)
    cond = loop.cond_jaxpr
    cond = cond.replace(invars=chosen(cond.invars, [True] * m + kept), debug=None)
    new = loop._replace(cond_jaxpr=cond, body_jaxpr=body, body_nconsts=sum(consts))
    return new, [True] * m + consts + kept


def _number_of_steps(loop: WhileLoop, args: Sequence[Any]) -> int | None:
    """A bound on the steps of a loop, by running what its predicate depends on; None if that is not known."""
    narrow, flags = loop.derived(
        "for counting", lambda: _narrowed(loop, [False] * len(loop.body_jaxpr.outvars))
    )
    m, n = narrow.cond_nconsts, narrow.body_nconsts
    count = ShapedArray((), np.dtype(np.int32))

    def make() -> tuple[Jaxpr, Jaxpr]:
        def go_on(*xs: Any) -> list[Any]:
            return eval_jaxpr(narrow.cond_jaxpr, (), *xs[:m], *xs[m + 1 :])

        def body(*xs: Any) -> list[Any]:
            return [
                add(xs[n], np.int32(1)),
                *eval_jaxpr(narrow.body_jaxpr, (), *xs[:n], *xs[n + 1 :]),
            ]

        debug = DebugInfo("count", (), "lax.while_loop")
        cond_avals, body_avals = narrow.cond_jaxpr.in_avals, narrow.body_jaxpr.in_avals
        return (
            trace_flat(go_on, [*cond_avals[:m], count, *cond_avals[m:]], debug),
            trace_flat(body, [*body_avals[:n], count, *body_avals[n:]], debug),
        )

    cond, body = loop.derived("counting", make)
    try:
        known = [wrap(x._known("counting steps"), x.aval) for x in chosen(args, flags)]
    except TypeError:  # values of a function that is staged or mapped
        return None
    cond_consts, body_consts, carry = narrow.operands(known)
    with running(EVAL):
        counting = narrow._replace(cond_jaxpr=cond, body_jaxpr=body)
        outs = bind(counting, cond_consts, body_consts, [zeros(count), *carry])
    return _rounded(int(outs[0]))


def _rounded(steps: int) -> int:
    """A number not below ``steps``, of which few exist: each is compiled for."""
    unit = 1 << max(steps.bit_length() - 3, 0)
    return max(-(-steps // unit) * unit, 1)


def bind(
    loop: WhileLoop, cond_consts: Sequence[Any], body_consts: Sequence[Any], carry: Sequence[Any]
) -> list[Any]:
    """Applies the primitive to its groups of operands, whose sizes need not be those of ``loop``."""
    loop = loop._replace(cond_nconsts=len(cond_consts), body_nconsts=len(body_consts))
    return while_p.bind(*cond_consts, *body_consts, *carry, **loop.params())


def _jvp(loop: WhileLoop, given: Sequence[bool]) -> tuple[Jaxpr, list[Any], Jaxpr, list[bool]]:
    """Predicate and body on values and tangents.

    Args:
      loop: the loop.
      given: which consts of the body and carries have tangents.

    Returns:
      The predicate, constants that the body captures, the body, and which of its operands have
      tangents.
    """
    n = loop.body_nconsts
    consts, carry = split_list(given, n)
    carry = fixpoint(carry, lambda flags: jvp_jaxpr(loop.body_jaxpr, [*consts, *flags])[1])
    jaxpr, _ = jvp_jaxpr(loop.body_jaxpr, [*consts, *carry], carry)
    captured, jaxpr = closed(jaxpr)
    k, n_in = len(captured), len(loop.body_jaxpr.invars)
    const_ins, carry_ins = split_list(range(k, k + n_in), n)
    const_dots, carry_dots = split_list(range(k + n_in, len(jaxpr.invars)), sum(consts))
    order = [*range(k), *const_ins, *const_dots, *carry_ins, *carry_dots]
    body = rewired(jaxpr, order, range(len(jaxpr.outvars)))
    dots = [a.tangent() for a in chosen(loop.body_jaxpr.in_avals[n:], carry)]
    return with_inputs(loop.cond_jaxpr, dots), captured, body, [*consts, *carry]


def _condition_first(jaxpr: Jaxpr, n: int) -> Jaxpr:
    """A jaxpr of captured values, a condition and other inputs with the condition, its input ``n``, first."""
    inputs = list(jaxpr.invars)
    return jaxpr.replace(invars=[inputs[n], *inputs[:n], *inputs[n + 1 :]], debug=None)


def _bind_masked(
    loop: WhileLoop, cond_consts: list[Any], body_consts: list[Any], carry: list[Any], guarded: bool = False
) -> list[Any]:
    """A loop whose predicate is a vector: runs until no entry holds, keeping examples that are done
    as they are. The predicate is carried along, so that it is computed once per step. The body is
    given it as its first input if ``guarded``.
    """
    c, b, n = len(cond_consts), len(body_consts), len(carry)
    (pred,) = eval_jaxpr(loop.cond_jaxpr, (), *cond_consts, *carry)
    pred_aval, carry_avals = pred.aval, list(loop.body_jaxpr.out_avals)

    def make() -> tuple[Jaxpr, Jaxpr]:
        def body(*args: Any) -> list[Any]:
            for_cond, for_body, (running,), old = split_list(args, c, b, 1)
            given = [running] if guarded else []
            new = eval_jaxpr(loop.body_jaxpr, (), *given, *for_body, *old)
            kept = [_where(running, x, y) for x, y in zip(new, old, strict=True)]
            return [*eval_jaxpr(loop.cond_jaxpr, (), *for_cond, *kept), *kept]

        avals = [pred_aval, *carry_avals]
        own = loop.body_jaxpr.in_avals[1:] if guarded else loop.body_jaxpr.in_avals
        consts = [*loop.cond_jaxpr.in_avals[:c], *own[:b]]
        debug = DebugInfo("while", (), "vmap")
        return trace_flat(_any_runs, avals, debug), trace_flat(body, [*consts, *avals], debug)

    cond, body = loop.derived(("masked", pred_aval, guarded), make)
    captured, body = closed(body)
    masked = loop._replace(cond_jaxpr=cond, body_jaxpr=body, masked=True)
    outs = bind(masked, [], [*captured, *cond_consts, *body_consts], [pred, *carry])
    return outs[-n:] if n else []


def _any_runs(mask: Any, *_: Any) -> list[Any]:
    """The predicate of a masked loop."""
    return [reduce_or(mask, tuple(range(mask.aval.ndim)))]


def _where(mask: Any, x: Any, y: Any) -> Any:
    """``x`` for the examples that ``mask`` holds for, ``y`` for the others."""
    return select(broadcast_in_dim(mask, x.aval.shape, (0,)), x, y)


def _as_scan(loop: WhileLoop) -> Loop:
    """A scan of ``max_steps`` steps that do nothing once the predicate fails."""
    m, n = loop.cond_nconsts, loop.body_nconsts
    carry_avals = loop.body_jaxpr.in_avals[n:]
    stay = trace_flat(
        lambda *args: args[n:], loop.body_jaxpr.in_avals, DebugInfo("stay", (), "lax.while_loop")
    )

    def step(*args: Any) -> list[Any]:
        cond_consts, body_consts, carry = loop.operands(args)
        (pred,) = eval_jaxpr(loop.cond_jaxpr, (), *cond_consts, *carry)
        index = convert_element_type(pred, "int32")
        return cond_p.bind(index, *body_consts, *carry, branches=(stay, loop.body_jaxpr))

    avals = [*loop.cond_jaxpr.in_avals[:m], *loop.body_jaxpr.in_avals[:n], *carry_avals]
    body = trace_flat(step, avals, DebugInfo("step", (), "lax.while_loop"))
    return Loop(body, loop.max_steps, m + n, len(carry_avals), False, 1)
