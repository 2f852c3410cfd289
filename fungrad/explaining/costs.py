"""What the steps of a compiled program cost: bytes, operations, and a roofline estimate of their time.

Estimates count every element that a step touches once per step, whatever the caches hold, and every elementary function
as one operation. The estimate of time is the larger of two: that of moving the bytes (from the cache if all arrays of
the program fit into it), and that of computing, with the rates of `rates`.

May import ``jit`` and ``explaining.rates``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fungrad.explaining.rates import Rates
from fungrad.jit.ir import products
from fungrad.jit.ir.cost import operation_cost
from fungrad.jit.ir.loops import (
    Branch,
    Call,
    Host,
    Let,
    Load,
    Loop,
    Nest,
    Parallel,
    Prefix,
    Program,
    Repeat,
    Rows,
    Series,
    Store,
    Update,
    View,
    While,
)
from fungrad.jit.ir.traverse import children, walk, walk_in_loops


@dataclass(frozen=True)
class Cost:
    """What one run of a step costs.

    Attributes:
      read, written: bytes.
      flops: operations; an elementary function is one.
      work: operations, weighted: an elementary function counts what it is made of.
      vectors: whether it computes with vectors.
      parallel: whether threads share it.
    """

    read: int = 0
    written: int = 0
    flops: float = 0.0
    work: float = 0.0
    vectors: bool = True
    parallel: bool = False

    @property
    def moved(self) -> int:
        """Bytes read and written."""
        return self.read + self.written

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.read + other.read,
            self.written + other.written,
            self.flops + other.flops,
            self.work + other.work,
            self.vectors and other.vectors,
            self.parallel or other.parallel,
        )


def cost_of(program: Program, step: Any) -> Cost:
    """The cost of one run of a step without control flow."""
    kind = type(step)
    if kind is Nest:
        return _of_nest(program, step)
    if kind in (Call, Host):
        read = sum(_bytes(program, v) for v in step.inputs)
        written = sum(_bytes(program, v) for v in step.outputs)
        flops = 0.0
        if products.is_product(step):
            flops = 2.0 * products.work(step) * (4 if program.buffers[step.outputs[0].buffer].is_complex else 1)
        elif kind is Call and step.routine == "library":
            flops = 2.0 * step.outputs[0].shape[0] * step.attributes["call"].cost
        parallel = program.target.threads and flops > 1e6
        return Cost(read, written, flops, flops / 2, True, parallel)
    total = Cost()
    for nested in children(step):
        for s in nested:
            total += cost_of(program, s)
    shared = kind in (Rows, Parallel) and program.target.threads
    return Cost(total.read, total.written, total.flops, total.work, total.vectors, shared or total.parallel)


def _bytes(program: Program, view: View) -> int:
    buffer = program.buffers[view.buffer]
    return min(math.prod(view.shape) * buffer.dtype.itemsize, buffer.nbytes)


def _of_nest(program: Program, nest: Nest) -> Cost:
    touched: tuple[dict[str, int], dict[str, int]] = ({}, {})
    flops = work = 0.0
    for s, extents in walk_in_loops(nest.body, {}):
        if type(s) in (Load, Store):
            buffer = program.buffers[s.buffer]
            symbols = s.index.symbols()
            known = [extents[x] for x in symbols if x in extents]
            # A computed index may be anywhere: as many elements as there are iterations.
            counts = known if len(known) == len(symbols) else list(extents.values())
            size = min(math.prod(counts) * buffer.dtype.itemsize, buffer.nbytes)
            updates = type(s) is Store and s.update is not None
            for written in (False, True) if updates else (type(s) is Store,):
                table, name = touched[written], program.root(s.buffer).name
                table[name] = max(table.get(name, 0), size)
        times = math.prod(extents.values())
        if type(s) in (Let, Update, Prefix) or (type(s) is Store and s.update is not None):
            if type(s) is Let and s.op in _FREE:
                continue
            flops += times
            work += times * _weight(s)
    loops = [s for s in walk(nest.body) if type(s) is Loop]
    return Cost(
        sum(touched[0].values()),
        sum(touched[1].values()),
        flops,
        work,
        any(s.vector for s in loops) or not loops,
        any(s.parallel for s in loops),
    )


# What moves or renames numbers is no operation.
_FREE = frozenset(("copy", "convert", "bitcast", "select", "and", "or", "not"))


def _weight(s: Any) -> float:
    return operation_cost(s) if type(s) is Let else 1.0


@dataclass(frozen=True)
class Estimate:
    """The roofline of a step.

    Attributes:
      seconds: of one run.
      bound: ``memory``, ``cache`` or ``compute``: what the step would wait for on an ideal machine of these rates.
      intensity: operations per byte.
    """

    seconds: float
    bound: str
    intensity: float


def estimate(program: Program, cost: Cost, known: Rates) -> Estimate:
    """The least time that a step can take by the rates of the machine."""
    every = int(cost.parallel)
    resident = sum(b.nbytes for b in program.buffers.values() if b.alias is None and b.kind != "temp")
    resident += program.arena_bytes
    fits = resident <= program.target.l2_bytes
    bandwidth = known.cache if fits else known.memory[every]
    # A product adds and multiplies in one instruction; other arithmetic does one thing at a time.
    single = known.flops[every] / 2
    lanes = max(program.target.vector_bytes // 4, 1)
    computing = cost.work / (single if cost.vectors else single / lanes)
    moving = cost.moved / bandwidth
    intensity = cost.flops / cost.moved if cost.moved else math.inf
    bound = "compute" if computing > moving else "cache" if fits else "memory"
    return Estimate(max(computing, moving), bound, intensity)


def repeats(steps: Sequence[Any], times: float = 1.0) -> list[tuple[Any, float, str]]:
    """The steps that compute, in order, with how often each runs and what is around it.

    How often a ``while`` loop goes round is not known: its steps count once, and so do those of all branches.
    """
    found: list[tuple[Any, float, str]] = []
    for s in steps:
        kind = type(s)
        if kind is Repeat:
            found += _inside(f"repeat {s.extent}", repeats(s.steps, times * s.extent))
        elif kind is While:
            for body in (s.test, s.steps):
                found += _inside("while", repeats(body, times))
        elif kind is Branch:
            for k, body in enumerate(s.branches):
                found += _inside(f"case {k}", repeats(body, times))
        elif kind is Series:
            found += repeats(s.steps, times)
        else:
            found.append((s, times, ""))
    return found


def _inside(what: str, steps: list[tuple[Any, float, str]]) -> list[tuple[Any, float, str]]:
    return [(s, times, f"{what}, {within}" if within else what) for s, times, within in steps]
