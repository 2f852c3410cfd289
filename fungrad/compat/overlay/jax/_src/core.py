"""``jax._src.core``."""

from fungrad.compat.rows import Row, adapter, alias
from fungrad.core.context import EVAL, state

NAMES: dict[str, Row] = {
    "AbstractValue": alias("fungrad.core:AbstractValue", "flax quax"),
    "ClosedJaxpr": alias("fungrad.extend.core:ClosedJaxpr", "quax"),
    "Jaxpr": alias("fungrad.extend.core:Jaxpr", "quax"),
    "Primitive": alias("fungrad.extend.core:Primitive", "quax"),
    "ShapedArray": alias("fungrad.core:ShapedArray", "flax"),
    "Trace": alias("jax.core:Trace", "quax"),
    "TraceTag": alias("fungrad.extend.core:TraceTag", "quax"),
    "Tracer": alias("jax.core:Tracer", "flax quax"),
    "full_lower": adapter(lambda x: x, "quax"),
    "jaxpr_as_fun": alias("fungrad.extend.core:jaxpr_as_fun", "quax"),
    "physical_aval": adapter(lambda aval: aval, "flax"),
    "set_current_trace": alias("fungrad.extend.core:set_current_trace", "quax"),
    "take_current_trace": alias("fungrad.extend.core:take_current_trace", "quax"),
    "trace_state_clean": adapter(lambda: state.trace is EVAL, "numpyro"),
}
