"""``jax.extend.source_info_util``."""

from fungrad.compat.rows import Row, inert, nothing

NAMES: dict[str, Row] = {
    "register_exclusion": inert(nothing, "flax"),
}
