"""Pass ``lazy``: code sinking into branches (the reverse of if-conversion). Sides of a choice that are computed only
where they are needed.

Under `vmap` a `cond` becomes a choice between the results of both branches. Where a side is expensive and nothing else
reads what leads to it, it is put into a branch: a vector of examples skips it if none of them takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import work_of
from fungrad.jit.ir.loops import Const, If, Let, Loop, Program, Set, Var
from fungrad.jit.ir.ops import types_of
from fungrad.jit.ir.traverse import all_uses, defines, map_loops_inside_out, of_kind, uses


def lazily(program: Program, statements: Sequence[Any]) -> list[Any]:
    """The statements with expensive sides of choices in branches of their own."""
    return map_loops_inside_out(lambda loop: [_with_branches(program, loop)], statements)


def _with_branches(program: Program, loop: Loop) -> Loop:
    """An innermost loop with branches where they pay."""
    body = loop.body
    choices = [s for s in of_kind(Let, body) if s.op in ("select", "select_n") and isinstance(s.type, str)]
    if not choices or of_kind(Loop, body) or work_of(program, body) < tuning.SUNK_WORK:
        return loop
    types = types_of(program, body)
    result = list(body)
    for choice in reversed(choices):
        type_of_predicate = types.get(choice.args[0])  # type: ignore[arg-type]
        if type_of_predicate is None:
            continue
        for side in range(1, len(choice.args)):
            # It may have gone into a branch itself.
            current = next((s for s in of_kind(Let, result) if s.name == choice.name), None)
            if current is None:
                break
            new = _branch(program, result, current, side, type_of_predicate)
            if new is not None:
                result = new
    return loop.replace(body=result)


def _condition(choice: Let, side: int, type: str) -> tuple[list[Let], str]:
    """Statements that compute whether a side is taken, and the name of the result."""
    predicate = choice.args[0]
    name = f"{choice.name}.takes{side}"
    if type != "i1":
        case, last = side - 1, len(choice.args) - 2
        # What is out of range takes the nearest case.
        op = "le" if case == 0 else "ge" if case == last else "eq"
        return [Let(name, op, (predicate, Const(case, type)), "i1")], name
    # `select` takes its second operand where the condition holds, `select_n` its third.
    if (side == 1) == (choice.op == "select"):
        return [], predicate  # type: ignore[return-value]
    return [Let(name, "not", (predicate,), "i1")], name


def _branch(program: Program, body: list[Any], choice: Let, side: int, type: str) -> list[Any] | None:
    """The body with one side of a choice in a branch, None if that does not pay.

    Args:
      program: owns the buffers.
      body: statements of the loop.
      choice: one of them.
      side: position of the operand.
      type: of the predicate.
    """
    operand = choice.args[side]
    others = [a for n, a in enumerate(choice.args) if n != side]
    at = next(n for n, s in enumerate(body) if s is choice)
    if not isinstance(operand, str) or operand in others:
        return None
    moved = _only_for(body, at, operand, others)
    if work_of(program, moved) < tuning.SUNK_WORK:
        return None
    taken, condition = _condition(choice, side, type)
    chosen = f"{choice.name}.side{side}"
    branch = If(condition, [*moved, Set(chosen, operand)], settled=True)
    args = list(choice.args)
    args[side] = chosen
    new = choice.replace(args=tuple(args))
    before = [s for s in body[:at] if s not in moved]
    variable = Var(chosen, choice.type, Const.zero(choice.type))  # type: ignore[arg-type]
    return [*before, *taken, variable, branch, new, *body[at + 1 :]]


def _only_for(body: Sequence[Any], at: int, operand: str, kept: Sequence[Any]) -> list[Let]:
    """The operations before position `at` that lead to an operand of the choice there and to nothing else."""
    wanted = {operand}
    read_elsewhere = {n for s in body[at + 1 :] for n in all_uses(s)} | {n for n in kept if isinstance(n, str)}
    moved: list[Let] = []
    for s in reversed(body[:at]):
        names = set(defines(s))
        if type(s) is Let and names & wanted and not names & read_elsewhere:
            moved.append(s)
            wanted |= uses(s)
        else:
            read_elsewhere |= all_uses(s)
    return moved[::-1]
