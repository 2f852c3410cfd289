"""``jax._src.api``."""

from fungrad.compat.overlay.jax._src.api_util import infer_argnums_and_argnames
from fungrad.compat.rows import Row, adapter

NAMES: dict[str, Row] = {
    "_infer_argnums_and_argnames": adapter(infer_argnums_and_argnames, "e3nn-jax"),
}
