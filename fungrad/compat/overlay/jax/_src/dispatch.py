"""``jax._src.dispatch``."""

from fungrad.compat.rows import Row, alias, inert, nothing

NAMES: dict[str, Row] = {
    "apply_primitive": alias("fungrad.interpreters.xla:apply_primitive", "quax"),
    "wait_for_tokens": inert(nothing, "equinox"),
}
