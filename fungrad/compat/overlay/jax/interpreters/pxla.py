"""``jax.interpreters.pxla``."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = {
    **refused_all("jax.interpreters.pxla", "create_compile_options", "programs are compiled by LLVM, without XLA"),
}
