"""``jax.experimental.serialize_executable``: compiled programs as bytes."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = refused_all(
    "jax.experimental.serialize_executable",
    """
    serialize deserialize_and_load
    """,
    "compiled programs are kept by the cache on disk by themselves; write functions with jax.export",
)
