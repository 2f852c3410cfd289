"""``jax.interpreters``."""

from fungrad.compat.rows import Row

NAMES: dict[str, Row] = {}
