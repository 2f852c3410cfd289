"""Loop unrolling of scans: several steps in one iteration, which is what ``unroll=`` asks for.

May import ``core`` and ``ops``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

from fungrad.core.context import state
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.jaxpr_parts import chosen, memoised, split_list
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.ops.foundation import reshape
from fungrad.ops.joining import concatenate, stack
from fungrad.ops.shape import slice_in_dim

T = TypeVar("T")


class Loop(NamedTuple):
    """The parameters of a scan, and how its operands and results are grouped.

    Attributes:
      jaxpr: the body, without constants, from ``(*consts, *carry, *slices)`` to ``(*carry, *slices)``.
      length: number of steps.
      num_consts, num_carry: how many operands are consts, and carries.
      reverse: whether the last slice comes first.
      unroll: how many steps the compiler puts into one iteration.
    """

    jaxpr: Jaxpr
    length: int
    num_consts: int
    num_carry: int
    reverse: bool
    unroll: int

    @property
    def num_ys(self) -> int:
        """Number of stacked results."""
        return len(self.jaxpr.outvars) - self.num_carry

    def operands(self, args: Sequence[T]) -> list[list[T]]:
        """``args`` as consts, carry and xs."""
        return split_list(args, self.num_consts, self.num_carry)

    def results(self, outs: Sequence[T]) -> list[list[T]]:
        """``outs`` as carry and ys."""
        return split_list(outs, self.num_carry)

    def chosen(self, args: Sequence[T], flags: Sequence[bool]) -> list[list[T]]:
        """The flagged ones of ``args``, as consts, carry and xs."""
        return [chosen(xs, f) for xs, f in zip(self.operands(args), self.operands(flags), strict=True)]

    def derived(self, key: Hashable, make: Callable[[], T]) -> T:
        """``make()``, kept with the body for this loop."""
        return memoised(self.jaxpr, ("scan", self[1:], key, state.axis_env), make)


Bind = Callable[[Loop, Sequence[Any], Sequence[Any], Sequence[Any]], list[Any]]


def at(x: Any, i: int) -> Any:
    """Element ``i`` along the leading dimension."""
    return reshape(slice_in_dim(x, i, i + 1), x.aval.shape[1:])


def unrolling(bind: Bind) -> Bind:
    """A function like ``bind``, which applies a scan to consts, carry and xs, that unrolls as the scan asks for."""

    def run(loop: Loop, consts: Sequence[Any], carry: Sequence[Any], xs: Sequence[Any]) -> list[Any]:
        loop = loop._replace(num_consts=len(consts), num_carry=len(carry))
        steps = min(loop.unroll, loop.length)
        if steps < 2:
            return bind(loop, consts, carry, xs)
        return _unrolled(loop, steps, consts, carry, xs, bind)

    return run


def _unrolled(
    loop: Loop, steps: int, consts: Sequence[Any], carry: Sequence[Any], xs: Sequence[Any], bind: Bind
) -> list[Any]:
    """A scan over groups of steps, and then the steps that are left."""
    count, rest = divmod(loop.length, steps)
    # What is left is what comes last: the beginning of the arrays if they are scanned from the end.
    first, last = (rest, 0) if loop.reverse else (0, count * steps)
    n = loop.num_carry
    if count == 1:
        outs = _steps(loop, steps, [*consts, *carry, *[slice_in_dim(x, first, first + steps) for x in xs]])
        carry, ys = outs[:n], outs[n:]
    else:
        groups = [_regrouped(slice_in_dim(x, first, first + count * steps), count, steps) for x in xs]
        outs = bind(loop._replace(jaxpr=_group(loop, steps), length=count, unroll=1), consts, carry, groups)
        carry, ys = outs[:n], [_flattened(y) for y in outs[n:]]
    if not rest:
        return [*carry, *ys]
    more = _steps(loop, rest, [*consts, *carry, *[slice_in_dim(x, last, last + rest) for x in xs]])
    pairs = zip(more[n:], ys, strict=True)
    joined = [concatenate([a, b] if loop.reverse else [b, a], 0) for a, b in pairs]
    return [*more[:n], *joined]


def _group(loop: Loop, steps: int) -> Jaxpr:
    """The body of several steps."""
    consts, carry, slices = loop.operands([v.aval for v in loop.jaxpr.invars])
    avals = [*consts, *carry, *[a.update(shape=(steps, *a.shape)) for a in slices]]
    return trace_flat(lambda *args: _steps(loop, steps, args), avals, DebugInfo("steps", (), "lax.scan"))


def _steps(loop: Loop, steps: int, args: Sequence[Any]) -> list[Any]:
    """Carry and stacked results after some steps, one written after the other."""
    consts, carry, xs = loop.operands(list(args))
    rows: list[Any] = [None] * steps
    for i in range(steps)[:: -1 if loop.reverse else 1]:
        outs = eval_jaxpr(loop.jaxpr, (), *consts, *carry, *[at(x, i) for x in xs])
        carry, rows[i] = loop.results(outs)
    return [*carry, *[stack(column) for column in zip(*rows, strict=True)]]


def _regrouped(x: Any, count: int, steps: int) -> Any:
    return reshape(x, (count, steps, *x.aval.shape[1:]))


def _flattened(y: Any) -> Any:
    shape = y.aval.shape
    return reshape(y, (shape[0] * shape[1], *shape[2:]))
