"""Rows of the benchmark: what is measured, for which library.

A row is a function that is given a library and returns a thunk to time; the thunk returns its result, which is compared
between libraries.  fungrad and JAX share one definition, because their names are the same; other libraries have
variants::

    @row("elem/tanh_1e5")
    def tanh(lib):
        x = lib.asarray(data((100_000,)))
        f = lib.jit(lib.np.tanh)
        return lambda: lib.done(f(x))

    @tanh.variant("numpy")
    def _(lib):
        x = data((100_000,))
        return lambda: np.tanh(x)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

ROWS: dict[str, Row] = {}

Maker = Callable[[Any], Callable[[], Any]]


@dataclasses.dataclass
class Row:
    """One line of the table.

    Attributes:
      name: ``group/name``.
      make: for the libraries with JAX's names.
      variants: for others, by library name.
      tolerance: relative tolerance between the answers.
      bytes, flops: work of one call, for the percentage of the roofline (0: not stated).
    """

    name: str
    make: Maker
    variants: dict[str, Maker] = dataclasses.field(default_factory=dict)
    tolerance: float = 1e-4
    bytes: float = 0.0
    flops: float = 0.0

    def variant(self, *libraries: str) -> Callable[[Maker], Maker]:
        """Registers the definition for other libraries."""

        def register(make: Maker) -> Maker:
            for name in libraries:
                self.variants[name] = make
            return make

        return register

    def maker(self, library: str) -> Maker | None:
        """The definition for a library, or None if there is none."""
        if library in ("fungrad", "jax"):
            return self.variants.get(library, self.make)
        return self.variants.get(library)


def row(name: str, **facts: float) -> Callable[[Maker], Row]:
    """Decorator that adds a row."""

    def register(make: Maker) -> Row:
        ROWS[name] = Row(name, make, **facts)
        return ROWS[name]

    return register


def data(shape: tuple[int, ...], dtype: Any = np.float32, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """The same normally distributed numbers for every library."""
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)
