"""``jax.experimental``."""

from fungrad.compat.rows import Row, alias, refused

NAMES: dict[str, Row] = {
    "EArray": alias("jax._src.earray:EArray"),
    "cur_qdd": refused(
        "jax.experimental.cur_qdd",
        "values of a MutableHiType cannot be given to transformations; hold what changes in a reference (jax.new_ref)",
    ),
    "primal_tangent_dtype": refused(
        "jax.experimental.primal_tangent_dtype",
        "no dtype has tangents of another one; convert the cotangent in a function with custom_vjp",
    ),
    "enable_x64": alias("fungrad:enable_x64", "numpyro ott-jax"),
    "io_callback": alias("fungrad.experimental:io_callback"),
}
