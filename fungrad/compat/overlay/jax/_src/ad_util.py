"""``jax._src.ad_util``."""

from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {
    "Zero": alias("fungrad.interpreters.ad:Zero", "quax"),
    "stop_gradient_p": alias("fungrad.extend.core.primitives:stop_gradient_p", "lineax"),
}
