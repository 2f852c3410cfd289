"""``jax.extend.core``."""

from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {
    "primitives": alias("jax.extend.core.primitives"),
}
