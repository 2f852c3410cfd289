"""``jax.extend.lowering``: lowering to MLIR."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = refused_all(
    "jax.extend.lowering",
    """
    JaxIrContext LoweringRuleContext upstream_dialects
    """,
    "there is no MLIR; a primitive is compiled as what its rule lower() computes (fungrad.extend)",
)
