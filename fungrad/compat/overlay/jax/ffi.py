"""``jax.ffi``: calls of foreign functions with the binary interface of XLA."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = refused_all(
    "jax.ffi",
    """
    build_ffi_lowering_function ffi_call ffi_lowering include_dir pycapsule register_ffi_target
    register_ffi_target_as_batch_partitionable register_ffi_type register_ffi_type_id
    """,
    "there is no XLA whose interface it is; call foreign code with jax.pure_callback, or compile kernels of numba "
    "into programs with fungrad.extend",
)
