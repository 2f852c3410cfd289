"""Array values as formulas: what lowering rules build and the fuser cuts into loop nests.

A `Tensor` is one of

* `Source`: memory that exists: an input of the program or the result of an opaque step;
* `Compute`: a formula for one element in terms of its position;
* `Reduction`: elements of a formula combined along some axes;
* `Running`: the same with every intermediate result kept;
* `Scatter`: updates of elements at computed positions.

Formulas are `Expr` graphs over loads of other tensors at positions. A position is an `Idx`: linear in the axes of the
tensor, with quotients and remainders where a reshape needs them and computed integers where a gather does. Nothing here
decides what is kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fungrad.core.avals import ShapedArray
from fungrad.jit.ir import provenance


class Axis:
    """One dimension of an index space, identified by the object itself."""

    __slots__ = ("extent",)

    def __init__(self, extent: int):
        self.extent = extent

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

    def __repr__(self) -> str:
        return f"({self.index} {'//' if self.kind == 'div' else '%'} {self.divisor})"


class Dynamic:
    """An integer computed at run time: an element of an index array, already in range.

    Attributes:
      expr: scalar formula over `axes`.
      axes: the axes of the tensor whose formula `expr` is part of.
      positions: where those axes are.
    """

    __slots__ = ("expr", "axes", "positions", "_hash")

    def __init__(self, expr: Expr, axes: tuple[Axis, ...], positions: tuple[Idx, ...]):
        self.expr = expr
        self.axes = axes
        self.positions = positions
        self._hash = hash((id(expr), positions))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dynamic) and self.expr is other.expr and self.positions == other.positions

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
            if type(atom) is Axis:
                first, last = 0, max(atom.extent - 1, 0)
            elif type(atom) is Part:
                if atom.kind == "mod":
                    first, last = 0, atom.divisor - 1
                else:
                    inner = atom.index.bounds()
                    if inner is None:
                        return None
                    first, last = inner[0] // atom.divisor, inner[1] // atom.divisor
            else:
                return None
            low += min(c * first, c * last)
            high += max(c * first, c * last)
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

    def substitute(self, env: dict[Axis, Idx]) -> Idx:
        """Axes replaced by indices."""
        terms = self.terms
        if not terms:
            return self
        if len(terms) == 1 and not self.const:
            # Most indices are a counter and nothing else.
            ((atom, c),) = terms.items()
            if c == 1 and type(atom) is Axis:
                return env.get(atom, self)
        result = Idx(self.const, {})
        for atom, c in self.terms.items():
            if type(atom) is Axis:
                new = env.get(atom)
                result = result + (Idx(0, {atom: c}) if new is None else new * c)
            elif type(atom) is Part:
                inner = atom.index.substitute(env)
                new = inner // atom.divisor if atom.kind == "div" else inner % atom.divisor
                result = result + new * c
            elif type(atom) is Dynamic:
                moved = Dynamic(atom.expr, atom.axes, tuple([p.substitute(env) for p in atom.positions]))
                result = result + Idx(0, {moved: c})
        return result

    def axes(self) -> set[Axis]:
        """The axes that it depends on."""
        found: set[Axis] = set()
        for atom in self.terms:
            if type(atom) is Axis:
                found.add(atom)
            elif type(atom) is Part:
                found |= atom.index.axes()
            elif type(atom) is Dynamic:
                for p in atom.positions:
                    found |= p.axes()
        return found

    def dynamics(self) -> Iterator[Dynamic]:
        """The run-time integers in it."""
        for atom in self.terms:
            if type(atom) is Dynamic:
                yield atom
            elif type(atom) is Part:
                yield from atom.index.dynamics()

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


# -- scalar formulas -------------------------------------------------------------------------------------------------


class Expr:
    """A scalar formula over the axes of one tensor. `type` is a scalar type of `jit.kernels.scalars`."""

    __slots__ = ("type",)
    type: str


class Number(Expr):
    """A constant."""

    __slots__ = ("value",)

    def __init__(self, value: Any, type: str):
        self.value = value
        self.type = type


class Position(Expr):
    """An index as a number."""

    __slots__ = ("index",)

    def __init__(self, index: Idx, type: str):
        self.index = index
        self.type = type


class Element(Expr):
    """An element of another tensor."""

    __slots__ = ("tensor", "index")

    def __init__(self, tensor: Tensor, index: tuple[Idx, ...], type: str):
        self.tensor = tensor
        self.index = index
        self.type = type


class Apply(Expr):
    """A scalar operation; several results if `type` is a tuple.

    Attributes:
      op: name for printing, and the operation itself if `fn` is None.
      fn: scalar function `fn(m, *args)`.
      cost: rough number of additions that it is worth.
    """

    __slots__ = ("op", "args", "fn", "cost")

    def __init__(self, op: str, args: Sequence[Expr], type: Any, fn: Callable[..., Any] | None = None, cost: int = 1):
        self.op = op
        self.args = tuple(args)
        self.type = type
        self.fn = fn
        self.cost = cost


class Item(Expr):
    """One result of an `Apply` with several."""

    __slots__ = ("apply", "number")

    def __init__(self, apply: Apply, number: int):
        self.apply = apply
        self.number = number
        self.type = apply.type[number]


class Guard(Expr):
    """`value` where `condition` holds, else `other`; elements in `value` are read only where it holds."""

    __slots__ = ("condition", "value", "other")

    def __init__(self, condition: Expr, value: Expr, other: Expr):
        self.condition = condition
        self.value = value
        self.other = other
        self.type = value.type


def operands_of(expr: Expr) -> tuple[Expr, ...]:
    """Formulas that `expr` is made of."""
    kind = type(expr)
    if kind is Apply:
        return expr.args  # type: ignore[attr-defined]
    if kind is Item:
        return (expr.apply,)  # type: ignore[attr-defined]
    if kind is Guard:
        return (expr.condition, expr.value, expr.other)  # type: ignore[attr-defined]
    return ()


def known_quotients(condition: Expr, env: dict[Axis, Idx]) -> dict[Any, int]:
    """Quotients of positions that are known where a condition holds: it says that they leave no rest, and there is one
    multiple of the divisor in their range."""
    if type(condition) is not Apply or condition.fn is not None:
        return {}
    if condition.op == "and":
        return known_quotients(condition.args[0], env) | known_quotients(condition.args[1], env)
    position, number = (*condition.args, None, None)[:2]
    if condition.op != "eq" or type(position) is not Position or type(number) is not Number or number.value:
        return {}
    index = position.index.substitute(env)
    ((part, c),) = index.terms.items() if len(index.terms) == 1 else ((None, 0),)
    if type(part) is not Part or part.kind != "mod" or c != 1 or index.const:
        return {}
    low, high = part.index.bounds() or (0, 2 * part.divisor)
    least, greatest = -(-low // part.divisor), high // part.divisor
    return {Part("div", part.index, part.divisor): least} if least == greatest else {}


def free_axes(expr: Expr) -> set[Axis]:
    """The axes of its tensor on which a formula depends."""
    found: set[Axis] = set()
    stack, seen = [expr], set()
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        if type(x) is Element:
            for i in x.index:
                found |= i.axes()
        elif type(x) is Position:
            found |= x.index.axes()
        stack.extend(operands_of(x))
    return found


# -- tensors ---------------------------------------------------------------------------------------------------------


class Tensor:
    """A lazy array value.

    Attributes:
      aval: its type.
      rank: number of the tensor in order of creation: operands come before their users.
      made_by: the equation that it was made for; only there while a program is explained.
    """

    __slots__ = ("aval", "rank", "made_by")
    aval: ShapedArray
    rank: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions."""
        return self.aval.shape

    @property
    def dtype(self) -> np.dtype:
        """NumPy dtype."""
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.aval.ndim


