"""Array values as formulas: what lowering rules build and the fuser cuts into loop nests.

A `Tensor` is one of

* `Source`: memory that exists: an input of the program or the result of an opaque step;
* `Compute`: a formula for one element in terms of its position;
* `Reduction`: elements of a formula combined along some axes;
* `Running`: the same with every intermediate result kept;
* `Scatter`: updates of elements at computed positions.

Formulas are `Expr` graphs over loads of other tensors at positions (`indices`). Nothing here decides what is kept in
memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fungrad.core.avals import ShapedArray, Typed
from fungrad.jit.formulas.indices import Axis, Idx, Part
from fungrad.jit.ir import provenance

# -- scalar formulas -------------------------------------------------------------------------------------------------


class Expr:
    """A scalar formula over the axes of one tensor. `type` is a scalar type of `jit.kernels.scalars`."""

    __slots__ = ("type",)
    type: str

    @property
    def operands(self) -> tuple[Expr, ...]:
        """Formulas that it is made of."""
        return ()

    @property
    def indices(self) -> tuple[Idx, ...]:
        """Positions that it is made of itself."""
        return ()


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

    @property
    def indices(self) -> tuple[Idx, ...]:
        return (self.index,)


class Element(Expr):
    """An element of another tensor."""

    __slots__ = ("tensor", "index")

    def __init__(self, tensor: Tensor, index: tuple[Idx, ...], type: str):
        self.tensor = tensor
        self.index = index
        self.type = type

    @property
    def indices(self) -> tuple[Idx, ...]:
        return self.index


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

    @property
    def operands(self) -> tuple[Expr, ...]:
        return self.args


class Item(Expr):
    """One result of an `Apply` with several."""

    __slots__ = ("apply", "number")

    def __init__(self, apply: Apply, number: int):
        self.apply = apply
        self.number = number
        self.type = apply.type[number]

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.apply,)


class Guard(Expr):
    """`value` where `condition` holds, else `other`; elements in `value` are read only where it holds."""

    __slots__ = ("condition", "value", "other")

    def __init__(self, condition: Expr, value: Expr, other: Expr):
        self.condition = condition
        self.value = value
        self.other = other
        self.type = value.type

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.condition, self.value, self.other)


def subformulas(roots: Iterable[Expr]) -> Iterator[Expr]:
    """Some formulas and all that they are made of, each once, operands after their users; not those of computed
    indices."""
    stack, seen = list(roots)[::-1], set()
    while stack:
        x = stack.pop()
        if x not in seen:
            seen.add(x)
            yield x
            stack.extend(reversed(x.operands))


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
    return set().union(*[i.axes() for x in subformulas([expr]) for i in x.indices])


# -- tensors ---------------------------------------------------------------------------------------------------------


class Tensor(Typed):
    """A lazy array value.

    Attributes:
      aval: its type.
      rank: number of the tensor in order of creation: operands come before their users.
      made_by: the equation that it was made for; only there while a program is explained.
    """

    __slots__ = ("aval", "rank", "made_by")
    aval: ShapedArray
    rank: int


class Source(Tensor):
    """An array in memory.

    Attributes:
      origin: the `Opaque` step that writes it, or None for an input.
    """

    __slots__ = ("origin",)

    def __init__(self, aval: ShapedArray, rank: int, origin: Any = None):
        self.aval = aval
        self.rank = rank
        self.origin = origin
        if provenance.state.thread:
            provenance.note(self)


class Formula(Tensor):
    """Base of tensors whose elements are given by a formula.

    Attributes:
      axes: one per dimension of the index space of `expr`: the dimensions of the result, then reduced ones.
      expr: the formula.
      monoid: what combines elements, None if nothing does.
      updates: the tensor in whose memory the results are made, None if it is new memory.
      in_order: whether its elements are made one after the other.
    """

    __slots__ = ("axes", "expr", "_reads")
    axes: tuple[Axis, ...]
    expr: Expr
    _reads: list[Read]
    monoid: Any = None
    in_order: ClassVar[bool] = False

    @property
    def updates(self) -> Tensor | None:
        return None

    @property
    def roots(self) -> tuple[Expr, ...]:
        """All formulas that it is made of: `expr` and what some kinds have besides."""
        return (self.expr,)

    def loop_kind(self, d: int) -> str:
        """What a loop over an axis goes through: results in `p`arallel or in `s`equence, or what is `r`educed."""
        return "p"

    @property
    def reads(self) -> list[Read]:
        """The elements that the formula reads, in terms of its axes, without looking into other formulas."""
        try:
            return self._reads
        except AttributeError:
            self._reads = self._find_reads()  # kept, since a formula does not change
            return self._reads

    def _find_reads(self) -> list[Read]:
        found: dict[Read, None] = {}

        def visit(i: Idx) -> None:
            for d in i.dynamics():
                # The formula of a computed index belongs to some tensor's axes: put it at its position.
                env = dict(zip(d.own_axes, d.positions, strict=True))
                note([d.expr], env)

        def note(formulas: Iterable[Expr], env: dict[Axis, Idx]) -> None:
            for x in subformulas(formulas):
                indices = tuple([i.substitute(env) for i in x.indices]) if env else x.indices
                if type(x) is Element:
                    found[x.tensor, indices] = None
                for i in indices:
                    visit(i)

        note(self.roots, {})
        for i in self._own_indices():
            visit(i)
        return list(found)

    def _own_indices(self) -> tuple[Idx, ...]:
        """Positions that it is made of beside those in its formulas."""
        return ()


# An element of a tensor.
Read = tuple[Tensor, tuple[Idx, ...]]


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

    def loop_kind(self, d: int) -> str:
        return "p" if d < self.aval.ndim else "r"


class Running(Formula):
    """`expr` combined by `monoid` with all elements before it along dimension `along` (after it if `reverse`).

    Beside those of reductions, the monoid may be `logaddexp`, or `linear` with a formula `factor`: then what comes
    before is multiplied with that, and `expr` added. What comes before is kept in the type of `expr`, which may be
    wider than that of the results.
    """

    __slots__ = ("monoid", "along", "reverse", "factor")
    in_order = True

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

    @property
    def roots(self) -> tuple[Expr, ...]:
        return (self.expr,) if self.factor is None else (self.expr, self.factor)

    def loop_kind(self, d: int) -> str:
        return "s" if d == self.along else "p"


class Scatter(Formula):
    """`operand` with `expr` stored, or combined by `monoid`, at `target`, for every position of `axes`.

    Attributes:
      target: index per dimension of the result, in terms of `axes`.
      condition: formula; False skips the element; None for always.
      distinct: whether no two positions have the same target, so that the order does not matter.
    """

    __slots__ = ("operand", "target", "condition", "monoid", "distinct")
    in_order = True

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

    @property
    def roots(self) -> tuple[Expr, ...]:
        return (self.expr,) if self.condition is None else (self.expr, self.condition)

    @property
    def updates(self) -> Tensor:
        return self.operand

    def loop_kind(self, d: int) -> str:
        return "s"

    def _own_indices(self) -> tuple[Idx, ...]:
        return self.target


# -- steps on whole arrays -------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Opaque:
    """A step that works on whole arrays: a library call, a host call, or control flow. Its class says which.

    Attributes:
      operands: tensors that must be in memory when it runs.
      effects: must run even if no result is used.
      results: the sources that it writes.
      rank: position in the order of creation.
      made_by: as that of tensors.
    """

    operands: Sequence[Tensor]
    effects: bool = field(default=False, kw_only=True)
    results: list[Source] = field(default_factory=list, init=False)
    rank: int = field(default=0, init=False)
    made_by = None

    def __post_init__(self) -> None:
        if provenance.state.thread:
            provenance.note(self)


@dataclass(eq=False)
class HostStep(Opaque):
    """The Python function `fn` on arrays."""

    name: str
    fn: Callable[..., Any]


@dataclass(eq=False)
class ProductStep(Opaque):
    """A matrix product of operands with dimensions (batch, rows, inner) and (batch, inner, columns).

    Attributes:
      groups: how many dimensions are batch, rows, inner and columns.
      sizes: rows, inner and columns.
    """

    groups: tuple[int, int, int, int]
    sizes: tuple[int, int, int]


@dataclass(eq=False)
class ConvolutionStep(Opaque):
    """A convolution by the routine of a name; `geometry` says the rest."""

    routine: str
    geometry: Any


@dataclass(eq=False)
class KernelStep(Opaque):
    """A kernel of a user's, compiled by numba."""

    kernel: Any


