"""``jax.extend.pallas``: the kernel language Pallas."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = refused_all(
    "jax.extend.pallas",
    """
    GridMapping register_lowering_rule
    """,
    "there is no Pallas; compile kernels of numba into programs with fungrad.extend",
)
