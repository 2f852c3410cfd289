"""``jax.experimental.layout``: how arrays lie in the memory of devices."""

from typing import Any

from fungrad.compat.rows import Row, inert


class Layout:
    """A layout; arrays are in C order."""

    def __init__(self, major_to_minor: Any = None, *_: Any):
        self.major_to_minor = major_to_minor


class Format:
    """A pair of a layout and a sharding."""

    def __init__(self, layout: Any = None, sharding: Any = None):
        self.layout, self.sharding = layout, sharding


NAMES: dict[str, Row] = {}

UNTIL_NATIVE: dict[str, Row] = {
    "Format": inert(Format, "flax orbax"),
    "Layout": inert(Layout, "flax orbax"),
}
