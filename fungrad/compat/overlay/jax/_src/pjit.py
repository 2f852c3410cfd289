"""``jax._src.pjit``."""

from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {
    "jit_p": alias("fungrad.extend.core.primitives:jit_p", "quax"),
}
