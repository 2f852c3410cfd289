"""``jax._src.lax``: the modules in which JAX defines its operations."""

from fungrad.compat.rows import Row

NAMES: dict[str, Row] = {}
