"""``jax._src.compiler``, which chex patches to forbid compilation."""

from fungrad.compat.rows import Row, refused

NAMES: dict[str, Row] = {
    "backend_compile_and_load": refused(
        "jax._src.compiler.backend_compile_and_load", "programs are compiled without XLA", "chex"
    ),
}
