"""The libraries under test, with the few names that rows need.

Each is imported in its own process only.
"""

from __future__ import annotations

import importlib
from typing import Any


class JaxLike:
    """fungrad or JAX: the same names."""

    def __init__(self, name: str):
        self.name = name
        self.root = importlib.import_module(name)
        self.np = importlib.import_module(f"{name}.numpy")
        self.lax = importlib.import_module(f"{name}.lax")
        self.nn = importlib.import_module(f"{name}.nn")
        self.random = importlib.import_module(f"{name}.random")
        self.tree = importlib.import_module(f"{name}.tree_util")
        self.optim = importlib.import_module("fungrad.optim" if name == "fungrad" else "optax")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.root, name)

    def asarray(self, x: Any) -> Any:
        """An array of the library."""
        return self.np.asarray(x)

    def done(self, result: Any) -> Any:
        """Waits for asynchronous results."""
        return self.root.block_until_ready(result)


class Plain:
    """A library that rows use through its own names."""

    def __init__(self, name: str):
        self.name = name
        self.root = importlib.import_module(
            {"autograd": "autograd", "torch": "torch", "torchc": "torch"}.get(name, name)
        )
        if name == "autograd":
            self.np = importlib.import_module("autograd.numpy")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.root, name)


def load(name: str) -> Any:
    """The library called ``name``."""
    return JaxLike(name) if name in ("fungrad", "jax") else Plain(name)


ALL = ("fungrad", "jax", "torch", "autograd", "numpy", "numba")
