"""``jax._src.interpreters.pxla``."""

from fungrad.compat.rows import Row, inert

NAMES: dict[str, Row] = {
    "global_result_handlers": inert({}, "flax"),
}
