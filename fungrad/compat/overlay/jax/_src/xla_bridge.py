"""``jax._src.xla_bridge``."""

from fungrad.compat.rows import Row, alias, inert

NAMES: dict[str, Row] = {
    "_backends": inert({}, "chex"),
    "get_backend": alias("jax.extend.backend:get_backend", "chex"),
}
