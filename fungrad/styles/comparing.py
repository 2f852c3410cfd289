"""``styles.compare``: the same training in four styles, side by side.

May import the styles.
"""

from __future__ import annotations

import inspect
import textwrap
import time
import tracemalloc
from typing import Any, NamedTuple

import numpy as np

from fungrad.styles import _programs


class Row(NamedTuple):
    """One style.

    Attributes:
      style: its name.
      lines: of the program, without blank ones, comments and docstrings.
      seconds: time of a step, without the first call: the time of twice as many steps less that of the steps.
      memory: bytes that Python and NumPy hold at most during the training, the data left out.
      hidden: what the program keeps where a reader does not see it.
      weights: what it ends with.
      error: the greatest difference from the functional program, eager; 0.0 is equality to the bit.
    """

    style: str
    lines: int
    seconds: float
    memory: int
    hidden: str
    weights: list[np.ndarray]
    error: float


class Comparison(list[Row]):
    """The rows; prints as a table."""

    def __str__(self) -> str:
        head = ["style", "lines", "time per step", "memory", "differs by", "hidden state"]
        body = [
            [
                r.style,
                str(r.lines),
                f"{r.seconds * 1e6:.0f} us",
                f"{r.memory / 1024:.0f} KiB",
                f"{r.error:.1e}" if r.error else "0",
                r.hidden,
            ]
            for r in self
        ]
        widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in [head, *body]
        ]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    __repr__ = __str__


def source(function: Any) -> list[str]:
    """The lines of a program, without its docstring."""
    text = textwrap.dedent(inspect.getsource(function)).split("\n")
    return [line for line in text if line.strip() and not line.strip().startswith(('"""', "#"))]


def _shortest(run: Any) -> float:
    """The least time of three runs."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)


def _differs(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return max(float(np.max(np.abs(x.reshape(-1) - y.reshape(-1)))) for x, y in zip(a, b, strict=True))


def compare(steps: int = 200, hidden: int = 3, examples: int = 100, show: bool = True) -> Comparison:
    """Trains one network in four styles over the same primitives, and compares the programs.

    Args:
      steps: steps of gradient descent.
      hidden: units of the hidden layer.
      examples: rows of the data, which is made here.
      show: whether to print the programs and the table.

    Returns:
      A row for each: functional (eager and compiled), tape, eager, sequential.

    Example:
      >>> from fungrad import styles
      >>> rows = styles.compare(steps=5, show=False)
      >>> [row.style for row in rows if row.error == 0.0]
      ['functional', 'tape', 'eager']
    """
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (examples, 2)).astype(np.float32)
    y = (x[:, :1] * x[:, 1:] > 0).astype(np.float32)
    shapes = [(2, hidden), (hidden,), (hidden, 1), (1,)]
    weights = [rng.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]

    programs = {
        "functional": (_programs.functional, {"jit": False}),
        "functional, jit": (_programs.functional, {}),
        "tape": (_programs.tape, {}),
        "eager": (_programs.eager, {}),
        "sequential": (_programs.sequential, {}),
    }
    rows = Comparison()
    for name, (program, options) in programs.items():

        def run(count: int, program: Any = program, options: Any = options) -> Any:
            return program(x, y, weights, 0.5, count, **options)

        trained = run(steps)
        seconds = (_shortest(lambda: run(2 * steps)) - _shortest(lambda: run(steps))) / steps
        tracemalloc.start()
        run(2)
        _, memory = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        reference = rows[0].weights if rows else trained
        kind = program.__name__
        rows.append(
            Row(
                name,
                len(source(program)),
                max(seconds, 0.0),
                memory,
                _programs.HIDDEN[kind],
                trained,
                _differs(reference, trained),
            )
        )
    if show:
        for kind, program in _programs.PROGRAMS.items():
            print(f"-- {kind}: {(program.__doc__ or '').strip()}", *source(program), "", sep="\n")
        print(rows)
    return rows
