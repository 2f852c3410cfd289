"""``jax.extend``: modules of JAX's own machinery, of which little has a meaning here."""

from fungrad.compat.rows import Row

NAMES: dict[str, Row] = {}
