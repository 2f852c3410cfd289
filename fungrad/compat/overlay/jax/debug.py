"""``jax.debug``."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = {
    **refused_all(
        "jax.debug",
        "DebugEffect OrderedDebugEffect",
        "effects have no kinds: they happen in the order of the program",
    ),
}
