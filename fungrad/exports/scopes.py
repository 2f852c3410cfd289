"""``SymbolicScope``: where variables of sizes have a meaning, with what is said about them.

May import ``core`` and ``exports``: ``dimensions``, ``bounds`` and ``dimension_text``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from fungrad.core.source import api_class, current_source
from fungrad.exports.bounds import Knowledge
from fungrad.exports.dimension_text import parse_dimension
from fungrad.exports.dimensions import FLOORDIV, MOD, Dim, Factor, Scope, Term, as_expression, from_terms


class Constraint(NamedTuple):
    """``difference >= 0``, or ``== 0``.

    Attributes:
      equality: which of the two.
      text: as the user wrote it.
      difference: of the two sides, a size.
    """

    equality: bool
    text: str
    difference: Any

    def __repr__(self) -> str:
        return f"Constraint({self.text})"


@api_class
class SymbolicScope(Scope):
    """Where the variables of symbolic dimensions have their meaning, and the constraints on them.

    Sizes of one scope can be computed with and compared; those of different scopes cannot be mixed.

    Args:
      constraints_str: texts of the form ``e1 >= e2``, ``e1 <= e2`` or ``e1 == e2``. An equality has one term on its
        left, which is replaced by the right side wherever it occurs.

    Raises:
      ValueError: a constraint cannot be read, or cannot be satisfied.

    Example:
      >>> from fungrad import export
      >>> scope = export.SymbolicScope(["b >= 4", "mod(b, 2) == 0"])
      >>> b, = export.symbolic_shape("b", scope=scope)
      >>> b >= 2, b % 2, 2 * (b // 2)
      (True, 0, b)
    """

    def __init__(self, constraints_str: Sequence[str] = ()):
        if isinstance(constraints_str, str):
            raise ValueError(
                "fungrad.export.SymbolicScope: The symbolic constraints should be a sequence of strings. Got "
                f"{constraints_str!r}; pass [{constraints_str!r}]"
            )
        source = current_source()
        self._place = f" created at {source}" if source is not None and str(source) else ""
        self.given = tuple(constraints_str)
        self.constraints: list[Constraint] = []
        # Equalities: a term, and what so many of it are.
        self._replacements: dict[Term, tuple[Any, int]] = {}
        self._knowledge: Knowledge | None = None
        self._found: dict[Any, tuple[float, float]] = {}
        for text in constraints_str:
            self._read(text)
            self._forget()
        self._known()

    def __str__(self) -> str:
        lines = [f"{id(self)}{self._place}"]
        if self.constraints:
            lines[0] += " with constraints:"
            lines += [f"  {c.text}" for c in self.constraints]
        return "\n".join(lines)

    __repr__ = __str__

    def __deepcopy__(self, memo: dict) -> SymbolicScope:
        return self

    # -- constraints

    def _forget(self) -> None:
        self._found.clear()
        self._knowledge = None

    def _read(self, text: Any) -> None:
        api = "fungrad.export.SymbolicScope"
        if not isinstance(text, str):
            raise ValueError(f"{api}: SymbolicScope constraint must be a string: got {text!r}")
        sign = next((s for s in ("==", ">=", "<=") if s in text), None)
        if sign is None:
            raise ValueError(
                f"{api}: Constraint parsing error: must contain one of '==' or '>=' or '<=', got {text!r}"
            )
        at = text.find(sign)
        left, right = parse_dimension(text[:at], self), parse_dimension(text[at + 2 :], self)
        if sign == "<=":
            left, right = right, left
        if sign == "==":
            self._add_equality(left, right, text, left - right)
        else:
            self._add(Constraint(False, text, left - right))

    def _add(self, constraint: Constraint) -> bool:
        """Adds a constraint unless it always holds."""
        constant = constraint.difference
        if isinstance(constant, Dim):
            self.constraints.append(constraint)
            return True
        if constant < 0 or (constraint.equality and constant != 0):
            raise ValueError(f"fungrad.export: Unsatisfiable explicit constraint: {constraint.text}")
        return False

    def _add_equality(self, left: Any, right: Any, text: str, difference: Any) -> None:
        if not isinstance(difference, Dim):
            self._add(Constraint(True, text, difference))
            return
        if not isinstance(left, Dim) or len(left.terms) > 1:
            raise ValueError(
                f"fungrad.export: Invalid equality constraint: {text}. The left-hand-side must be of the form "
                "`term * coefficient`; write the other side first, or bring the rest of the left side to the right"
            )
        term, k = left.terms[0]
        if term in self._replacements:
            raise NotImplementedError(
                f"fungrad.export: Found multiple equality constraints with the same left-hand-side: {term}"
            )
        self._replacements[term] = (as_expression(right, self), k)
        factor = term.factor()
        if k == 1 and right == 0 and not isinstance(right, Dim) and factor is not None and factor.name == MOD:
            self._add_quotient(factor)
        self._add(Constraint(True, text, difference))

    def _add_quotient(self, factor: Factor) -> None:
        """From ``mod(e, k) == 0`` follows ``k * floordiv(e, k) == e``."""
        if not factor.operands:
            return
        e, divisor = factor.operands
        k = divisor.constant()
        if k is not None:
            quotient = from_terms([(Term([(Factor(FLOORDIV, factor.operands), 1)]), k)], self)
            whole = from_terms(e.terms, self)
            self._add_equality(quotient, whole, f"{quotient} == {whole}", quotient - whole)

    def replacement(self, term: Term, k: int) -> list[tuple[Term, int]] | None:
        if not self._replacements:
            return None
        after, after_k = self._replacements.get(term, (None, 1))
        if after is not None and k % after_k == 0:
            return [(term, -k), *[(t, n * (k // after_k)) for t, n in after.terms]]
        if len(term.factors) > 1:
            for pair in term.factors:
                part = Term([pair])
                after, after_k = self._replacements.get(part, (None, 1))
                rest = term.divided_by(part)
                if after is not None and k % after_k == 0 and rest is not None:
                    return [(term, -k), *[(t.times(rest), n * (k // after_k)) for t, n in after.terms]]
        return None

    def check_same(self, other: Dim, when: str = "") -> None:
        if other.scope is not self:
            raise ValueError(
                f"fungrad.export: Invalid mixing of symbolic scopes {when}.\nExpected scope {self}\nand found "
                f"for '{other}' "
                f"scope {other.scope}\nMake all symbolic dimensions that meet with the same scope= "
                "(fungrad.export.SymbolicScope)."
            )

    # -- what is known

    def _known(self) -> Knowledge:
        """A copy of what follows from the constraints."""
        if self._knowledge is None:
            known = Knowledge(self)
            for constraint in self.constraints:
                known.learn(constraint.difference)
                known.add(constraint.difference, constraint.equality, constraint.text)
            self._knowledge = known
        return self._knowledge.copy()

    def bounds(self, e: Any) -> tuple[float, float]:
        if not isinstance(e, Dim):
            return e, e
        found = self._found.get(e)
        if found is None:
            known = self._known()
            known.learn(e)
            found = known.bounds(e)
            self._found[e] = found
        return found
