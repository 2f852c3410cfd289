"""Programs that measure themselves: every step adds its time and its runs to a table.

Time is that of the system's monotonic clock on the thread that calls; what other threads do for a step falls into it,
since a step ends when all of them are done. Reading the clock takes some 25 ns, twice per step.

May import what ``llvm.program`` imports.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from fungrad.jit.ir.loops import Program
from fungrad.jit.ir.traverse import children
from fungrad.jit.llvm.program import ProgramEmitter


class TimedEmitter(ProgramEmitter):
    """Writes a program with a clock around every step.

    Attributes:
      timed: the steps that are measured, in the order of the rows of `table`.
      table: nanoseconds and runs of every step, added up over calls; programs write to it by address.
    """

    def __init__(self, program: Program):
        super().__init__(program)
        self.timed: list[Any] = []
        self.table = np.zeros((_count(program.steps), 2), np.int64)
        self.module.declarations["@clock_gettime"] = "declare i32 @clock_gettime(i32, ptr)"
        # One variable for the clock, in the entry block: in a loop it would eat up the stack.
        self.pollers.append("%clock = alloca [2 x i64], align 8")

    def step(self, step: Any) -> None:
        if step.is_control or self.in_function:
            super().step(step)
            return
        address = self.table.ctypes.data + 16 * len(self.timed)
        self.timed.append(step)
        start = self._now()
        super().step(step)
        end, spent = self._now(), self.register()
        self.lines.append(f"{spent} = sub i64 {end}, {start}")
        for place, amount in ((address, spent), (address + 8, "1")):
            before, after = self.register(), self.register()
            self.lines += [
                f"{before} = load i64, ptr inttoptr (i64 {place} to ptr), align 8",
                f"{after} = add i64 {before}, {amount}",
                f"store i64 {after}, ptr inttoptr (i64 {place} to ptr), align 8",
            ]

    def _now(self) -> str:
        """The time in nanoseconds, as an operand."""
        seconds, at, rest, scaled, now = (self.register() for _ in range(5))
        self.lines += [
            f"call i32 @clock_gettime(i32 {time.CLOCK_MONOTONIC}, ptr %clock)",
            f"{seconds} = load i64, ptr %clock, align 8",
            f"{at} = getelementptr inbounds i64, ptr %clock, i64 1",
            f"{rest} = load i64, ptr {at}, align 8",
            f"{scaled} = mul i64 {seconds}, 1000000000",
            f"{now} = add i64 {scaled}, {rest}",
        ]
        return now


def _count(steps: Any) -> int:
    """How many of some steps, and of those that they run, are measured."""
    return sum(sum(map(_count, children(s))) if s.is_control else 1 for s in steps)
