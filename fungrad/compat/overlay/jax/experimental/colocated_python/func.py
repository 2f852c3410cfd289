"""``jax.experimental.colocated_python.func``: of JAX's own use."""

from fungrad.compat.rows import Row

NAMES: dict[str, Row] = {}
