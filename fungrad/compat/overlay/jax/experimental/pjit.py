"""``jax.experimental.pjit``: an older name of ``jit``."""

from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {
    "pjit": alias("fungrad:jit", "orbax"),
}
