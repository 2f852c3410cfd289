"""The primitive ``custom_linear_solve``: the solution of a linear equation, known by how to compute it.

Its operands are what four functions capture (the operator, its transpose, the solver, the solver of
the transposed equation) and the right-hand side; its results are the solution, then whatever else
the solver returns. Derivatives do not look into the solver: with ``A x = b``, the tangent of ``x``
solves ``A dx = db - dA x``, and the cotangent of ``b`` solves the transposed equation.

May import ``core``, ``ops``, ``transforms`` and ``jit``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from fungrad.control._base import HigherOrderPrimitive, fixpoint
from fungrad.core.avals import ShapedArray, Zero, same_type
from fungrad.core.context import AxisData
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.jaxpr_parts import closed, split_list
from fungrad.core.primitive import is_linear
from fungrad.jit.front.call import jit_p
from fungrad.jit.passes import run_passes
from fungrad.ops.elementwise import neg
from fungrad.ops.foundation import add_any, batch_to, instantiate
from fungrad.transforms.batching import batch_jaxpr
from fungrad.transforms.runtime_checks import Errors, check_jaxpr

T = TypeVar("T")


class LinearSolve(NamedTuple):
    """The parameters of a linear solve, and how its operands are grouped.

    Attributes:
      matvec: the operator, from ``(*consts, *x)`` to values of the types of ``b``.
      vecmat: its transpose; None if the transposed equation cannot be solved.
      solve: from ``(*consts, *b)`` to the solution and further results.
      transpose_solve: the same for the transposed equation, or None.
      const_lengths: how many operands each of them captures.
    """

    matvec: Jaxpr
    vecmat: Jaxpr | None
    solve: Jaxpr
    transpose_solve: Jaxpr | None
    const_lengths: tuple[int, int, int, int]

    @staticmethod
    def of(jaxprs: Sequence[Jaxpr | None], lengths: Sequence[int]) -> LinearSolve:
        """The parameters from the functions in the order of the fields, and what they capture."""
        matvec, vecmat, solve, transpose_solve = jaxprs
        assert matvec is not None and solve is not None
        a, b, c, d = lengths
        return LinearSolve(matvec, vecmat, solve, transpose_solve, (a, b, c, d))

    def operands(self, args: Sequence[T]) -> tuple[list[list[T]], list[T]]:
        """What each function captures, and the right-hand side."""
        *consts, b = split_list(args, *self.const_lengths)
        return consts, b

    @property
    def num_leaves(self) -> int:
        """Number of arrays of the right-hand side, and of the solution."""
        return len(self.matvec.outvars)

    def transposed(self) -> LinearSolve:
        """The solve of the transposed equation."""
        matvec, vecmat, solve, transpose_solve = self.const_lengths
        return LinearSolve(
            self.vecmat,  # type: ignore[arg-type]
            self.matvec,
            self.transpose_solve,  # type: ignore[arg-type]
            self.solve,
            (vecmat, matvec, transpose_solve, solve),
        )


class CustomLinearSolve(HigherOrderPrimitive):
    """The solution that ``solve`` computes, with the derivatives of the linear equation."""

    def abstract_eval(self, *avals: ShapedArray, **params: Any) -> Sequence[ShapedArray]:
        problem = LinearSolve(**params)
        consts, b = problem.operands(avals)
        wanted, given = problem.solve.in_avals, [*consts[2], *b]
        if len(wanted) != len(given) or not all(map(same_type, wanted, given)):
            expected, got = (", ".join(a.str_short() for a in group) for group in (wanted, given))
            raise TypeError(f"custom_linear_solve: expected operands of types ({expected}), got ({got})")
        return problem.solve.out_avals

    def interpret(self, *args: Any, **params: Any) -> list[Any]:
        problem = LinearSolve(**params)
        consts, b = problem.operands(args)
        return eval_jaxpr(problem.solve, (), *consts[2], *b)

    def lower(self, ctx: Any, *args: Any, **params: Any) -> Any:
        problem = LinearSolve(**params)
        consts, b = problem.operands(args)
        return ctx.inline(run_passes(problem.solve), [*consts[2], *b])

    def checked(self, errors: Errors, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        """The error of the solver is one of its auxiliary results; only the solution itself is checked."""
        problem = LinearSolve(**params)
        solver = check_jaxpr(problem.solve, errors.kinds)
        if solver is None:
            return self.bind(*args, **params)
        consts, b = problem.operands(args)
        captured, solve = closed(solver.jaxpr)
        consts[2] = [*captured, *consts[2]]
        functions = (problem.matvec, problem.vecmat, solve, problem.transpose_solve)
        new = LinearSolve.of(functions, list(map(len, consts)))
        outs = self.bind(*[c for group in consts for c in group], *b, **new._asdict())
        return solver.split(outs, errors)

    # -- derivatives ---------------------------------------------------------------------------

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self._derivative(jit_p.jvp, primals, tangents, params)

    def linearize(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self._derivative(jit_p.linearize, primals, tangents, params)

    def _derivative(
        self, rule: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]
    ) -> tuple[list[Any], list[Any]]:
        """The solution and its tangent; ``rule`` differentiates the operator in what it captures."""
        problem = LinearSolve(**params)
        outs = self.bind(*primals, **params)
        consts, _ = problem.operands(primals)
        const_dots, rhs = problem.operands(tangents)
        n = problem.num_leaves
        if any(type(t) is not Zero for t in const_dots[0]):
            x = outs[:n]
            operands = [*consts[0], *x]
            dots = [*const_dots[0], *[Zero(v.aval.tangent()) for v in x]]
            _, moved = rule(operands, dots, jaxpr=problem.matvec, name="matvec")
            rhs = [_difference(db, dax) for db, dax in zip(rhs, moved, strict=True)]
        if all(type(t) is Zero for t in rhs):
            return outs, [Zero(x.aval.tangent()) for x in outs]
        captured = [c for group in consts for c in group]
        out_dots = self.bind(*captured, *map(instantiate, rhs), **params)
        return outs, [*out_dots[:n], *[Zero(x.aval.tangent()) for x in outs[n:]]]

    def transpose(self, cts: Sequence[Any], *args: Any, **params: Any) -> Sequence[Any]:
        problem = LinearSolve(**params)
        if problem.transpose_solve is None:
            raise TypeError(
                "fungrad.lax.custom_linear_solve: reverse-mode differentiation needs "
                "transpose_solve, a solver of the transposed equation; pass one, or "
                "symmetric=True if the operator equals its transpose"
            )
        consts, b = problem.operands(args)
        n = problem.num_leaves
        if any(type(ct) is not Zero for ct in cts[n:]):
            raise NotImplementedError(
                "fungrad.lax.custom_linear_solve: auxiliary results of the solver have no derivative; wrap them in "
                "fungrad.lax.stop_gradient"
            )
        flipped = problem.transposed()
        captured = [consts[1], consts[0], consts[3], consts[2]]
        outs = self.bind(
            *[c for group in captured for c in group],
            *map(instantiate, cts[:n]),
            **flipped._asdict(),
        )
        found = [ct if is_linear(x) else None for ct, x in zip(outs, b, strict=False)]
        return [*[None] * sum(problem.const_lengths), *found]

    # -- batching ------------------------------------------------------------------------------

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple[Any, Any]:
        problem = LinearSolve(**params)
        consts, b = problem.operands(args)
        const_dims, b_dims = problem.operands(dims)
        n = problem.num_leaves

        def batched(i: int, flags: Sequence[bool]) -> tuple[Jaxpr | None, list[int | None]]:
            """Function ``i`` where the vectors are batched as ``flags`` say, and so are its results."""
            jaxpr = params[LinearSolve._fields[i]]
            if jaxpr is None:
                return None, [None] * n
            extra = len(jaxpr.outvars) - n
            inner = [*const_dims[i], *[0 if on else None for on in flags]]
            return batch_jaxpr(jaxpr, axis, inner, [*flags, *[True] * extra])

        def step(flags: list[bool]) -> list[bool]:
            found = [batched(i, flags)[1][:n] for i in range(4)]
            return [any(d is not None for d in column) for column in zip(*found, strict=True)]

        # Right-hand side and solution are vectors of two spaces between which the functions go
        # back and forth: what is batched in one is batched in the other.
        flags = fixpoint([d is not None for d in b_dims], step)
        jaxprs: list[Jaxpr | None] = []
        operands: list[list[Any]] = []
        out_dims: list[int | None] = []
        for i, own in enumerate(consts):
            jaxpr, found = batched(i, flags)
            if i == 2:
                out_dims = found
            captured, jaxpr = closed(jaxpr) if jaxpr is not None else ([], None)
            jaxprs.append(jaxpr)
            operands.append([*captured, *own])
        b = [batch_to(x, d, 0, axis) if on else x for x, d, on in zip(b, b_dims, flags, strict=True)]
        new = LinearSolve.of(jaxprs, list(map(len, operands)))
        outs = self.bind(*[c for group in operands for c in group], *b, **new._asdict())
        return outs, out_dims


custom_linear_solve_p = CustomLinearSolve("custom_linear_solve")


def _difference(x: Any, y: Any) -> Any:
    """``x - y`` for tangents that may be symbolic zeros."""
    if type(y) is Zero:
        return x
    return neg(y) if type(x) is Zero else add_any(x, neg(y))
