"""``jax._src.state``."""

from fungrad.compat.rows import Row

NAMES: dict[str, Row] = {}
