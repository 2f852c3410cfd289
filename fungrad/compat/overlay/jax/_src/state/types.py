"""``jax._src.state.types``."""

from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {
    "AbstractRef": alias("jax.ref:AbstractRef", "flax"),
}
