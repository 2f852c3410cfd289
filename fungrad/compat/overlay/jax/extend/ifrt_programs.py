"""``jax.extend.ifrt_programs``: programs for remote runtimes, of which there are none."""

from fungrad.compat.rows import Row, inert

NAMES: dict[str, Row] = {
    "ifrt_programs": inert(None, "orbax"),
}
