"""``jax._src.flatten_util``."""

from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {
    "ravel_pytree": alias("fungrad.flatten_util:ravel_pytree", "blackjax"),
}