@dataclass(eq=False)
class RoutineStep(Opaque):
    """A routine on whole arrays, such as sorting, by name."""

    routine: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class LibraryStep(Opaque):
    """Functions of a compiled library on the items of a batch; `call` is a `LibraryCall`."""

    call: Any


@dataclass(eq=False)
class ItemsStep(Opaque):
    """Scalar code `fn` on all elements of an item, for each item along the last dimension."""

    name: str
    fn: Callable[..., Any]


@dataclass(eq=False)
class ScanStep(Opaque):
    """A loop over slices that carries values along.

    Attributes:
      body: graph of one iteration.
      groups: how many operands are constants, carries and scanned arrays.
      length: number of iterations.
      reverse: whether it begins with the last slices.
    """

    body: Any
    groups: tuple[int, int, int]
    length: int
    reverse: bool


@dataclass(eq=False)
class WhileStep(Opaque):
    """A loop that tests a condition.

    Attributes:
      condition, body: graphs.
      groups: how many operands are constants of the condition, constants of the body, and carries.
      masked: whether each example of a batch goes on by itself.
    """

    condition: Any
    body: Any
    groups: tuple[int, int, int]
    masked: bool


@dataclass(eq=False)
class CondStep(Opaque):
    """A choice between the graphs `branches` by the first operand."""

    branches: Sequence[Any]
