"""Affine expressions: addresses, and indices of elements.

May import nothing of the package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Affine:
    """`const + sum(coefficient * symbol)`: an address or index. Immutable.

    Symbols are the names of loop indices or of integer values.

    >>> i, j = Affine.var("i"), Affine.var("j")
    >>> i * 10 + j + 3
    10*i + j + 3
    >>> (i * 10 + j).substitute({"j": i * 2 + 1})
    12*i + 1
    """

    __slots__ = ("const", "terms")

    def __init__(self, const: int = 0, terms: Sequence[tuple[str, int]] = ()):
        self.const = int(const)
        self.terms = tuple((s, int(c)) for s, c in terms if c)

    @staticmethod
    def var(symbol: str, coefficient: int = 1) -> Affine:
        """`coefficient * symbol`."""
        return Affine(0, ((symbol, coefficient),))

    @staticmethod
    def of(x: Affine | str | int) -> Affine:
        """`x` itself, a symbol, or a constant."""
        if isinstance(x, Affine):
            return x
        return Affine.var(x) if isinstance(x, str) else Affine(x)

    def __add__(self, other: Affine | str | int) -> Affine:
        other = Affine.of(other)
        merged = dict(self.terms)
        for s, c in other.terms:
            merged[s] = merged.get(s, 0) + c
        return Affine(self.const + other.const, tuple(merged.items()))

    __radd__ = __add__

    def __neg__(self) -> Affine:
        return self * -1

    def __sub__(self, other: Affine | str | int) -> Affine:
        return self + Affine.of(other) * -1

    def __rsub__(self, other: Affine | str | int) -> Affine:
        return Affine.of(other) - self

    def __mul__(self, factor: int) -> Affine:
        return Affine(self.const * factor, tuple((s, c * factor) for s, c in self.terms))

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Affine) and self.const == other.const and dict(self.terms) == dict(other.terms)

    def __hash__(self) -> int:
        return hash((self.const, frozenset(self.terms)))

    def coefficient(self, symbol: str) -> int:
        """Coefficient of a symbol, 0 if it does not occur."""
        for s, c in self.terms:
            if s == symbol:
                return c
        return 0

    def symbols(self) -> tuple[str, ...]:
        """The symbols that occur."""
        return tuple(s for s, _ in self.terms)

    def substitute(self, values: Mapping[str, Affine]) -> Affine:
        """Replace symbols by affine expressions."""
        result = Affine(self.const)
        for s, c in self.terms:
            result = result + (values[s] * c if s in values else Affine.var(s, c))
        return result

    def bounds(self, extents: Mapping[str, int]) -> tuple[int, int] | None:
        """Least and greatest value for symbols in `range(extent)`; None if a symbol has no known
        extent."""
        low = high = self.const
        for s, c in self.terms:
            if s not in extents:
                return None
            last = c * (extents[s] - 1)
            low, high = low + min(0, last), high + max(0, last)
        return low, high

    def __repr__(self) -> str:
        parts = [s if c == 1 else f"-{s}" if c == -1 else f"{c}*{s}" for s, c in self.terms]
        if self.const or not parts:
            parts.append(str(self.const))
        return " + ".join(parts).replace("+ -", "- ")


def address(shape: Sequence[int], indices: Sequence[Affine | str | int]) -> Affine:
    """Address of an element of a row-major array from one index per dimension.

    >>> address((4, 10), ("i", Affine.var("j") + 1))
    10*i + j + 1
    """
    if len(shape) != len(indices):
        raise ValueError(f"address: {len(indices)} indices for shape {tuple(shape)}")
    result, stride = Affine(), 1
    for size, index in zip(reversed(shape), reversed(indices), strict=True):
        result = Affine.of(index) * stride + result
        stride *= size
    return result
