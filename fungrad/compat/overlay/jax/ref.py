"""``jax.ref``."""

from fungrad.compat.rows import Row, inert


class _AbstractRef:
    """The type of references, of which there are none."""


NAMES: dict[str, Row] = {}

UNTIL_NATIVE: dict[str, Row] = {
    "AbstractRef": inert(_AbstractRef, "flax"),
}
