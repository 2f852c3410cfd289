"""How the elements of an array lie in memory, together with where the array is.

Arrays are in C order, so that of all layouts there is the one whose dimensions are in their own order.

May import nothing else of fungrad.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.core.source import api_class


class _Auto:
    """Stands for the layout that the compiler chooses: C order."""

    def __repr__(self) -> str:
        return "AUTO"


@api_class
class Layout:
    """The order of an array's dimensions in memory.

    Args:
      major_to_minor: the dimensions, that with the largest stride first.
      tiling: must be None.
      sub_byte_element_size_in_bits: must be 0.

    Raises:
      NotImplementedError: ``tiling`` or ``sub_byte_element_size_in_bits`` is something else.

    Example:
      >>> from fungrad.experimental.layout import Layout
      >>> Layout((0, 1))
      Layout(major_to_minor=(0, 1))
    """

    AUTO = _Auto()

    def __init__(
        self, major_to_minor: Sequence[int], tiling: None = None, sub_byte_element_size_in_bits: int = 0
    ) -> None:
        if tiling is not None or sub_byte_element_size_in_bits:
            raise NotImplementedError(
                "fungrad.experimental.layout.Layout: memory has neither tiles nor parts of bytes, got "
                f"tiling={tiling!r}, sub_byte_element_size_in_bits={sub_byte_element_size_in_bits!r}; leave them out"
            )
        self.major_to_minor = tuple(major_to_minor)
        self.tiling = None
        self.sub_byte_element_size_in_bits = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and other.major_to_minor == self.major_to_minor

    def __hash__(self) -> int:
        return hash((Layout, self.major_to_minor))

    def __repr__(self) -> str:
        return f"Layout(major_to_minor={self.major_to_minor})"


@api_class
class Format:
    """A layout and a sharding, for ``device_put``.

    Args:
      layout: a ``Layout``, ``Layout.AUTO`` or None.
      sharding: a sharding, or None for where the array is anyway.

    Raises:
      TypeError: one of them is something else.
      ValueError: there is a layout without a sharding.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.ones((2, 3)).format.layout
      Layout(major_to_minor=(0, 1))
    """

    __slots__ = ("layout", "sharding")

    def __init__(self, layout: Layout | _Auto | None = None, sharding: Any = None) -> None:
        api = "fungrad.experimental.layout.Format"
        if not isinstance(layout, (Layout, _Auto, type(None))):
            raise TypeError(f"{api}: layout must be a Layout, Layout.AUTO or None, got {layout!r}")
        if sharding is not None and not hasattr(type(sharding), "device_set"):
            raise TypeError(f"{api}: sharding must be a Sharding or None, got {sharding!r}")
        if isinstance(layout, Layout) and sharding is None:
            raise ValueError(f"{api}: a Layout needs a Sharding, got layout={layout!r} and sharding=None")
        self.layout = layout
        self.sharding = sharding

    def check_shape(self, shape: Sequence[int], api: str) -> None:
        """Raises ValueError unless arrays of ``shape`` are so: in C order."""
        if isinstance(self.layout, Layout) and self.layout.major_to_minor != tuple(range(len(shape))):
            raise ValueError(
                f"{api}: arrays are in C order, Layout({tuple(range(len(shape)))}) for shape {tuple(shape)}, got "
                f"{self.layout}"
            )
        check = getattr(self.sharding, "check_shape", None)
        if check is not None:
            check(shape, api)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and (other.layout, other.sharding) == (self.layout, self.sharding)

    def __hash__(self) -> int:
        return hash((Format, self.layout, self.sharding))

    def __repr__(self) -> str:
        return f"Format(layout={self.layout}, sharding={self.sharding})"
