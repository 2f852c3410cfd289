"""``jax.extend.sharding``: shardings in the form of XLA."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = refused_all(
    "jax.extend.sharding",
    """
    GSPMDSharding get_hlo_sharding_from_serialized_proto get_op_sharding_from_serialized_proto
    get_serialized_proto_from_hlo_sharding
    """,
    "there is no XLA; use jax.sharding.NamedSharding",
)
