"""``jax._src.earray``."""

from fungrad.compat.rows import Row, inert


class EArray:
    """JAX's class of arrays of its own dtypes; nothing is an instance."""


NAMES: dict[str, Row] = {
    "EArray": inert(EArray, "flax"),
}
