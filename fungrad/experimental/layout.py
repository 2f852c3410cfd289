"""Layouts of arrays in memory: all are in C order."""

from __future__ import annotations

from fungrad.core.formats import Format, Layout
from fungrad.core.public_names import publish

__all__ = ["Format", "Layout"]

publish(globals(), __name__, __all__)
