"""What is known of the values of expressions: least and greatest values, by elimination of terms.

Known are constraints ``c >= 0`` and ``c == 0``: those of the scope, and those that follow from what terms are (a
variable is at least 1, ``mod(e, 4)`` lies between 0 and 3, ``max(a, b)`` is at least ``a``). To find bounds of a sum,
its largest term ``t`` is eliminated with each constraint that has ``t``: a multiple of the sum plus a positive multiple
of the constraint has smaller terms only, and its bounds bound the sum. This is sound, but does not find everything.

May import ``core`` and ``exports.dimensions``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from fungrad.exports.dimensions import (
    FLOORDIV,
    MAX,
    MOD,
    ONE,
    Dim,
    Factor,
    Scope,
    Term,
    _combined,
    from_terms,
    inconclusive,
    operation,
)

_INF = math.inf
_Terms = Sequence[tuple[Term, int]]


def _up(a: float, b: int) -> float:
    """``a / b`` rounded up, exactly for integers."""
    return a / b if math.isinf(a) else -(-int(a) // b)


def _down(a: float, b: int) -> float:
    """``a / b`` rounded down, exactly for integers."""
    return a / b if math.isinf(a) else int(a) // b


class Knowledge:
    """The constraints of a scope, and those of the terms that have been asked about."""

    def __init__(self, scope: Scope):
        self.scope = scope
        # Constraints on one term alone, as bounds, and the others by their largest term: (equality, coefficients).
        self.ranges: dict[Term, tuple[float, float]] = {}
        self.relations: dict[Term, dict[tuple[bool, Dim], None]] = {}
        self.known_terms: set[Term] = set()

    def copy(self) -> Knowledge:
        """An equal object of its own."""
        other = Knowledge(self.scope)
        other.ranges = dict(self.ranges)
        other.relations = {t: dict(r) for t, r in self.relations.items()}
        other.known_terms = set(self.known_terms)
        return other

    # -- adding

    def add(self, difference: Any, equality: bool = False, text: str | None = None) -> None:
        """Adds ``difference >= 0``, or ``== 0``, and what follows from it and single older ones.

        Raises:
          ValueError: that is impossible.
        """
        constant = difference if not isinstance(difference, Dim) else difference.constant()
        if constant is not None:
            if constant < 0 or (equality and constant != 0):
                raise ValueError(f"fungrad.export: Unsatisfiable constraint: {text or f'{constant} >= 0'}")
            return
        self._keep(difference, equality, text)
        for new, is_equality in self._consequences(difference, equality, text):
            self._keep(new, is_equality, text)

    def _keep(self, e: Dim, equality: bool, text: str | None) -> None:
        rest = [(t, k) for t, k in e.terms if not t.is_one]
        if len(rest) > 1:
            self.relations.setdefault(rest[0][0], {})[equality, e] = None
            return
        (term, k), number = rest[0], sum(n for t, n in e.terms if t.is_one)
        low, high = self.ranges.get(term, (-_INF, _INF))
        if equality:
            if number % k:
                raise ValueError(f"fungrad.export: Unsatisfiable constraint: {text or f'{e} == 0'}")
            low, high = max(low, -number // k), min(high, -number // k)
        elif k > 0:
            low = max(low, _up(-number, k))
        else:
            high = min(high, _down(number, -k))
        if low > high:
            raise ValueError(f"fungrad.export: Unsatisfiable constraint: {text or f'{e} >= 0'}")
        self.ranges[term] = (low, high)

    def _consequences(self, e: Dim, equality: bool, text: str | None) -> list[tuple[Dim, bool]]:
        out = []
        for term, k in e.terms:
            if term.is_one:
                continue
            for c_equality, c, times_c, times_e in self._eliminating(term, k, everywhere=True):
                if times_e < 0 and not equality:
                    continue
                both = equality and c_equality
                new = from_terms(_combined(e.terms, times_e, c, times_c), self.scope)
                constant = new if not isinstance(new, Dim) else new.constant()
                if constant is None:
                    out.append((new, both))
                elif constant < 0 or (both and constant != 0):
                    raise ValueError(f"fungrad.export: Unsatisfiable constraints: {text or f'{e} >= 0'}")
        return out

    def _eliminating(
        self, term: Term, k: int, everywhere: bool = False
    ) -> list[tuple[bool, _Terms, int, int]]:
        """Constraints that eliminate ``k * term``.

        Args:
          term, k: what to eliminate.
          everywhere: whether constraints may have terms that are larger.

        Returns:
          Tuples ``(equality, c, times_c, times_e)`` such that ``times_c > 0`` and ``k * term * times_e + c * times_c``
          does not contain the term.
        """
        sign = 1 if k >= 0 else -1
        low, high = self.ranges.get(term, (-_INF, _INF))
        out: list[tuple[bool, _Terms, int, int]] = []
        if low == high:
            out.append((True, self._with_number(term, 1, -low), abs(k), -sign))
        else:
            if low > -_INF:
                out.append((False, self._with_number(term, 1, -low), abs(k), -sign))
            if high < _INF:
                out.append((False, self._with_number(term, -1, high), abs(k), sign))
        candidates = list(self.relations.values()) if everywhere else [self.relations.get(term, {})]
        for group in candidates:
            for equality, c in group:
                c_k = dict(c.terms).get(term)
                if c_k is not None:
                    out.append((equality, c.terms, abs(k), -c_k * sign))
        return out

    def _with_number(self, term: Term, k: int, number: float) -> _Terms:
        return [(term, k), (ONE, int(number))] if number else [(term, k)]

    # -- asking

    def bounds(self, e: Any) -> tuple[float, float]:
        """The least and the greatest value of a size, whose terms have been learnt."""
        constant = e if not isinstance(e, Dim) else e.constant()
        if constant is not None:
            return constant, constant
        low, high = self._of_terms(e.terms)
        return (int(low) if low > -_INF else low), (int(high) if high < _INF else high)

    def _of_terms(self, terms: _Terms) -> tuple[float, float]:
        if not terms:
            return 0, 0
        term, k = terms[0]
        if term.is_one:
            return k, k
        low, high = -_INF, _INF
        for equality, c, times_c, times_e in self._eliminating(term, k):
            rest_low, rest_high = self._of_terms(_combined(terms, times_e, c, times_c))
            # The terms times times_e are the rest minus something that is at least 0, or is 0.
            if rest_high < _INF:
                if times_e > 0:
                    high = min(high, _down(rest_high, times_e))
                else:
                    low = max(low, _up(-rest_high, -times_e))
            if equality and rest_low > -_INF:
                if times_e > 0:
                    low = max(low, _up(rest_low, times_e))
                else:
                    high = min(high, _down(-rest_low, -times_e))
        factor = term.factor()
        if factor is not None and factor.operands and factor.name not in (FLOORDIV, MOD):
            # k * max(a, b) + rest is the larger one of k * a + rest and k * b + rest, for k > 0.
            sides = [self._of_terms(_combined(terms[1:], 1, o.terms, k)) for o in factor.operands]
            choose = max if (factor.name == MAX) == (k > 0) else min
            low = max(low, choose(sides[0][0], sides[1][0]))
            high = min(high, choose(sides[0][1], sides[1][1]))
        return low, high

    # -- what terms imply

    def learn(self, e: Dim) -> None:
        """Adds the constraints that the terms of an expression imply."""
        for term, _ in e.terms:
            if not term.is_one and term not in self.known_terms:
                self.known_terms.add(term)
                self._learn_term(term)

    def _between(self, e: Any, low: float, high: float) -> None:
        if low > -_INF:
            self.add(e - int(low))
        if high < _INF:
            self.add(int(high) - e)

    def _learn_term(self, term: Term) -> None:
        e = from_terms([(term, 1)], self.scope)
        factor = term.factor()
        if factor is None:
            ranges = []
            for f, exponent in term.factors:
                single = from_terms([(Term([(f, 1)]), 1)], self.scope)
                if isinstance(single, Dim):
                    self.learn(single)
                low, high = self.bounds(single)
                ranges.append(_power(low, high, exponent))
            corners = [_product(corner) for corner in itertools.product(*ranges)]
            self._between(e, min(corners), max(corners))
        elif factor.is_variable:
            self.add(e - 1)
        else:
            for operand in factor.operands:
                self.learn(operand)
            self._learn_operation(factor, e)

    def _learn_operation(self, factor: Factor, e: Any) -> None:
        a, b = factor.operands
        if factor.name == MOD:
            low, high = self.bounds(b)
            if low > 0:
                self.add(e)
                self.add(b - 1 - e)
                self._between(e, -_INF, high - 1)
            elif high < 0:
                self.add(e - (b + 1))
                self._between(e, low + 1, 0)
            return
        (a_low, a_high), (b_low, b_high) = self.bounds(a), self.bounds(b)
        if factor.name == FLOORDIV:
            if b_low <= 0 <= b_high:
                raise inconclusive(f"Possible division by 0 in division by {b}")
            corners = [_quotient(x, y) for x in (a_low, a_high) for y in (b_low, b_high)]
            self._between(e, min(corners), max(corners))
            if b_low >= 0:
                if a_low >= 0:
                    self.add(e)
                rest = operation(MOD, a, b, scope=self.scope)
                if isinstance(rest, Dim):
                    self.learn(rest)
                self.add(a - (b * e + rest), equality=True)
        elif factor.name == MAX:
            self._between(e, max(a_low, b_low), max(a_high, b_high))
            self.add(e - a)
            self.add(e - b)
        else:
            self._between(e, min(a_low, b_low), min(a_high, b_high))
            self.add(a - e)
            self.add(b - e)


def _power(low: float, high: float, exponent: int) -> tuple[float, float]:
    """Bounds of a power."""
    if exponent % 2 or low >= 0:
        return low**exponent, high**exponent
    if high <= 0:
        return high**exponent, low**exponent
    return 0, max(low**exponent, high**exponent)


def _product(corner: Sequence[float]) -> float:
    """The product, in which zero times infinity is zero."""
    return 0 if 0 in corner else math.prod(corner)


def _quotient(a: float, b: float) -> float:
    """``a // b``; of infinities, the limit."""
    if math.isinf(a):
        return -_INF if (a >= 0) != (b >= 0) else _INF
    if math.isinf(b):
        return -1 if (a >= 0) != (b >= 0) and a != 0 else 0
    return int(a) // int(b)
