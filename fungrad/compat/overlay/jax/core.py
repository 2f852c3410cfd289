"""``jax.core``, of which JAX documents few names; the others are those that libraries ask for."""

from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {
    "AbstractValue": alias("fungrad.core:AbstractValue"),
    "ShapedArray": alias("fungrad.core:ShapedArray"),
    "Trace": alias("fungrad.core:Trace"),
    "Tracer": alias("fungrad.core:Tracer"),
    "eval_jaxpr": alias("fungrad.core:eval_jaxpr"),
    "ensure_compile_time_eval": alias("fungrad.core:ensure_compile_time_eval"),
}
