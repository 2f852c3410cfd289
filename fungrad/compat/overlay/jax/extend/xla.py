"""``jax.extend.xla``: transformations of the modules of XLA."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = refused_all(
    "jax.extend.xla",
    """
    PipelineStage clear_hlo_module_transformation register_hlo_module_transformation
    """,
    "there is no XLA; transform jaxprs (jax.make_jaxpr) instead",
)