class Source(Tensor):
    """An array in memory.

    Attributes:
      origin: the `Opaque` step that writes it, or None for an input.
      label: for printing.
    """

    __slots__ = ("origin", "label")

    def __init__(self, aval: ShapedArray, rank: int, origin: Any = None, label: str = ""):
        self.aval = aval
        self.rank = rank
        self.origin = origin
        self.label = label
        if provenance.state.thread:
            provenance.note(self)


class Formula(Tensor):
    """Base of tensors whose elements are given by a formula.

    Attributes:
      axes: one per dimension of the index space of `expr`: the dimensions of the result, then reduced ones.
      expr: the formula.
      reads: what `plan.reads_of` found; a formula does not change.
    """

    __slots__ = ("axes", "expr", "reads")
    axes: tuple[Axis, ...]
    expr: Expr
    reads: list[tuple[Tensor, tuple[Idx, ...]]]


class Compute(Formula):
    """Element `axes` is `expr`."""

    __slots__ = ()

    def __init__(self, aval: ShapedArray, rank: int, axes: Sequence[Axis], expr: Expr):
        self.aval, self.rank, self.axes, self.expr = aval, rank, tuple(axes), expr
        if provenance.state.thread:
            provenance.note(self)


class Reduction(Formula):
    """`expr` combined by `monoid` over the axes after the first `aval.ndim`.

    `monoid` may also be `argmax` or `argmin`, whose results are positions along the single reduced axis.
    """

    __slots__ = ("monoid",)

    def __init__(self, aval: ShapedArray, rank: int, axes: Sequence[Axis], expr: Expr, monoid: str):
        self.aval, self.rank, self.axes, self.expr, self.monoid = aval, rank, tuple(axes), expr, monoid
        if provenance.state.thread:
            provenance.note(self)

    @property
    def reduced(self) -> tuple[Axis, ...]:
        """The axes that are summed over."""
        return self.axes[self.aval.ndim :]


