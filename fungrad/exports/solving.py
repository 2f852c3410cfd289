"""Values of dimension variables from the shapes of arguments.

Each symbolic dimension of an argument is an equation between its expression and the size that came. An equation that is
linear in one variable which is not known yet gives its value; others check what is known. Then come the constraints of
the scope.

May import ``core`` and ``exports.dimensions``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from fungrad.core.dimensions import is_symbolic
from fungrad.errors import InconclusiveDimensionOperation
from fungrad.exports.dimensions import Dim, Scope, UnknownVariable, variable

_HINT = "; call it with shapes that fit, or export the function for others"


class Equation(NamedTuple):
    """A symbolic dimension of an argument.

    Attributes:
      expression: what it was exported for.
      place: its name, such as ``args[0].shape[1]``.
      size: what came.
    """

    expression: Dim
    place: str
    size: Any


def _text_of(specs: Sequence[tuple[str, Any]]) -> str:
    return " Using the following polymorphic shapes specifications: " + ",".join(
        [f"{name}.shape = {shape}" for name, shape in specs]
    )


class _Solver:
    """Finds values one equation after the other.

    Attributes:
      values: of the variables that are known.
      check: whether what the sizes must satisfy is checked; not while it is only asked what can be solved.
    """

    def __init__(self, specs: Sequence[tuple[str, Any]], check: bool):
        self.values: dict[str, Any] = {}
        self.check = check
        self.specs = specs
        self.obtained: list[str] = []

    def error(self, message: str) -> ValueError:
        known = f". Obtained dimension variables: {', '.join(self.obtained)}" if self.obtained else ""
        return ValueError(f"fungrad.export: {message}{_text_of(self.specs)}{known}{_HINT}")

    def require(self, holds: Any, message: str) -> None:
        """Raises with a message unless ``holds()``, also where that cannot be told."""
        if not self.check:
            return
        try:
            fine = holds()
        except InconclusiveDimensionOperation as error:
            raise self.error(message) from error
        if not fine:
            raise self.error(message)

    def use(self, equation: Equation) -> bool:
        """Gets from an equation what it says; False if it has too many variables."""
        expression, rest = equation.expression, equation.size
        unknown: tuple[str, int] | None = None
        for term, k in expression.terms:
            try:
                rest = rest - term.evaluate(self.values, expression.scope) * k
            except UnknownVariable:
                factor = term.factor()
                if factor is None or not factor.is_variable or unknown is not None:
                    return False
                unknown = (factor.name, k)
        shown = "Input shapes do not match the polymorphic shapes specification. "
        if unknown is None:
            value = expression.evaluate(self.values)
            self.require(
                lambda: equation.size == value,
                f"{shown}Found inconsistency between dimension size {equation.place} (= {equation.size}) and the "
                f"specification '{expression}' (= {value}).",
            )
            return True
        name, k = unknown
        found, remainder = (rest, 0) if k == 1 else divmod(rest, k)
        self.require(
            lambda: remainder == 0,
            f"{shown}Division had remainder {remainder} when computing the value of '{name}'.",
        )
        self.values[name] = found
        self.obtained.append(
            f"'{name}' = {found} from specification '{expression}' for dimension {equation.place} (= {equation.size})"
        )
        self.require(lambda: found >= 1, f"{shown}Expected value >= 1 for dimension variable '{name}'.")
        return True

    def check_constraints(self, scope: Scope) -> None:
        """Raises unless the values satisfy the constraints of the scope."""
        for constraint in scope.constraints:
            try:
                value = constraint.difference.evaluate(self.values)
            except UnknownVariable:
                # About a variable that the shapes do not have.
                continue
            relation = "equal" if constraint.equality else "greater or equal"
            self.require(
                lambda value=value, c=constraint: value == 0 if c.equality else value >= 0,
                f"Input shapes do not match the symbolic shape constraint {constraint.text}. Expected "
                f"'{constraint.difference}' to be {relation} to 0, but found {value}.",
            )


def solve(equations: Sequence[Equation], specs: Sequence[tuple[str, Any]], check: bool = True) -> dict[str, Any]:
    """The values of the variables.

    Args:
      equations: one for each symbolic dimension.
      specs: name and shape of each argument that has one, for messages.
      check: whether the sizes must fit.

    Raises:
      ValueError: the sizes do not fit, or variables are not determined.
    """
    solver = _Solver(specs, check)
    left = list(equations)
    while left:
        after = [e for e in left if not solver.use(e)]
        if len(after) == len(left):
            unknown = set().union(*[e.expression.variables() for e in left]) - set(solver.values)
            raise ValueError(
                f"fungrad.export: Cannot solve for values of dimension variables {unknown}. We can only solve linear "
                f"uni-variate constraints.{_text_of(specs)}. Unprocessed specifications: "
                + ", ".join([f"'{e.expression}' for dimension size {e.place}" for e in left])
                + "; add an argument that has the variable alone as a dimension"
            )
        left = after
    if equations:
        solver.check_constraints(equations[0].expression.scope)
    return solver.values


def equations_of(shapes: Sequence[tuple[str, Any]], sizes: Sequence[Any] | None) -> list[Equation]:
    """The equations of arguments.

    Args:
      shapes: name and symbolic shape of each argument.
      sizes: the shapes that came, None for such that are variables themselves.

    Raises:
      ValueError: dimensions of different scopes meet.
    """
    out: list[Equation] = []
    for i, (name, shape) in enumerate(shapes):
        for d, expression in enumerate(shape):
            if isinstance(expression, Dim):
                place = f"{name}.shape[{d}]"
                if out:
                    out[0].expression.scope.check_same(expression, f"among the arguments, at {place}")
                came = variable(place, expression.scope) if sizes is None else sizes[i][d]
                out.append(Equation(expression, place, came))
    return out


def symbolic_shapes(shapes: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Those of the named shapes that have a symbolic dimension, with their text."""
    return [(name, _shape_text(shape)) for name, shape in shapes if any(is_symbolic(d) for d in shape)]


def _shape_text(shape: Any) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
