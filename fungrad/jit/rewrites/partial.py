"""Partial results of sums: accumulators whose parts are kept in memory and combined later.

What passes that split reductions have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fungrad.jit.ir.facts import declared_cells
from fungrad.jit.ir.loops import Acc, Affine, Buffer, Const, Load, Loop, Program, Store, Update
from fungrad.jit.ir.ops import neutral
from fungrad.jit.ir.traverse import map_bodies, walk
from fungrad.jit.kernels.scalars import FLOATS, NUMPY_DTYPES


@dataclass(frozen=True)
class Partial:
    """Partial results of an accumulator in memory.

    Attributes:
      acc: the accumulator.
      results: one per part.
      exponents: for products of floating point numbers, by which power of two each result is scaled.
    """

    acc: Acc
    results: Buffer
    exponents: Buffer | None = None

    @property
    def _exponent(self) -> str:
        return f"{self.acc.name}.e"

    def declare(self) -> Acc:
        """The accumulator of a part."""
        return Acc(self.acc.name, self.acc.op, self.acc.type, None, None if self.exponents is None else self._exponent)

    def store(self, place: Affine) -> list[Any]:
        """Put the result of a part into memory."""
        stores = [Store(self.results.name, place, self.acc.name)]
        if self.exponents is not None:
            stores.append(Store(self.exponents.name, place, self._exponent))
        return stores

    def resume(self, place: Affine) -> list[Any]:
        """Combine a part with the accumulator."""
        value, exponent = f"{self.acc.name}.p", f"{self.acc.name}.pe"
        if self.exponents is None:
            return [Load(value, self.results.name, place), Update(self.acc.name, value)]
        return [
            Load(value, self.results.name, place),
            Load(exponent, self.exponents.name, place),
            Update(self.acc.name, value, Affine.var(exponent)),
        ]

    def begin(self, place: Affine) -> list[Any]:
        """Put the initial value into memory."""
        acc = self.acc
        start = acc.init if isinstance(acc.init, Const) else Const(neutral(acc.op, acc.type), acc.type)
        stores = [Store(self.results.name, place, start)]
        if self.exponents is not None:
            stores.append(Store(self.exponents.name, place, Const(0, "i64")))
        return stores

    def add(self, place: Affine) -> list[Any]:
        """Combine the accumulator with a part in memory."""
        if self.exponents is None:
            return [Store(self.results.name, place, self.acc.name, update=self.acc.op)]
        return [*self.resume(place), *self.store(place)]

    def result(self, place: Affine) -> list[Any]:
        """The result by its name."""
        if self.exponents is None:
            return [Load(self.acc.name, self.results.name, place)]
        return [Acc(self.acc.name, self.acc.op, self.acc.type), *self.resume(place)]


def partial(program: Program, acc: Acc, shape: tuple[int, ...]) -> Partial:
    """Temporaries for partial results of an accumulator."""
    results = program.temporary(f"{acc.name}.part", NUMPY_DTYPES[acc.type], shape)
    if acc.op != "mul" or acc.type not in FLOATS:
        return Partial(acc, results)
    exponents = program.temporary(f"{acc.name}.exponent", NUMPY_DTYPES["i64"], shape)
    return Partial(acc, results, exponents)


def in_pieces(parts: Sequence[Partial], piece: str, pieces: int, body: Sequence[Any]) -> tuple[Loop, Loop]:
    """A parallel loop over pieces, each of which leaves its results in memory, and the loop that combines those."""
    place = Affine.var(piece)
    inside = [*(p.declare() for p in parts), *body, *(s for p in parts for s in p.store(place))]
    return Loop(piece, pieces, inside, parallel=True), Loop(piece, pieces, [s for p in parts for s in p.resume(place)])


def redirected(s: Any, copies: Mapping[str, Buffer], piece: str | None = None) -> Any:
    """A statement with accesses to some buffers moved to their copies; to the row of a piece in these, if that is
    given."""
    if s.is_access and s.buffer in copies:
        copy = copies[s.buffer]
        row = Affine() if piece is None else Affine.var(piece, copy.shape[1])
        return s.replace(buffer=copy.name, index=s.index + row)
    return map_bodies(lambda body: [redirected(t, copies, piece) for t in body], s)


def around_first_loop(
    body: Sequence[Any], chosen: Callable[[Loop], bool] = lambda loop: True
) -> tuple[Sequence[Any], Loop | None, Sequence[Any]]:
    """Statements before the first loop, or the first that is chosen, the loop, and what follows it."""
    for k, s in enumerate(body):
        if type(s) is Loop and chosen(s):
            return body[:k], s, body[k + 1 :]
    return body, None, []


def only_reduces(loop: Loop, accs: list[Acc]) -> bool:
    """Whether a loop has no effect but to update plain accumulators, all of which are known."""
    names = {a.name for a in accs if a.op not in ("argmax", "argmin")} | declared_cells(loop.body)
    if loop.ordered or loop.parallel or loop.vector:
        return False
    for s in walk(loop.body):
        if type(s) is Update:
            if s.acc not in names or s.position is not None:
                return False
        elif s.WRITES or s.is_sequential or s.is_branch:
            return False
    return True
