"""``jax.interpreters.ad``."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = {
    **refused_all("jax.interpreters.ad", "linearize", "it takes trees in a private form of JAX; use jax.linearize"),
}
