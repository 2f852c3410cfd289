"""``jax.experimental.key_reuse``: it has no names; ``jax.debug_key_reuse`` does what it describes."""

from fungrad.compat.rows import Row

NAMES: dict[str, Row] = {}
