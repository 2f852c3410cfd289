"""``custom_linear_solve`` and ``custom_root``: solvers whose derivatives come from the equation they solve.

May import ``core``, ``ops``, ``transforms`` and ``control.linear_solve_primitive``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from fungrad.control._base import Traced, check_callables, flat_operands, trace_function
from fungrad.control.linear_solve_primitive import LinearSolve, custom_linear_solve_p
from fungrad.core import tree
from fungrad.core.avals import ShapedArray, Zero, same_type
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.jaxpr_parts import split_list
from fungrad.core.source import api_boundary
from fungrad.core.treedef import PyTreeDef, differences, open_treedef
from fungrad.ops.elementwise import neg
from fungrad.transforms.api import jvp, linear_transpose, linearize, visible
from fungrad.transforms.custom_rules import custom_jvp

Function = Callable[..., Any]


@api_boundary
def custom_linear_solve(
    matvec: Function,
    b: Any,
    solve: Function,
    transpose_solve: Function | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """Solves a linear equation by a given method, with derivatives of the equation, not of the method.

    With ``A x = b`` the tangent of ``x`` is ``A^-1 (db - dA x)`` and the cotangent of ``b`` is
    ``A^-T`` of that of ``x``: one more solve each, whatever the method is. It may be a
    ``while_loop``, which has no reverse mode of its own, or a ``pure_callback``.

    Args:
      matvec: the linear operator ``x -> A x``, from a tree like ``b`` to a tree like ``b``; what it
        closes over can be differentiated.
      b: right-hand side, a tree of arrays.
      solve: ``solve(matvec, b)`` returns ``x``, a tree like ``b``, with ``matvec(x) == b``; not
        checked.
      transpose_solve: the same for the transposed operator, ``transpose_solve(vecmat, b)``; needed
        for reverse mode only.
      symmetric: whether the operator equals its transpose; then ``solve`` serves for both.
      has_aux: whether the solvers return a pair ``(x, aux)``; ``aux`` has no derivative.

    Returns:
      ``solve(matvec, b)``.

    Raises:
      TypeError: a function returns something else than a tree like ``b``; names what differs. Reverse
        mode without ``transpose_solve``.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> def halve(diagonal, b):  # a solver: Jacobi's method for a diagonal matrix
      ...   return lax.custom_linear_solve(
      ...     lambda x: diagonal * x, b, lambda _, b: b / diagonal, symmetric=True)
      >>> fungrad.grad(lambda d: halve(d, jnp.array([6.0])).sum())(jnp.array([2.0]))
      Array([-1.5], dtype=float32)
    """
    api = "lax.custom_linear_solve"
    check_callables(api, matvec=matvec, solve=solve)
    if transpose_solve is None and symmetric:
        transpose_solve = solve
    if transpose_solve is not None:
        check_callables(api, transpose_solve=transpose_solve)
    leaves, structure = flat_operands(b, api, "b")
    avals = [x.aval for x in leaves]
    like_b = Like(api, "b", structure, avals)

    operator = trace_function(matvec, (b,), avals, api)
    like_b.check("matvec", operator)
    solver = trace_function(functools.partial(solve, matvec), (b,), avals, api)
    like_b.check("solve", solver, has_aux)
    parts: list[Traced | None] = [operator, None, solver, None]
    if transpose_solve is not None:
        vecmat = matvec if symmetric else _transposed(matvec, b)
        parts[1] = operator if symmetric else trace_function(vecmat, (b,), avals, api)
        reverse = trace_function(functools.partial(transpose_solve, vecmat), (b,), avals, api)
        like_b.check("transpose_solve", reverse, has_aux)
        parts[3] = reverse

    problem = LinearSolve.of(
        [None if p is None else p.jaxpr for p in parts],
        [0 if p is None else len(p.consts) for p in parts],
    )
    consts = [c for p in parts if p is not None for c in p.consts]
    outs = custom_linear_solve_p.bind(*consts, *leaves, **problem._asdict())
    return tree.unflatten(solver.out_tree, outs)


def _transposed(matvec: Function, b: Any) -> Function:
    """The transpose of a linear operator on trees like ``b``."""
    return lambda y: linear_transpose(matvec, b)(y)[0]


@api_boundary
def custom_root(
    f: Function, initial_guess: Any, solve: Function, tangent_solve: Function, has_aux: bool = False
) -> Any:
    """Finds a root by a given method, with the derivative of the implicit function.

    The solution of ``f(x) = 0`` depends on what ``f`` closes over. Its tangent solves the equation
    linearized at the root, ``J dx = -df``, so the method need not be differentiable.

    Args:
      f: function of one argument that returns a tree like its argument.
      initial_guess: where the method starts; the solution does not depend on it.
      solve: ``solve(f, initial_guess)`` returns ``x``, a tree like ``initial_guess``, with
        ``f(x) == 0``; not checked.
      tangent_solve: ``tangent_solve(g, y)`` returns ``x`` with ``g(x) == y`` for the linear function
        ``g``; for numbers ``lambda g, y: y / g(1.0)``, for vectors a linear solve with the Jacobian
        of ``g``. Reverse mode transposes it.
      has_aux: whether ``solve`` returns a pair ``(x, aux)``; ``aux`` has no derivative.

    Returns:
      ``solve(f, initial_guess)``.

    Raises:
      TypeError: a function returns something else than a tree like ``initial_guess``; names what
        differs.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> def newton(f, x):
      ...   return lax.fori_loop(0, 20, lambda _, x: x - f(x) / fungrad.grad(f)(x), x)
      >>> def square_root(a):
      ...   return lax.custom_root(lambda x: x * x - a, 1.0, newton, lambda g, y: y / g(1.0))
      >>> print(square_root(4.0), fungrad.grad(square_root)(4.0))
      2.0 0.25
    """
    api = "lax.custom_root"
    check_callables(api, f=f, solve=solve, tangent_solve=tangent_solve)
    leaves, structure = flat_operands(initial_guess, api, "initial_guess")
    avals = [x.aval for x in leaves]
    like_guess = Like(api, "initial_guess", structure, avals)

    function = trace_function(f, (initial_guess,), avals, api)
    like_guess.check("f", function)
    solver = trace_function(functools.partial(solve, f), (initial_guess,), avals, api)
    like_guess.check("solve", solver, has_aux)

    def linearize_and_solve(x: Any, y: Any) -> Any:
        return tangent_solve(linearize(f, x)[1], y)

    linear = trace_function(linearize_and_solve, (initial_guess, initial_guess), [*avals, *avals], api)
    like_guess.check("tangent_solve", linear)

    problem = _Root(function.jaxpr, solver.jaxpr, linear.jaxpr, len(leaves))
    captured = (function.consts, solver.consts, linear.consts)
    return tree.unflatten(solver.out_tree, _root(problem, captured, leaves))


class _Root:
    """The functions of a root-finding problem as jaxprs, and the number of unknown arrays."""

    def __init__(self, function: Jaxpr, solve: Jaxpr, tangent_solve: Jaxpr, size: int):
        self.function, self.solve, self.tangent_solve = function, solve, tangent_solve
        self.size = size


@functools.partial(custom_jvp, nondiff_argnums=(0,))
def _root(problem: _Root, captured: tuple, guess: Sequence[Any]) -> list[Any]:
    return eval_jaxpr(problem.solve, (), *captured[1], *guess)


@_root.defjvp
def _root_jvp(problem: _Root, primals: tuple, tangents: tuple) -> tuple[list[Any], list[Any]]:
    captured, _ = primals
    outs = _root(problem, *primals)
    x, aux = split_list(outs, problem.size)

    def at_root(*consts: Any) -> list[Any]:
        return eval_jaxpr(problem.function, (), *consts, *x)

    _, moved = jvp(at_root, tuple(captured[0]), tuple(tangents[0][0]))
    dots = eval_jaxpr(problem.tangent_solve, (), *captured[2], *x, *moved)
    return outs, [*map(neg, dots), *[_no_tangent(a) for a in aux]]


def _no_tangent(x: Any) -> Any:
    """The zero tangent of an auxiliary result."""
    return visible(Zero(x.aval.tangent()), x.aval)


class Like:
    """What the result of each function must look like."""

    def __init__(self, api: str, name: str, structure: PyTreeDef, avals: Sequence[ShapedArray]):
        self.api, self.name, self.structure, self.avals = api, name, structure, avals

    def check(self, role: str, function: Traced, has_aux: bool = False) -> None:
        """Raises TypeError unless a traced function returns a tree of the structure and types wanted."""
        found, avals = function.out_tree, function.out_avals
        if has_aux:
            children = found.children()
            if len(children) != 2 or not issubclass(found.type or object, (tuple, list)):
                raise TypeError(
                    f"fungrad.{self.api}: {role} must return a pair (solution, aux) as has_aux is "
                    f"set, got a result of structure {found}"
                )
            found, avals = children[0], avals[: children[0].num_leaves]
        lines = list(self._differences(found, avals))
        if lines:
            detail = "\n  ".join(lines)
            raise TypeError(
                f"fungrad.{self.api}: {role} ({function.debug.fun_name}) must return a "
                f"tree like {self.name}, but they differ:\n  {detail}"
            )

    def _differences(self, found: PyTreeDef, avals: Sequence[ShapedArray]) -> Any:
        if found != self.structure:
            reasons = differences(self.structure, found, open_treedef, open_treedef, prefix=False)
            for path, wanted, got, reason in reasons:
                yield f"{self.name}{tree.keystr(path)} is {wanted}, the result has {got} ({reason})"
            return
        paths = tree.leaf_paths(tree.unflatten(self.structure, list(avals)))
        for where, expected, aval in zip(paths, self.avals, avals, strict=True):
            if not same_type(expected, aval):
                yield (f"{self.name}{where} has type {expected.str_short()}, the result {aval.str_short()}")
