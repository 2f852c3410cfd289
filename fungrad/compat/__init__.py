"""Runs programs and libraries written for JAX, unchanged, on fungrad.

``python -m fungrad.jax script.py`` runs a program whose ``import jax`` finds fungrad; `install` does the same for
the rest of a process. The names are those of JAX 0.10.2. Each module is a proxy that looks into an overlay
(``fungrad/compat/overlay``, one file per module of JAX), then into fungrad; what is in neither raises
``AttributeError``.

Example:
  >>> import fungrad.compat
  >>> fungrad.compat.install()  # doctest: +SKIP
  >>> import jax.numpy as jnp  # doctest: +SKIP
"""

from __future__ import annotations

import sys

from fungrad.compat.proxies import Finder, Miss, ProxyModule, misses
from fungrad.config import read_jax_variables

__all__ = ["Miss", "install", "installed", "missing"]


def installed() -> bool:
    """Whether ``import jax`` finds fungrad in this process."""
    return any(isinstance(finder, Finder) for finder in sys.meta_path)


def install() -> None:
    """Makes ``import jax`` and ``import jaxlib`` find fungrad, for the rest of the process.

    Call it before anything imports JAX. It is never called implicitly. Environment variables that set options of JAX
    (``JAX_ENABLE_X64``, ``JAX_DEBUG_NANS``, ``JAX_NUM_CPU_DEVICES``, ...) set those of fungrad.

    Raises:
      RuntimeError: JAX itself has been imported already.
      ValueError: a variable has a value that the option cannot have.

    Example:
      >>> import fungrad.compat
      >>> fungrad.compat.install()  # doctest: +SKIP
      >>> import optax  # doctest: +SKIP
    """
    for name in ("jax", "jaxlib"):
        module = sys.modules.get(name)
        if module is not None and not isinstance(module, ProxyModule) and not hasattr(module, "__fungrad_stub__"):
            raise RuntimeError(
                f"fungrad.compat.install: {name} itself has been imported in this process "
                f"({getattr(module, '__file__', 'no file')}), and its arrays cannot be mixed with fungrad's; call "
                "install() before anything imports jax, or run the program with `python -m fungrad.jax`"
            )
    if not installed():
        sys.meta_path.insert(0, Finder())
        read_jax_variables()
    for name in ("jax", "jaxlib"):  # what the distribution `fungrad-jax` has put there
        if hasattr(sys.modules.get(name), "__fungrad_stub__"):
            sys.modules[name] = ProxyModule(name)


def missing() -> list[Miss]:
    """Names of JAX that have been asked for in this process and are not here, with the places that asked.

    Programs may ask for a name only to see whether it exists, so not each of them is a fault.
    """
    return list(misses)
