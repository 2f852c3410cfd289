"""``jax._src.api``."""

from fungrad.compat.overlay.jax._src.api_util import infer_argnums_and_argnames
from fungrad.compat.rows import Row, adapter, alias

NAMES: dict[str, Row] = {
    "_infer_argnums_and_argnames": adapter(infer_argnums_and_argnames, "e3nn-jax"),
    **{name: alias(f"fungrad:{name}", "tutorials") for name in (
        "grad", "hessian", "jacfwd", "jacrev", "jit", "jvp", "linearize", "make_jaxpr", "value_and_grad", "vjp", "vmap",
    )},
}  # fmt: skip
