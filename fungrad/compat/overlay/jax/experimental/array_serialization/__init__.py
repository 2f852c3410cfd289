"""``jax.experimental.array_serialization``: see ``serialization``."""

from fungrad.compat.rows import Row

NAMES: dict[str, Row] = {}
