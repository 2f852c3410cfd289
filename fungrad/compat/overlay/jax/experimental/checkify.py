"""``jax.experimental.checkify``."""

from fungrad.compat.rows import Row, inert


class _ErrorCategory:
    """The class of errors of checks."""


NAMES: dict[str, Row] = {}

UNTIL_NATIVE: dict[str, Row] = {
    "ErrorCategory": inert(_ErrorCategory, "chex"),
}
