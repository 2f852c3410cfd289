"""The libraries under test, with the few names that rows need of all of them.

Each is imported in its own process only.  Every one has ``name``, ``np`` (its NumPy-like functions), ``jit``,
``asarray``, ``done`` and ``set_x64``; all other names are those of the library.
"""

from __future__ import annotations

import functools
import importlib
import logging
import shutil
import warnings
from typing import Any


class Library:
    """What all have in common: no compiler, NumPy's arrays, synchronous execution."""

    def __init__(self, name: str, module: str, np_: str):
        self.name = name
        self.root = importlib.import_module(module)
        self.np = importlib.import_module(np_)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.root, name)

    def jit(self, f: Any) -> Any:
        """The function, compiled where the library can."""
        return f

    def asarray(self, x: Any) -> Any:
        """An array of the library."""
        return x

    def done(self, result: Any) -> Any:
        """Waits for asynchronous results."""
        return result

    def set_x64(self, on: bool) -> None:
        """Allows 64-bit results where they need allowing."""


class JaxLike(Library):
    """fungrad or JAX: the same names."""

    def __init__(self, name: str):
        super().__init__(name, name, f"{name}.numpy")

    lax = functools.cached_property(lambda self: importlib.import_module(f"{self.name}.lax"))
    nn = functools.cached_property(lambda self: importlib.import_module(f"{self.name}.nn"))
    random = functools.cached_property(lambda self: importlib.import_module(f"{self.name}.random"))
    tree = functools.cached_property(lambda self: importlib.import_module(f"{self.name}.tree_util"))
    optim = functools.cached_property(
        lambda self: importlib.import_module("fungrad.optim" if self.name == "fungrad" else "optax")
    )

    def jit(self, f: Any) -> Any:
        return self.root.jit(f)

    def asarray(self, x: Any) -> Any:
        return self.np.asarray(x)

    def done(self, result: Any) -> Any:
        return self.root.block_until_ready(result)

    def set_x64(self, on: bool) -> None:
        if self.root.config.jax_enable_x64 != on:
            self.root.config.update("jax_enable_x64", on)


class Torch(Library):
    """PyTorch, eager ("torch") or through ``torch.compile`` ("torchc"), which needs a C++ compiler."""

    def __init__(self, name: str):
        if name == "torchc" and not any(map(shutil.which, ("g++", "c++", "clang++"))):
            raise ImportError("torch.compile needs a C++ compiler, and none was found")
        super().__init__(name, "torch", "torch")
        logging.getLogger("torch").setLevel(logging.ERROR)
        warnings.simplefilter("ignore", FutureWarning)  # its compiler warns of its own parts

    def jit(self, f: Any) -> Any:
        return self.root.compile(f) if self.name == "torchc" else f

    def asarray(self, x: Any) -> Any:
        return self.root.as_tensor(x)


LOADERS = {
    "fungrad": JaxLike,
    "jax": JaxLike,
    "torch": Torch,
    "torchc": Torch,
    "autograd": lambda name: Library(name, "autograd", "autograd.numpy"),
    "numpy": lambda name: Library(name, "numpy", "numpy"),
    # By hand: loops in Python compiled by numba, with the mathematical functions of `numba_math`.
    "numba": lambda name: Library(name, "benchmarks.numba_math", "numpy"),
}
ALL = tuple(LOADERS)


def load(name: str) -> Any:
    """The library called ``name``; ImportError says why it cannot be measured here."""
    return LOADERS[name](name)
