"""``jax.interpreters.partial_eval``."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = {
    **refused_all(
        "jax.interpreters.partial_eval",
        "dce_jaxpr_call_rule dce_jaxpr_closed_call_rule",
        "what is not used is left out of jaxprs without rules; use dce_jaxpr",
    ),
}
