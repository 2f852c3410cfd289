"""Bodies of loops and branches whose run-time checks have become values.

A functionalised loop carries an error beside its own carry: the code and the values of the first
check that failed, with the number of the iteration. A while loop ends at the first failure. Branches
return the errors of all of them, zeros for those that did not run.

Everything here takes and returns jaxprs; nothing runs.

May import ``core``, ``ops``, ``transforms`` and the modules of parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.control.scan_bodies import Loop
from fungrad.core.avals import ShapedArray
from fungrad.core.context import state
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.jaxpr_parts import closed, memoised, split_list
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import eq, ne, select
from fungrad.ops.elementwise import add, sub
from fungrad.ops.foundation import zeros
from fungrad.ops.integer import bitwise_and
from fungrad.transforms.runtime_checks import (
    Checked,
    Errors,
    Kinds,
    Numbered,
    Sites,
    check_jaxpr,
    needs_checks,
)

_COUNT = ShapedArray((), np.dtype(np.int32))


class CheckedLoop(NamedTuple):
    """A body that carries an error.

    Attributes:
      captured: constants of the body, its leading operands.
      jaxpr: from ``(*captured, *consts, count, *error, *carry, ...)`` to ``(count, *error, *carry,
        ...)``, with an iteration counter.
      sites: what can fail, seen from outside of the loop.
      avals: types of counter, code and values.
    """

    captured: list[Any]
    jaxpr: Jaxpr
    sites: Sites
    avals: list[ShapedArray]


def checked_scan(loop: Loop, kinds: Kinds) -> CheckedLoop | None:
    """The body of a scan with its errors; None if nothing in it can fail."""
    return loop.derived(("checked", kinds), lambda: _checked_scan(loop, kinds))


def _checked_scan(loop: Loop, kinds: Kinds) -> CheckedLoop | None:
    checked = check_jaxpr(loop.jaxpr, kinds)
    if checked is None:
        return None
    numbered = Numbered.of(checked, "step {} of scan")
    consts, carry, slices = loop.operands(loop.jaxpr.in_avals)
    last = np.int32(loop.length - 1)

    def step(*args: Any) -> list[Any]:
        for_body, (count,), error, rest = split_list(args, len(consts), 1, len(numbered.avals))
        found = Errors(kinds)
        outs = checked.split(eval_jaxpr(checked.jaxpr, checked.jaxpr.consts, *for_body, *rest), found)
        number = sub(last, count) if loop.reverse else count
        error = numbered.updated(error, found.outputs(), number, checked.sites)
        return [add(count, np.int32(1)), *error, *outs]

    avals = [_COUNT, *numbered.avals]
    return _staged(step, [*consts, *avals, *carry, *slices], numbered.sites, avals)


def _staged(fun: Any, in_avals: Sequence[ShapedArray], sites: Sites, avals: list[ShapedArray]) -> CheckedLoop:
    captured, jaxpr = closed(trace_flat(fun, in_avals, DebugInfo("checked", (), "checkify")))
    return CheckedLoop(captured, jaxpr, sites, avals)


def checked_while(
    cond_jaxpr: Jaxpr, body_jaxpr: Jaxpr, sizes: tuple[int, int], kinds: Kinds
) -> tuple[Jaxpr, CheckedLoop] | None:
    """A while loop with its errors; None if nothing in it can fail.

    The body computes the next predicate, so that what fails there is found too.

    Args:
      cond_jaxpr: the predicate.
      body_jaxpr: the body.
      sizes: how many operands predicate and body capture.
      kinds: the errors to be collected.

    Returns:
      The predicate and the body, both of ``(pred, count, *error, *carry)``; the body also of the
      consts of both.
    """
    if not (needs_checks(cond_jaxpr, kinds) or needs_checks(body_jaxpr, kinds)):
        return None
    key = ("checked while", cond_jaxpr, sizes, kinds, state.axis_env)
    return memoised(body_jaxpr, key, lambda: _checked_while(cond_jaxpr, body_jaxpr, sizes, kinds))


def _checked_while(
    cond_jaxpr: Jaxpr, body_jaxpr: Jaxpr, sizes: tuple[int, int], kinds: Kinds
) -> tuple[Jaxpr, CheckedLoop] | None:
    c, b = sizes
    consts = [*cond_jaxpr.in_avals[:c], *body_jaxpr.in_avals[:b]]
    carry = list(body_jaxpr.in_avals[b:])
    (pred_aval,) = cond_jaxpr.out_avals

    def body_and_test(*args: Any) -> list[Any]:
        for_cond, for_body, values = split_list(args, c, b)
        new = eval_jaxpr(body_jaxpr, (), *for_body, *values)
        return [*eval_jaxpr(cond_jaxpr, (), *for_cond, *new), *new]

    debug = DebugInfo("body", (), "checkify")
    checked = check_jaxpr(trace_flat(body_and_test, [*consts, *carry], debug), kinds)
    if checked is None:
        return None
    numbered = Numbered.of(checked, "step {} of while_loop")
    n = len(numbered.avals)

    def go_on(pred: Any, count: Any, code: Any, *_: Any) -> list[Any]:
        return [bitwise_and(pred, eq(code, np.int32(0)))]

    def step(*args: Any) -> list[Any]:
        captured, (_, count), error, values = split_list(args, c + b, 2, n)
        found = Errors(kinds)
        outs = checked.split(eval_jaxpr(checked.jaxpr, checked.jaxpr.consts, *captured, *values), found)
        error = numbered.updated(error, found.outputs(), count, checked.sites)
        return [outs[0], add(count, np.int32(1)), *error, *outs[1:]]

    avals = [pred_aval, _COUNT, *numbered.avals]
    predicate = trace_flat(go_on, [*avals, *carry], DebugInfo("test", (), "checkify"))
    return predicate, _staged(step, [*consts, *avals, *carry], numbered.sites, avals)


class CheckedBranches(NamedTuple):
    """Branches that return errors after their results.

    Attributes:
      branches: as jaxprs that may have constants.
      sites: what can fail in any of them.
    """

    branches: list[Jaxpr]
    sites: Sites


def checked_branches(branches: Sequence[Jaxpr], kinds: Kinds) -> CheckedBranches | None:
    """Branches with their errors; None if nothing in them can fail."""
    found = [check_jaxpr(b, kinds) for b in branches]
    if not any(found):
        return None
    key = ("checked branches", tuple(branches[1:]), kinds, state.axis_env)
    return memoised(branches[0], key, lambda: _checked_branches(branches, found))


def _checked_branches(branches: Sequence[Jaxpr], found: Sequence[Checked | None]) -> CheckedBranches:
    avals = [a.strip_weak_type() for c in found if c is not None for a in c.error_avals[1:]]
    sites = tuple([s for c in found if c is not None for s in c.sites])

    def branch(i: int) -> Jaxpr:
        own, checked = branches[i], found[i]
        before = [c for c in found[:i] if c is not None]
        first = sum(len(c.error_avals) - 1 for c in before)
        offset = np.int32(sum(len(c.sites) for c in before))

        def fun(*args: Any) -> list[Any]:
            payload = [zeros(a) for a in avals]
            if checked is None:
                return [*eval_jaxpr(own, (), *args), np.int32(0), *payload]
            outs = eval_jaxpr(checked.jaxpr, checked.jaxpr.consts, *args)
            code, *values = outs[checked.num_results :]
            for k, x in enumerate(values, first):
                payload[k] = convert_element_type(x, avals[k].dtype)
            zero = np.int32(0)
            code = select(ne(code, zero), add(code, offset), zero)
            return [*outs[: checked.num_results], code, *payload]

        return trace_flat(fun, own.in_avals, DebugInfo("branch", (), "checkify"))

    return CheckedBranches([branch(i) for i in range(len(branches))], sites)
