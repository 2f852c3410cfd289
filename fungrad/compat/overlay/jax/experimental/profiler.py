"""``jax.experimental.profiler``: profiles in the format of XLA."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = refused_all(
    "jax.experimental.profiler",
    """
    get_profiled_instructions_proto
    """,
    "there is no XLA; jax.profiler.trace writes JSON",
)
