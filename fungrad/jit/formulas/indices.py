"""Positions in arrays: what formulas read, and where, in terms of the axes of a tensor.

A position is an `Idx`: linear in *atoms*, which are the axes themselves, quotients and remainders where a reshape needs
them (`Part`), and integers computed at run time where a gather does (`Dynamic`).

May import nothing of the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np


class Axis:
    """One dimension of an index space, identified by the object itself."""

    __slots__ = ("extent",)

    def __init__(self, extent: int):
        self.extent = extent

    def bounds(self) -> tuple[int, int] | None:
        """Least and greatest value, None if unknown."""
        return 0, max(self.extent - 1, 0)

    def substitute(self, env: Mapping[Axis, Idx]) -> Idx:
        """The index in its place."""
        found = env.get(self)
        return Idx(0, {self: 1}) if found is None else found

    def axes(self) -> set[Axis]:
        """The axes that it depends on."""
        return {self}

    def dynamics(self) -> Iterator[Dynamic]:
        """The run-time integers in it."""
        return iter(())

    def __repr__(self) -> str:
        return f"Axis({self.extent})"


class Part:
    """Quotient (`kind` "div") or remainder ("mod") of an index by a positive number."""

    __slots__ = ("kind", "index", "divisor", "_hash")

    def __init__(self, kind: str, index: Idx, divisor: int):
        self.kind = kind
        self.index = index
        self.divisor = divisor
        self._hash = hash((kind, index, divisor))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Part)
            and self.kind == other.kind
            and self.divisor == other.divisor
            and self.index == other.index
        )

    def bounds(self) -> tuple[int, int] | None:
        """Least and greatest value, None if unknown."""
        if self.kind == "mod":
            return 0, self.divisor - 1
        inner = self.index.bounds()
        return None if inner is None else (inner[0] // self.divisor, inner[1] // self.divisor)

    def substitute(self, env: Mapping[Axis, Idx]) -> Idx:
        """The same of the index with axes replaced by indices."""
        inner = self.index.substitute(env)
        return inner // self.divisor if self.kind == "div" else inner % self.divisor

    def axes(self) -> set[Axis]:
        """The axes that it depends on."""
        return self.index.axes()

    def dynamics(self) -> Iterator[Dynamic]:
        """The run-time integers in it."""
        return self.index.dynamics()

    def __repr__(self) -> str:
        return f"({self.index} {'//' if self.kind == 'div' else '%'} {self.divisor})"


class Dynamic:
    """An integer computed at run time: an element of an index array, already in range.

    Attributes:
      expr: scalar formula (a `tensors.Expr`).
      own_axes: the axes of the tensor whose formula `expr` is part of.
      positions: where those axes are.
    """

    __slots__ = ("expr", "own_axes", "positions", "_hash")

    def __init__(self, expr: Any, own_axes: tuple[Axis, ...], positions: tuple[Idx, ...]):
        self.expr = expr
        self.own_axes = own_axes
        self.positions = positions
        self._hash = hash((id(expr), positions))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dynamic) and self.expr is other.expr and self.positions == other.positions

    def bounds(self) -> tuple[int, int] | None:
        """Least and greatest value, None if unknown."""
        return None

    def substitute(self, env: Mapping[Axis, Idx]) -> Idx:
        """The same integer at another position."""
        return Idx(0, {Dynamic(self.expr, self.own_axes, tuple([p.substitute(env) for p in self.positions])): 1})

    def axes(self) -> set[Axis]:
        """The axes that it depends on."""
        return set().union(*[p.axes() for p in self.positions])

    def dynamics(self) -> Iterator[Dynamic]:
        """The run-time integers in it: itself."""
        yield self

    def __repr__(self) -> str:
        return "dynamic"


Atom = Axis | Part | Dynamic


class Idx:
    """`const + sum(coefficient * atom)`. Immutable, hashable.

    >>> i = Idx.of(Axis(6))
    >>> (i * 4 + 3) // 4 == i
    True
    """

    __slots__ = ("const", "terms", "_hash")

    def __init__(self, const: int, terms: dict[Atom, int]):
        self.const = const
        self.terms = terms
        self._hash: int | None = None

    @staticmethod
    def of(x: Any) -> Idx:
        """An index from an int, an axis, or itself."""
        if type(x) is Idx:
            return x
        if isinstance(x, (int, np.integer)):
            return Idx(int(x), {})
        return Idx(0, {x: 1})

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.const, frozenset(self.terms.items())))
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Idx) and self.const == other.const and self.terms == other.terms)

    def __add__(self, other: Any) -> Idx:
        other = Idx.of(other)
        if not other.terms:
            return Idx(self.const + other.const, self.terms)
        terms = dict(self.terms)
        for atom, c in other.terms.items():
            total = terms.get(atom, 0) + c
            if total:
                terms[atom] = total
            else:
                del terms[atom]
        return Idx(self.const + other.const, terms)

    __radd__ = __add__

    def __neg__(self) -> Idx:
        return self * -1

    def __sub__(self, other: Any) -> Idx:
        return self + Idx.of(other) * -1

    def __rsub__(self, other: Any) -> Idx:
        return Idx.of(other) - self

    def __mul__(self, factor: int) -> Idx:
        if factor == 1:
            return self
        if factor == 0:
            return Idx(0, {})
        return Idx(self.const * factor, {a: c * factor for a, c in self.terms.items()})

    __rmul__ = __mul__

    def _split(self, divisor: int) -> tuple[Idx, Idx]:
        """`quotient, rest` with `self == quotient * divisor + rest` and as little as possible in the rest.

        Coefficients near a multiple of the divisor leave a small rest if that makes its range narrow: positions
        `n * i + j` in a matrix are `i * (n + 1) + (j - i)`. One counter alone stays as it is: what walks along a
        diagonal had better not join a loop over rows, of which it needs one element each.
        """
        whole = {a: c // divisor for a, c in self.terms.items() if c % divisor == 0}
        rest = Idx(self.const % divisor, {a: c for a, c in self.terms.items() if c % divisor})
        bounds = rest.bounds()
        if len(rest.terms) > 1 and bounds is not None and bounds[1] - bounds[0] >= 2 * divisor:
            nearest = {a: (2 * c + divisor) // (2 * divisor) for a, c in rest.terms.items()}
            near = Idx(rest.const, {a: c - nearest[a] * divisor for a, c in rest.terms.items()})
            low, high = near.bounds()  # type: ignore[misc]
            if high - low < 2 * divisor:
                whole |= {a: q for a, q in nearest.items() if q}
                rest = near
        return Idx(self.const // divisor, whole), rest

    def __floordiv__(self, divisor: int) -> Idx:
        if divisor == 1:
            return self
        quotient, rest = self._split(divisor)
        bounds = rest.bounds()
        if bounds is not None and bounds[0] >= 0 and bounds[1] < divisor:
            return quotient
        up = _lift(bounds, divisor)
        return quotient - up + Idx(0, {Part("div", rest + up * divisor, divisor): 1})

    def __mod__(self, divisor: int) -> Idx:
        if divisor == 1:
            return Idx(0, {})
        _, rest = self._split(divisor)
        bounds = rest.bounds()
        if bounds is not None and bounds[0] >= 0 and bounds[1] < divisor:
            return rest
        return Idx(0, {Part("mod", rest + _lift(bounds, divisor) * divisor, divisor): 1})

    def bounds(self) -> tuple[int, int] | None:
        """Least and greatest value, None if unknown."""
        low = high = self.const
        for atom, c in self.terms.items():
            bounds = atom.bounds()
            if bounds is None:
                return None
            ends = c * bounds[0], c * bounds[1]
            low, high = low + min(ends), high + max(ends)
        return low, high

    def merged(self) -> Idx:
        """The same with `x // n * n + x % n` written as `x`."""
        result = self
        for atom, c in self.terms.items():
            if type(atom) is Part and atom.kind == "mod":
                quotient = Part("div", atom.index, atom.divisor)
                if result.terms.get(quotient) == c * atom.divisor:
                    pair = Idx(0, {atom: c, quotient: c * atom.divisor})
                    result = result - pair + atom.index * c
        return result

    def substitute(self, env: Mapping[Axis, Idx]) -> Idx:
        """Axes replaced by indices."""
        terms = self.terms
        if not terms:
            return self
        if len(terms) == 1 and not self.const:
            # Most indices are a counter and nothing else.
            ((atom, c),) = terms.items()
            if c == 1 and type(atom) is Axis:
                return env.get(atom, self)
        # In one dictionary, since most of the time of planning goes here.
        const = self.const
        found: dict[Atom, int] = {}
        for atom, c in terms.items():
            new = atom.substitute(env)
            const += c * new.const
            for a, k in new.terms.items():
                total = found.get(a, 0) + c * k
                if total:
                    found[a] = total
                else:
                    del found[a]
        return Idx(const, found)

    def axes(self) -> set[Axis]:
        """The axes that it depends on."""
        found: set[Axis] = set()
        for atom in self.terms:
            found |= atom.axes()
        return found

    def dynamics(self) -> Iterator[Dynamic]:
        """The run-time integers in it."""
        for atom in self.terms:
            yield from atom.dynamics()

    def parts(self) -> list[Part]:
        """The quotients and remainders in it, inner ones first."""
        found: list[Part] = []
        for atom in self.terms:
            if type(atom) is Part:
                found += [*atom.index.parts(), atom]
        return found

    @property
    def is_static(self) -> bool:
        """Whether nothing in it is computed at run time."""
        return next(self.dynamics(), None) is None

    def __repr__(self) -> str:
        parts = [f"{c}*{a}" for a, c in self.terms.items()]
        return " + ".join([*parts, str(self.const)])


def _lift(bounds: tuple[int, int] | None, divisor: int) -> int:
    """How many divisors make an index non-negative: then truncating division is the same as rounding down."""
    return 0 if bounds is None else max(0, -(bounds[0] // divisor))


def linear(shape: Sequence[int], indices: Sequence[Idx]) -> Idx:
    """Row-major position of an element."""
    result, stride = Idx(0, {}), 1
    for size, index in zip(reversed(shape), reversed(indices), strict=True):
        result = index * stride + result
        stride *= size
    return result.merged()
