"""``jax.experimental``."""

from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {
    "enable_x64": alias("fungrad:enable_x64", "numpyro ott-jax"),
    "io_callback": alias("fungrad.experimental:io_callback"),
}
