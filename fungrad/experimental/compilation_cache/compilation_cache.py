"""Where compiled programs are kept, as programs written for JAX say it."""

from __future__ import annotations

import os

from fungrad.config import config
from fungrad.core.public_names import publish


def set_cache_dir(path: str | os.PathLike[str]) -> None:
    """Sets the option ``jax_compilation_cache_dir``, which is accepted and has no effect.

    Compiled programs are kept in any case, in the directory that the environment variable ``FUNGRAD_CACHE_DIR`` names.

    Args:
      path: the directory.

    Example:
      >>> from fungrad.experimental.compilation_cache import compilation_cache
      >>> compilation_cache.set_cache_dir("/tmp/programs")
    """
    config.update("jax_compilation_cache_dir", os.fspath(path))


def reset_cache() -> None:
    """Without effect: a program is found again by what it computes, whatever has been set meanwhile."""


__all__ = ["reset_cache", "set_cache_dir"]

publish(globals(), __name__, __all__)
