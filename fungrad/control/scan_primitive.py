"""The primitive ``scan``: a loop that carries values along, reads slices and stacks results.

Its operands are, in this order, values that all steps see (consts), the initial carry, and arrays
whose leading dimension is iterated over (xs); its results are the last carry and the stacked results
(ys). Every rule rewrites the body: derivatives and batches of scans are scans.

May import ``core``, ``ops``, ``transforms`` and ``jit``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.control._base import HigherOrderPrimitive, fixpoint, is_nonzero, pruned, tangents_of
from fungrad.control.checked_bodies import checked_scan
from fungrad.control.scan_bodies import (
    Loop,
    Split,
    jvp_body,
    linear_operands,
    linearized,
    separated,
    transposed_body,
)
from fungrad.control.shields import mapped_outputs, shield, shielded
from fungrad.core.avals import ShapedArray, Zero, same_type
from fungrad.core.context import AxisData
from fungrad.core.ir import Eqn, Jaxpr, eval_jaxpr
from fungrad.core.jaxpr_parts import chosen, closed, split_list, used_inputs
from fungrad.core.lojax import lower_jaxpr, lowered, raised
from fungrad.core.nonfinite import within
from fungrad.core.primitive import is_linear
from fungrad.core.refs import RefsUsedError
from fungrad.jit.passes import scan_motion
from fungrad.jit.passes.scan_unroll import at
from fungrad.ops.foundation import batch_to, instantiate, move_dim, zeros
from fungrad.ops.joining import stack
from fungrad.transforms.batching import batch_jaxpr
from fungrad.transforms.conditional_effects import when_jaxpr
from fungrad.transforms.runtime_checks import Errors
from fungrad.transforms.transposition import transposed_in_place


class Scan(HigherOrderPrimitive):
    """A loop of static length over a body ``(*consts, *carry, *slices) -> (*carry, *slices)``."""

    def abstract_eval(self, *avals: ShapedArray, **params: Any) -> Sequence[ShapedArray]:
        loop = Loop(**params)
        outs = loop.jaxpr.out_avals
        n = loop.num_carry
        if len(avals) != len(loop.jaxpr.invars) or len(outs) < n:
            raise TypeError(f"scan: expected {len(loop.jaxpr.invars)} operands, got {len(avals)}")
        first_x = loop.num_consts + n
        for i, (aval, v) in enumerate(zip(avals, loop.jaxpr.invars, strict=True)):
            wanted = v.aval if i < first_x else _stacked(v.aval, loop.length)
            if not same_type(aval, wanted):
                raise TypeError(
                    f"scan: expected operand {i} of type {wanted.str_short()}, got {aval.str_short()}"
                )
        for i, (v, out) in enumerate(
            zip(loop.jaxpr.invars[loop.num_consts : first_x], outs[:n], strict=True)
        ):
            if not same_type(v.aval, out):
                raise TypeError(
                    f"scan: carry {i} goes in as {v.aval.str_short()} and comes out as {out.str_short()}"
                )
        return [*outs[:n], *[_stacked(a, loop.length) for a in outs[n:]]]

    def interpret(self, *args: Any, **params: Any) -> list[Any]:
        loop = Loop(**params)
        consts, carry, xs = loop.operands(args)
        steps: list[Any] = [None] * loop.length
        for i in range(loop.length)[:: -1 if loop.reverse else 1]:
            slices = [at(x, i) for x in xs]
            with within(f"in step {i} of scan"):
                outs = eval_jaxpr(loop.jaxpr, (), *consts, *carry, *slices)
            carry, steps[i] = loop.results(outs)
        avals = loop.jaxpr.out_avals[loop.num_carry :]
        columns = zip(*steps, strict=True) if steps else [()] * len(avals)
        return [
            *carry,
            *[
                stack(y) if y else zeros(_stacked(a, 0))
                for y, a in zip(columns, avals, strict=True)
            ],
        ]

    def lower(self, ctx: Any, *args: Any, **params: Any) -> Any:
        loop = Loop(**params)
        consts, carry, xs = loop.operands(args)
        return ctx.scan(loop.jaxpr, consts, carry, xs, loop.length, loop.reverse)

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        loop = Loop(**params)
        consts, carry, xs = loop.operands(args)
        const_avals, carry_avals, slice_avals = loop.operands(loop.jaxpr.in_avals)
        captured, low = closed(lower_jaxpr(loop.jaxpr))
        outs = bind(
            loop._replace(jaxpr=low),
            [*captured, *lowered(consts, const_avals)],
            lowered(carry, carry_avals),
            lowered(xs, [_stacked(a, loop.length) for a in slice_avals]),
        )
        y_avals = loop.jaxpr.out_avals[loop.num_carry :]
        return raised(outs, [*carry_avals, *[_stacked(a, loop.length) for a in y_avals]])

    def bind_when(self, condition: Any, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        loop = Loop(**params)
        consts, carry, xs = loop.operands(args)
        captured, body = closed(when_jaxpr(loop.jaxpr))
        return bind(loop._replace(jaxpr=body), [*captured, condition, *consts], carry, xs)

    def bind_shielded(
        self, condition: Any, args: Sequence[Any], mapped: Sequence[bool], params: dict[str, Any]
    ) -> list[Any]:
        """The operation in a branch or step that shields its mapped operands; see ``control.shields``."""
        loop = Loop(**params)
        consts, carry, xs = loop.operands(args)
        const_flags, flags, x_flags = loop.operands(mapped)
        n = loop.num_carry
        flags = fixpoint(flags, lambda f: mapped_outputs(loop.jaxpr, [*const_flags, *f, *x_flags])[:n])
        carry = [shield(condition, x) if on else x for x, on in zip(carry, flags, strict=True)]
        captured, body = closed(shielded(loop.jaxpr, [*const_flags, *flags, *x_flags]))
        return bind(loop._replace(jaxpr=body), [*captured, condition, *consts], carry, xs)

    def checked(self, errors: Errors, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        loop = Loop(**params)
        found = checked_scan(loop, errors.kinds)
        if found is None:
            return self.bind(*args, **params)
        consts, carry, xs = loop.operands(args)
        error = [zeros(a) for a in found.avals]
        outs = bind(
            loop._replace(jaxpr=found.jaxpr), [*found.captured, *consts], [*error, *carry], xs
        )
        errors.merge(outs[1], found.sites, outs[2 : len(error)])
        return outs[len(error) :]

    # -- derivatives -------------------------------------------------------------------------------------------------

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        loop = Loop(**params)
        given = tuple(is_nonzero(tangents))
        captured, jaxpr, nonzero, out_nonzero = loop.derived(
            ("jvp", given), lambda: jvp_body(loop, given)
        )
        consts, carry, xs = loop.operands(primals)
        dots = [[*map(instantiate, ts)] for ts in loop.chosen(tangents, nonzero)]
        outs = bind(
            loop._replace(jaxpr=jaxpr),
            [*captured, *consts, *dots[0]],
            [*carry, *dots[1]],
            [*xs, *dots[2]],
        )
        carry, carry_dots, ys, y_dots = split_list(outs, loop.num_carry, len(dots[1]), loop.num_ys)
        return [*carry, *ys], tangents_of([*carry_dots, *y_dots], out_nonzero, [*carry, *ys])

    def linearize(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        loop = Loop(**params)
        given = tuple(is_nonzero(tangents))
        split, nonzero, out_nonzero = loop.derived(
            ("linearize", given), lambda: linearized(loop, given)
        )
        outs, residuals = _run_forward(split, *loop.operands(primals))
        if not any(out_nonzero):
            return outs, tangents_of([], out_nonzero, outs)
        dots = [[*map(instantiate, ts)] for ts in loop.chosen(tangents, nonzero)]
        out_dots = bind(split.linear, *_linear_scan_operands(split, residuals, dots))
        return outs, tangents_of(out_dots, out_nonzero, outs)

    def transpose(self, cts: Sequence[Any], *args: Any, **params: Any) -> Sequence[Any]:
        loop = Loop(**params)
        linear = tuple(map(is_linear, args))
        depends = loop.derived(("linear", linear), lambda: linear_operands(loop, linear))
        if not all(loop.operands(depends)[1]):
            return _transpose_apart(loop, cts, args, linear, tuple(depends))
        ct_given = tuple(is_nonzero(cts))
        try:
            captured, jaxpr, nonzero = loop.derived(
                ("transpose", tuple(depends), ct_given),
                lambda: transposed_body(loop, depends, ct_given),
            )
        except RefsUsedError:
            return transposed_in_place(lambda *xs: self.interpret(*xs, **params), args, cts, "transpose(scan)")
        consts, _, xs = loop.operands(args)
        const_nonzero, carry_nonzero, _ = loop.operands(nonzero)
        ct_carry, ct_ys = loop.results(cts)
        outs = bind(
            loop._replace(jaxpr=jaxpr, reverse=not loop.reverse),
            [*captured, *[x for x in consts if not is_linear(x)]],
            [
                *[zeros(x.aval.tangent()) for x in chosen(consts, const_nonzero)],
                *[instantiate(ct) for ct in chosen(ct_carry, carry_nonzero)],
            ],
            [*[x for x in xs if not is_linear(x)], *[ct for ct in ct_ys if type(ct) is not Zero]],
        )
        given = iter(outs)
        found = [next(given) if nz else None for nz in nonzero]
        return [ct if on else None for ct, on in zip(found, linear, strict=True)]

    # -- batching ----------------------------------------------------------------------------------------------------

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        loop = Loop(**params)
        consts, carry, xs = loop.operands(args)
        const_dims, carry_dims, x_dims = loop.operands(dims)
        if any(x.aval.is_high and d is not None for x, d in zip(args, dims, strict=True)):
            raise NotImplementedError(
                "fungrad.vmap: scan cannot be mapped over values of users' own types; map a function inside of it, or "
                "scan over their parts"
            )
        # The leading dimension of xs is the loop's.
        xs = [move_dim(x, 0, 1) if d == 0 else x for x, d in zip(xs, x_dims, strict=True)]
        x_dims = [None if d is None else max(d - 1, 0) for d in x_dims]

        def body(carry_mapped: Sequence[bool]) -> tuple[Jaxpr, list[int | None]]:
            inner = [*const_dims, *[0 if m else None for m in carry_mapped], *x_dims]
            return batch_jaxpr(loop.jaxpr, axis, inner, [*carry_mapped, *[False] * loop.num_ys])

        mapped = fixpoint(
            [d is not None for d in carry_dims],
            lambda flags: [d is not None for d in body(flags)[1][: loop.num_carry]],
        )
        jaxpr, out_dims = body(mapped)
        captured, batched = closed(jaxpr)
        carry = [
            batch_to(x, d, 0, axis) if m else x
            for x, d, m in zip(carry, carry_dims, mapped, strict=True)
        ]
        outs = bind(loop._replace(jaxpr=batched), [*captured, *consts], carry, xs)
        n = loop.num_carry
        return outs, [*out_dims[:n], *[None if d is None else d + 1 for d in out_dims[n:]]]

    # -- code motion -------------------------------------------------------------------------------------------------

    def moved(self, eqn: Eqn) -> Jaxpr | None:
        """The scan with less work in its loop; see ``scan_motion``."""
        loop = Loop(**eqn.params)
        return loop.derived("moved", lambda: scan_motion.moved(loop, bind))

    # -- dead code ---------------------------------------------------------------------------------------------------

    def dce(self, eqn: Eqn, used: Sequence[bool]) -> Eqn:
        """Without the results that nobody uses, the carries that only they need, and operands that nothing reads."""
        loop = Loop(**eqn.params)
        c, n = loop.num_consts, loop.num_carry
        carry_used, ys_used = loop.results(used)

        def step(flags: list[bool]) -> list[bool]:
            return used_inputs(pruned(loop.jaxpr, [*flags, *ys_used]))[c : c + n]

        carry_used = fixpoint(carry_used, step)
        jaxpr = pruned(loop.jaxpr, [*carry_used, *ys_used])
        read = used_inputs(jaxpr)
        kept = [*read[:c], *carry_used, *read[c + n :]]
        if all(kept) and all(carry_used) and all(ys_used):
            return eqn
        new = loop._replace(
            jaxpr=jaxpr.replace(invars=chosen(jaxpr.invars, kept), debug=None),
            num_consts=sum(kept[:c]),
            num_carry=sum(carry_used),
        )
        outvars = chosen(eqn.outvars, [*carry_used, *ys_used])
        return eqn.replace(invars=chosen(eqn.invars, kept), outvars=outvars, params=new._asdict())


scan_p = Scan("scan")


def _stacked(aval: ShapedArray, length: int) -> ShapedArray:
    return aval.inc_rank(length, aval.leading_axis_spec())


def bind(loop: Loop, consts: Sequence[Any], carry: Sequence[Any], xs: Sequence[Any]) -> list[Any]:
    """Applies the primitive to its groups of operands, whose sizes need not be those of ``loop``."""
    loop = loop._replace(num_consts=len(consts), num_carry=len(carry))
    return scan_p.bind(*consts, *carry, *xs, **loop._asdict())


Residuals = tuple[list[Any], list[Any]]


def _run_forward(
    split: Split, consts: Sequence[Any], carry: Sequence[Any], xs: Sequence[Any]
) -> tuple[list[Any], Residuals]:
    """The results of the forward scan, and the residuals: those that all steps share, and those that are scanned."""
    consts = [*split.forward_consts, *consts]
    outs = bind(split.forward, consts, carry, xs)
    n = len(carry)
    arrays = {"xs": xs, "ys": outs[n : n + split.n_ys], "stacked": outs[n + split.n_ys :]}
    shared = eval_jaxpr(split.shared, (), *consts, *carry)
    return outs[: n + split.n_ys], (shared, [arrays[name][i] for name, i in split.sources])


def _linear_scan_operands(
    split: Split, residuals: Residuals, dots: Sequence[Sequence[Any]]
) -> tuple:
    """Consts, carry and xs of the linear scan."""
    shared, scanned = residuals
    return [*split.linear_consts, *shared, *dots[0]], list(dots[1]), [*scanned, *dots[2]]


def _transpose_apart(
    loop: Loop, cts: Sequence[Any], args: Sequence[Any], linear: Sequence[bool], depends: tuple[bool, ...]
) -> list[Any]:
    """Transposes a scan in which some carries, such as a counter, do not depend on linear operands.

    Those go forward in a scan of their own, which leaves a scan with linear carries only.
    """
    split, out_linear = loop.derived(("separated", depends), lambda: separated(loop, depends))
    _, residuals = _run_forward(split, *loop.chosen(args, [not d for d in depends]))
    consts, carry, xs = _linear_scan_operands(split, residuals, loop.chosen(args, depends))
    operands = [*consts, *carry, *xs]
    results = scan_p.transpose(chosen(cts, out_linear), *operands, **split.linear._asdict())
    found = iter([r for r, x in zip(results, operands, strict=True) if is_linear(x)])
    return [next(found) if on else None for on in linear]
