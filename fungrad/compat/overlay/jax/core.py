"""``jax.core``, of which JAX documents few names; the others are those that libraries ask for."""

from typing import Any

import numpy as np

from fungrad.api_util import shaped_abstractify
from fungrad.compat.rows import Row, adapter, alias, inert

NAMES: dict[str, Row] = {
    name: alias(f"fungrad.core:{name}")
    for name in ("AbstractValue", "Atom", "ShapedArray", "Trace", "Tracer", "ensure_compile_time_eval", "eval_context",
                 "eval_jaxpr", "max_dim", "min_dim")
} | {
    name: alias(f"fungrad.extend.core:{name}", "equinox haiku")
    for name in ("concrete_or_error", "get_opaque_trace_state", "jaxprs_in_params", "set_current_trace", "subjaxprs",
                 "take_current_trace", "valid_jaxtype")
}  # fmt: skip

NAMES["get_aval"] = adapter(shaped_abstractify, "equinox")
NAMES["ParamDict"] = adapter(dict[str, Any])
NAMES["pytype_aval_mappings"] = inert({np.ndarray: shaped_abstractify}, "tensorflow_probability")