class Running(Formula):
    """`expr` combined by `monoid` with all elements before it along dimension `along` (after it if `reverse`).

    Beside those of reductions, the monoid may be `logaddexp`, or `linear` with a formula `factor`: then what comes
    before is multiplied with that, and `expr` added. What comes before is kept in the type of `expr`, which may be
    wider than that of the results.
    """

    __slots__ = ("monoid", "along", "reverse", "factor")

    def __init__(
        self,
        aval: ShapedArray,
        rank: int,
        axes: Sequence[Axis],
        expr: Expr,
        monoid: str,
        along: int,
        reverse: bool,
        factor: Expr | None = None,
    ):
        self.aval, self.rank, self.axes, self.expr, self.monoid = aval, rank, tuple(axes), expr, monoid
        self.along, self.reverse, self.factor = along, reverse, factor
        if provenance.state.thread:
            provenance.note(self)


class Scatter(Formula):
    """`operand` with `expr` stored, or combined by `monoid`, at `target`, for every position of `axes`.

    Attributes:
      target: index per dimension of the result, in terms of `axes`.
      condition: formula; False skips the element; None for always.
      distinct: whether no two positions have the same target, so that the order does not matter.
    """

    __slots__ = ("operand", "target", "condition", "monoid", "distinct")

    def __init__(
        self,
        operand: Tensor,
        rank: int,
        axes: Sequence[Axis],
        expr: Expr,
        target: Sequence[Idx],
        condition: Expr | None,
        monoid: str | None,
        distinct: bool = False,
    ):
        self.aval, self.rank, self.axes, self.expr = operand.aval, rank, tuple(axes), expr
        self.operand, self.target, self.condition = operand, tuple(target), condition
        self.monoid, self.distinct = monoid, distinct
        if provenance.state.thread:
            provenance.note(self)


class Opaque:
    """A step that works on whole arrays: a library call, a host call, or control flow.

    Attributes:
      kind: `gemm`, `host`, `repeat` ...
      operands: tensors that must be in memory when it runs.
      results: the sources that it writes.
      params: what the kind needs.
      rank: position in the order of creation.
      effects: must run even if no result is used.
      made_by: as that of tensors.
    """

    __slots__ = ("kind", "operands", "results", "params", "rank", "effects", "made_by")

    def __init__(self, kind: str, operands: Sequence[Tensor], params: dict[str, Any], rank: int, effects: bool = False):
        self.kind = kind
        self.operands = list(operands)
        self.results: list[Source] = []
        self.params = params
        self.rank = rank
        self.effects = effects
        if provenance.state.thread:
            provenance.note(self)
