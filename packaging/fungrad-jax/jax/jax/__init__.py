"""Stands for jax: the first import makes ``import jax`` and ``import jaxlib`` find fungrad."""

__fungrad_stub__ = True

from fungrad import compat as _compat

_compat.install()
