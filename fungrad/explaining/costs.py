"""The roofline model: the least time of a step, from what it costs and what the machine can do.

The estimate is the larger of two: the time of moving the bytes (from the cache if all arrays of the program fit into
it), and that of computing, with the rates of `rates`.

May import ``jit`` and ``explaining.rates``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fungrad.explaining.rates import Rates
from fungrad.jit.ir.cost import Cost
from fungrad.jit.ir.loops import Program


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
