"""Sizes of dimensions as expressions: polynomials in variables, with ``floordiv``, ``mod``, ``max`` and ``min``.

An expression is a sum of *terms* with integer coefficients, a term a product of *factors* with exponents, and a factor
a variable or an operation on expressions. All three are kept in one order, largest first, so that equal ones look
equal; the order is that of JAX (by the number of symbols, then by name), because messages show it. A sum that is a
number is an ``int``, never an expression.

Variables stand for integers that are at least 1. ``bounds`` finds out what is known of an expression, and a comparison
that this does not decide raises.

May import ``core`` and ``ops``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fungrad.core.array import is_array_like
from fungrad.core.context import Tracer
from fungrad.core.dimensions import SymbolicDim
from fungrad.errors import InconclusiveDimensionOperation
from fungrad.ops.dim_as_value import dim_as_value

FLOORDIV, MOD, MAX, MIN = "floordiv", "mod", "max", "min"
OPERATIONS = (FLOORDIV, MOD, MAX, MIN)

_ADVICE = (
    "This error arises where the result would depend on the values of the symbolic dimensions. Give their scope the "
    "constraint that decides it (fungrad.export.symbolic_shape with constraints=), or compute with "
    "fungrad.core.max_dim and min_dim; see docs/export.md, 'Symbolic dimensions'."
)


def inconclusive(message: str) -> InconclusiveDimensionOperation:
    """The error of an operation whose result depends on the values of variables."""
    return InconclusiveDimensionOperation(f"{message}\n{_ADVICE}")


class Scope:
    """What expressions ask of their scope; ``exports.scopes.SymbolicScope`` is the only subclass.

    Attributes:
      constraints: what is said about the variables.
      given: the texts of those that the user gave.
    """

    constraints: list[Any]
    given: tuple[str, ...]

    def check_same(self, other: Dim, when: str = "") -> None:
        """Raises ValueError if an expression is of another scope."""
        raise NotImplementedError

    def replacement(self, term: Term, k: int) -> list[tuple[Term, int]] | None:
        """What to add to a sum with ``k * term`` so that it follows the equalities; None for nothing."""
        raise NotImplementedError

    def bounds(self, e: Any) -> tuple[float, float]:
        """The least and greatest value of a size, as far as they are known."""
        raise NotImplementedError


class Factor:
    """A variable, or an operation on expressions.

    Attributes:
      name: of the variable or operation.
      operands: of the operation; empty for a variable.
      key: decides order and equality.
    """

    __slots__ = ("name", "operands", "size", "key", "_hash")
    size: int

    def __init__(self, name: str, operands: tuple[Dim, ...] = ()):
        self.name = name
        self.operands = operands
        self.size = 1 + sum(o.size for o in operands)
        self.key: tuple = (self.size, name, *[o.key for o in operands])
        self._hash = hash((name, operands))

    @property
    def is_variable(self) -> bool:
        """Whether it is a variable."""
        return not self.operands

    def variables(self) -> set[str]:
        """The variables in it."""
        if not self.operands:
            return {self.name}
        return set().union(*[o.variables() for o in self.operands])

    def evaluate(self, values: dict[str, Any], scope: Scope) -> Any:
        """The value for some values of the variables; see ``Dim.evaluate``."""
        if not self.operands:
            if self.name in values:
                return values[self.name]
            # An equality of the scope may say what it is.
            other = variable(self.name, scope)
            if isinstance(other, Dim) and other.as_variable() == self.name:
                raise UnknownVariable(self.name)
            return other.evaluate(values) if isinstance(other, Dim) else other
        a, b = [o.evaluate(values) for o in self.operands]
        if self.name == FLOORDIV:
            return a // b
        if self.name == MOD:
            return a % b
        return (maximum if self.name == MAX else minimum)(a, b)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Factor) and self.key == other.key)

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.operands))})" if self.operands else self.name

    __repr__ = __str__


class UnknownVariable(Exception):  # noqa: N818 - never reaches a user
    """An expression has a variable without a value; the argument is its name."""


class Term:
    """A product of factors with positive exponents, largest factor first; without factors it is 1."""

    __slots__ = ("factors", "size", "key", "_hash")

    def __init__(self, factors: Sequence[tuple[Factor, int]] = ()):
        self.factors = tuple(factors)
        self.size = sum(1 + exponent * f.size for f, exponent in self.factors)
        self.key: tuple = (self.size, tuple([(f.key, exponent) for f, exponent in self.factors]))
        self._hash = hash(self.factors)

    @property
    def is_one(self) -> bool:
        """Whether it is the product of nothing."""
        return not self.factors

    def factor(self) -> Factor | None:
        """The factor that it is, if it is one."""
        return self.factors[0][0] if len(self.factors) == 1 and self.factors[0][1] == 1 else None

    def variables(self) -> set[str]:
        """The variables in it."""
        return set().union(*[f.variables() for f, _ in self.factors])

    def evaluate(self, values: dict[str, Any], scope: Scope) -> Any:
        """The value for some values of the variables."""
        return math.prod([f.evaluate(values, scope) for f, exponent in self.factors for _ in range(exponent)])

    def times(self, other: Term) -> Term:
        """The product."""
        return Term(_combined(self.factors, 1, other.factors, 1))

    def divided_by(self, other: Term) -> Term | None:
        """The quotient, None if it is no term."""
        factors = _combined(self.factors, 1, other.factors, -1)
        return None if any(exponent <= 0 for _, exponent in factors) else Term(factors)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Term) and self.key == other.key)

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        ordered = sorted(self.factors, key=lambda pair: (pair[0].key, pair[1]))
        return "*".join([f"{f}^{exponent}" if exponent != 1 else str(f) for f, exponent in ordered])

    __repr__ = __str__


ONE = Term()


def _combined(
    a: Iterable[tuple[Any, int]], times_a: int, b: Iterable[tuple[Any, int]], times_b: int
) -> list[tuple[Any, int]]:
    """``a * times_a + b * times_b`` for pairs of something with a key and a number, largest first, without zeros."""
    numbers = {x: k * times_a for x, k in a}
    for x, k in b:
        numbers[x] = numbers.get(x, 0) + k * times_b
    return ordered_pairs(numbers)


def ordered_pairs(numbers: dict[Any, int]) -> list[tuple[Any, int]]:
    """The items that are not zero, largest first."""
    return sorted([(x, k) for x, k in numbers.items() if k], key=lambda pair: pair[0].key, reverse=True)


class Dim(SymbolicDim):
    """An expression that is not known to be a number.

    Attributes:
      terms: pairs of a term and its coefficient, largest term first.
      scope: where its variables have their meaning.
    """

    __slots__ = ("terms", "scope", "size", "key", "_hash")
    # NumPy's arrays leave the operators to it.
    __array_priority__ = 1000
    __array_ufunc__ = None

    def __init__(self, terms: Sequence[tuple[Term, int]], scope: Scope):
        self.terms = tuple(terms) or ((ONE, 0),)
        self.scope = scope
        self.size = sum(1 + abs(k) * t.size for t, k in self.terms)
        self.key: tuple = (self.size, tuple([(t.key, k) for t, k in self.terms]))
        self._hash: int | None = None

    # -- what it consists of

    def variables(self) -> set[str]:
        """The names of its variables."""
        return set().union(*[t.variables() for t, _ in self.terms])

    def constant(self) -> int | None:
        """The number that it is: only operands of operations are expressions of numbers."""
        term, k = self.terms[0]
        return k if term.is_one else None

    def as_term(self) -> Term | None:
        """The term that it is, if it is one."""
        return self.terms[0][0] if len(self.terms) == 1 and self.terms[0][1] == 1 else None

    def as_variable(self) -> str | None:
        """The variable that it is, if it is one."""
        term = self.as_term()
        factor = term.factor() if term is not None else None
        return factor.name if factor is not None and factor.is_variable else None

    def evaluate(self, values: dict[str, Any]) -> Any:
        """The value for some values of the variables, which may be expressions of another scope.

        Raises:
          UnknownVariable: a variable has no value.
        """
        total: Any = 0
        for term, k in self.terms:
            total = total + term.evaluate(values, self.scope) * k
        return total

    def bounds(self) -> tuple[float, float]:
        return self.scope.bounds(self)

    # -- text

    def __str__(self) -> str:
        text = ""
        for term, k in self.terms:
            number = str(abs(k))
            value = number if term.is_one else str(term) if abs(k) == 1 else f"{number}*{term}"
            text += f" {'-' if k < 0 else '+'} {value}"
        return text[3:] if text.startswith(" + ") else text[1:]

    __repr__ = __str__

    # -- arithmetic

    def __add__(self, other: Any) -> Any:
        if not _is_dimension(other):
            return self.__jax_array__() + other
        return combination(self, 1, other, 1, self.scope)

    def __radd__(self, other: Any) -> Any:
        if not _is_dimension(other):
            return other + self.__jax_array__()
        return combination(self, 1, other, 1, self.scope)

    def __sub__(self, other: Any) -> Any:
        if not _is_dimension(other):
            return self.__jax_array__() - other
        return combination(self, 1, other, -1, self.scope)

    def __rsub__(self, other: Any) -> Any:
        if not _is_dimension(other):
            return other - self.__jax_array__()
        return combination(self, -1, other, 1, self.scope)

    def __neg__(self) -> Any:
        return combination(self, -1, 0, 0, self.scope)

    def __pos__(self) -> Dim:
        return self

    def __mul__(self, other: Any) -> Any:
        if not _is_dimension(other):
            return self.__jax_array__() * other
        return self._times(other)

    def __rmul__(self, other: Any) -> Any:
        if not _is_dimension(other):
            return other * self.__jax_array__()
        return self._times(other)

    def _times(self, other: Any) -> Any:
        if not isinstance(other, Dim):
            return combination(self, operator.index(other), 0, 0, self.scope)
        self.scope.check_same(other, "for operation mul")
        numbers: dict[Term, int] = {}
        for a, m in self.terms:
            for b, n in other.terms:
                product = a.times(b)
                numbers[product] = numbers.get(product, 0) + m * n
        return from_terms(ordered_pairs(numbers), self.scope)

    def __pow__(self, power: Any, modulo: Any = None) -> Any:
        if modulo is not None:
            raise NotImplementedError("a symbolic dimension: pow with a modulus is not implemented; use % afterwards")
        if isinstance(power, SymbolicDim):
            return power.__rpow__(self)  # type: ignore[attr-defined]
        if not is_integer(power) and power != int(power):
            raise ValueError(
                f"Symbolic dimension cannot be raised to non-integer powers: '{self}' ** '{power}'; use "
                f"jnp.power({self}, {power}) on the value"
            )
        if power < 0:
            raise ValueError(
                f"Symbolic dimension cannot be raised to negative powers: '{self}' ** '{power}'; convert its value to "
                "a floating-point number first"
            )
        result: Any = 1
        for _ in range(int(power)):
            result = self * result
        return result

    def __rpow__(self, base: Any, modulo: Any = None) -> Any:
        if modulo is not None:
            raise NotImplementedError("a symbolic dimension: pow with a modulus is not implemented; use % afterwards")
        value = self.__jax_array__()
        return (base.__jax_array__() if isinstance(base, Dim) else base) ** value

    def __floordiv__(self, other: Any) -> Any:
        return self._divmod(other)[0] if _is_dimension(other) else self.__jax_array__() // other

    def __rfloordiv__(self, other: Any) -> Any:
        if not _is_dimension(other):
            return other // self.__jax_array__()
        return as_expression(other, self.scope)._divmod(self)[0]

    def __mod__(self, other: Any) -> Any:
        return self._divmod(other)[1] if _is_dimension(other) else self.__jax_array__() % other

    def __rmod__(self, other: Any) -> Any:
        if not _is_dimension(other):
            return other % self.__jax_array__()
        return as_expression(other, self.scope)._divmod(self)[1]

    def __divmod__(self, other: Any) -> Any:
        return self._divmod(other) if _is_dimension(other) else divmod(self.__jax_array__(), other)

    def __rdivmod__(self, other: Any) -> Any:
        if not _is_dimension(other):
            return divmod(other, self.__jax_array__())
        return as_expression(other, self.scope)._divmod(self)

    def __truediv__(self, other: Any) -> Any:
        return self.__jax_array__() / (other.__jax_array__() if isinstance(other, Dim) else other)

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.__jax_array__()

    def _divmod(self, divisor: Any) -> tuple[Any, Any]:
        """Quotient and remainder: by division of polynomials where that leaves a number, else as operations."""
        if isinstance(divisor, Dim):
            self.scope.check_same(divisor, "for operation divmod")
        else:
            divisor = operator.index(divisor)
            if divisor == 0:
                raise ZeroDivisionError(f"symbolic dimension '{self}' is divided by zero")
        exact = self._divided_by(divisor)
        if exact is not None:
            return exact
        return operation(FLOORDIV, self, divisor, scope=self.scope), operation(MOD, self, divisor, scope=self.scope)

    def _divided_by(self, divisor: Any) -> tuple[Any, Any] | None:
        rest: Any = self
        quotient: Any = 0
        lead, lead_k = divisor.terms[0] if isinstance(divisor, Dim) else (ONE, divisor)
        # The leading term of the rest gets smaller each time; self == rest + divisor * quotient.
        while isinstance(rest, Dim) and rest.constant() is None:
            term, k = rest.terms[0]
            part = term.divided_by(lead)
            if part is None or k % lead_k:
                return None
            step = from_terms([(part, k // lead_k)], self.scope)
            quotient, rest = quotient + step, rest - step * divisor
        rest = int(rest)
        if isinstance(divisor, Dim):
            return None if rest else (quotient, 0)
        return quotient + rest // divisor, rest % divisor

    def max(self, other: Any) -> Any:
        """The larger one of it and ``other``."""
        return maximum(self, other)

    def rmax(self, other: Any) -> Any:
        """The larger one of ``other`` and it."""
        return maximum(other, self)

    def min(self, other: Any) -> Any:
        """The smaller one of it and ``other``."""
        return minimum(self, other)

    def rmin(self, other: Any) -> Any:
        """The smaller one of ``other`` and it."""
        return minimum(other, self)

    # -- comparisons

    def __eq__(self, other: object) -> bool:
        # Types and parameters are keys of tables, so it must not raise: what is undecided counts as different.
        if self is other:
            return True
        if isinstance(other, Dim):
            return self.scope is other.scope and (self.key == other.key or (self - other) == 0)
        constant = self.constant()
        return constant is not None and is_integer(other) and constant == operator.index(other)  # type: ignore[arg-type]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.terms, id(self.scope)))
        return self._hash

    def __ge__(self, other: Any) -> bool:
        return is_at_least(self, other, lambda: f"'{self}' >= '{other}'")

    def __le__(self, other: Any) -> bool:
        return is_at_least(other, self, lambda: f"'{self}' <= '{other}'")

    def __gt__(self, other: Any) -> bool:
        return not is_at_least(other, self, lambda: f"'{self}' > '{other}'")

    def __lt__(self, other: Any) -> bool:
        return not is_at_least(self, other, lambda: f"'{self}' < '{other}'")

    def __bool__(self) -> bool:
        constant = self.constant()
        if constant is not None:
            return bool(constant)
        return True

    # -- as a number

    def _number(self) -> int:
        constant = self.constant()
        if constant is None:
            raise inconclusive(f"Symbolic dimension '{self}' used in a context that requires a constant")
        return constant

    __int__ = _number
    __index__ = _number

    def __float__(self) -> float:
        return float(self._number())

    def dimension_as_value(self) -> Any:
        """The size as a scalar array to compute with."""
        return dim_as_value.bind(dim=self)

    def __jax_array__(self) -> Any:
        return dim_as_value.bind(dim=self)

    def __copy__(self) -> Dim:
        return self

    def __deepcopy__(self, memo: dict) -> Dim:
        return self


def is_integer(x: Any) -> bool:
    """Whether something is an integer of Python or NumPy, or can be one; no expression is."""
    if isinstance(x, (SymbolicDim, Tracer)):
        return False
    try:
        operator.index(x)
    except TypeError:
        return False
    return True


def _is_dimension(x: Any) -> bool:
    if isinstance(x, (tuple, list, str)):
        raise inconclusive(f"A sequence is repeated a symbolic number of times, which needs a constant: {x!r:.60}")
    return isinstance(x, Dim) or (not is_array_like_object(x) and is_integer(x))


def is_array_like_object(x: Any) -> bool:
    """Whether something is an array, which a size joins as a value; integers of NumPy are sizes."""
    return isinstance(x, Tracer) or (hasattr(x, "shape") and is_array_like(x) and not is_integer(x))


def as_expression(x: Any, scope: Scope) -> Dim:
    """A size as an expression, also if it is a number."""
    if isinstance(x, Dim):
        scope.check_same(x, "for an operation")
        return x
    n = operator.index(x)
    return Dim([(ONE, n)] if n else [], scope)


def from_terms(terms: Sequence[tuple[Term, int]], scope: Scope) -> Any:
    """The expression, or number, of ordered terms, after the equalities of the scope."""
    for term, k in terms:
        changes = scope.replacement(term, k)
        if changes is not None:
            numbers = dict(terms)
            for t, n in changes:
                numbers[t] = numbers.get(t, 0) + n
            terms = ordered_pairs(numbers)
            break
    if not terms:
        return 0
    return terms[0][1] if terms[0][0].is_one else Dim(terms, scope)


def variable(name: str, scope: Scope) -> Any:
    """A variable."""
    return from_terms([(Term([(Factor(name), 1)]), 1)], scope)


def operation(name: str, *operands: Any, scope: Scope) -> Any:
    """An operation on expressions, as it stands."""
    return from_terms([(Term([(Factor(name, tuple([as_expression(o, scope) for o in operands])), 1)]), 1)], scope)


def combination(a: Any, times_a: int, b: Any, times_b: int, scope: Scope) -> Any:
    """``a * times_a + b * times_b`` for sizes."""
    if isinstance(a, Dim) and isinstance(b, Dim):
        a.scope.check_same(b, "for linear combination")
    terms = [as_expression(x, scope).terms if isinstance(x, Dim) else ((ONE, operator.index(x)),) for x in (a, b)]
    return from_terms(_combined(terms[0], times_a, terms[1], times_b), scope)


def is_at_least(a: Any, b: Any, text: Callable[[], str]) -> bool:
    """``a >= b`` for sizes.

    Args:
      a, b: the sizes.
      text: makes the comparison as the user wrote it, for messages.

    Raises:
      InconclusiveDimensionOperation: it depends on the values of variables.
    """
    scope = a.scope if isinstance(a, Dim) else b.scope
    if isinstance(a, Dim) and isinstance(b, Dim):
        scope.check_same(b, f"when comparing {text()}")
    low, high = scope.bounds(a - b)
    if low >= 0:
        return True
    if high < 0:
        return False
    where = f"\nUsing symbolic scope {scope}" if scope.constraints else ""
    raise inconclusive(f"Symbolic dimension comparison {text()} is inconclusive.{where}")


def _sign_of_difference(a: Any, b: Any) -> int | None:
    """1 if ``a >= b``, -1 if ``a <= b``, None if that depends on the values of variables."""
    scope = a.scope if isinstance(a, Dim) else b.scope
    low, high = scope.bounds(a - b)
    return 1 if low >= 0 else -1 if high <= 0 else None


def maximum(a: Any, b: Any) -> Any:
    """The larger one of two sizes."""
    if not isinstance(a, Dim) and not isinstance(b, Dim):
        return max(operator.index(a), operator.index(b))
    sign = _sign_of_difference(a, b)
    if sign is not None:
        return a if sign > 0 else b
    return operation(MAX, a, b, scope=a.scope if isinstance(a, Dim) else b.scope)


def minimum(a: Any, b: Any) -> Any:
    """The smaller one of two sizes."""
    if not isinstance(a, Dim) and not isinstance(b, Dim):
        return min(operator.index(a), operator.index(b))
    sign = _sign_of_difference(a, b)
    if sign is not None:
        return b if sign > 0 else a
    return operation(MIN, a, b, scope=a.scope if isinstance(a, Dim) else b.scope)
