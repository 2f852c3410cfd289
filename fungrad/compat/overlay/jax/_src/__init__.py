"""``jax._src``: private modules, only as far as libraries need them; each row names its libraries."""

from fungrad.compat.rows import Row

NAMES: dict[str, Row] = {}
