"""``jax.custom_derivatives``."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = {
    **refused_all("jax.custom_derivatives", "remat_opt_p", "no jaxpr contains this primitive; use custom_vjp"),
}
