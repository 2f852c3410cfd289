"""Rows of the benchmark: what is measured, for which library.

A row is a function of a library.  Most say what arrays they want and return a function of them, which the harness
compiles where the library has a compiler.  fungrad and JAX share one definition, because their names are the same;
other libraries have variants::

    @row("elem/tanh_1e5", (100_000,), bytes=8e5)
    def tanh(lib):
        return lib.np.tanh

    tanh.variant("torch", "torchc")(lambda lib: lib.tanh)
    tanh.variant("numpy")(lambda lib: np.tanh)

A row without shapes returns instead the thunk to be timed, which returns its result; see ``rows/mlp.py``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

ROWS: dict[str, Row] = {}

Maker = Callable[[Any], Callable[..., Any]]


@dataclasses.dataclass
class Row:
    """One line of the table.

    Attributes:
      name: ``group/name``.
      make: for the libraries with JAX's names.
      inputs: shapes of the arrays that the made function is called with; without any it is a thunk.
      variants: for others, by library name.
      tolerance: relative tolerance between the answers.
      dtype: of the arrays; "float64" switches 64-bit mode on where a library has one.
      bytes, flops: least work of one call, for the percentage of the roofline: memory that must be read or written
        once (default: the inputs), and floating point operations of matrix products (or of loops over scalars).
    """

    name: str
    make: Maker
    inputs: tuple[tuple[int, ...], ...] = ()
    variants: dict[str, Maker] = dataclasses.field(default_factory=dict)
    tolerance: float = 1e-4
    dtype: str = "float32"
    bytes: float = 0.0
    flops: float = 0.0

    def __post_init__(self) -> None:
        if not self.bytes and not self.flops:  # at least, the arrays are read
            self.bytes = float(sum(math.prod(s) for s in self.inputs) * np.dtype(self.dtype).itemsize)

    def variant(self, *libraries: str) -> Callable[[Maker], Maker]:
        """Registers the definition for other libraries."""

        def register(make: Maker) -> Maker:
            for name in libraries:
                self.variants[name] = make
            return make

        return register

    def thunk(self, lib: Any) -> Callable[[], Any] | None:
        """What is timed in a library, or None if the row is not written for it."""
        maker = self.variants.get(lib.name, self.make if lib.name in ("fungrad", "jax") else None)
        if maker is None:
            return None
        lib.set_x64(self.dtype == "float64")
        made = maker(lib)
        if not self.inputs:
            return made
        arrays = [lib.asarray(data(shape, self.dtype, seed=i)) for i, shape in enumerate(self.inputs)]
        compiled = lib.jit(made)
        return lambda: lib.done(compiled(*arrays))


def row(name: str, *inputs: tuple[int, ...], **facts: Any) -> Callable[[Maker], Row]:
    """Decorator that adds a row."""

    def register(make: Maker) -> Row:
        ROWS[name] = Row(name, make, inputs, **facts)
        return ROWS[name]

    return register


def data(shape: tuple[int, ...], dtype: Any = np.float32, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """The same normally distributed numbers for every library."""
    return np.asarray(scale * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)
