"""``jax.experimental.roofline``: estimates of what programs cost on accelerators."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = refused_all(
    "jax.experimental.roofline",
    """
    RooflineResult RooflineRuleContext RooflineShape register_roofline register_standard_roofline
    roofline roofline_and_grad
    """,
    "it is about accelerators; Compiled.cost_analysis() and fungrad.explain say what a program costs here",
)
