"""``jax.dtypes``."""

from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {
    "result_type": alias("fungrad.numpy:result_type", "optax"),
}
