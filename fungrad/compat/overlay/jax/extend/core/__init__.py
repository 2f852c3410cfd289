"""``jax.extend.core``."""

from fungrad.compat.rows import Row, alias, refused_all

NAMES: dict[str, Row] = {
    **refused_all(
        "jax.extend.core",
        "CallPrimitive call_impl",
        "no primitive has functions among its operands; a jaxpr is a parameter of the primitive here",
    ),
    "primitives": alias("jax.extend.core.primitives"),
}
