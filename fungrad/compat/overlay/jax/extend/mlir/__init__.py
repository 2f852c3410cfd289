"""``jax.extend.mlir``."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = {
    **refused_all("jax.extend.mlir", """
        deserialize_portable_artifact hlo_to_stablehlo lower_with_sharding_in_types refine_polymorphic_shapes
        serialize_portable_artifact
    """, "programs are compiled by LLVM, without MLIR; write functions with jax.export"),
}
