"""``jax.experimental.source_mapper``: places in the sources of what JAX compiles."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = refused_all(
    "jax.experimental.source_mapper",
    """
    MappingsGenerator Pass SourceMap SourceMapDump all_passes canonicalize_filename compile_with_env
    create_mlir_sourcemap filter_passes generate_sourcemaps register_pass
    """,
    "it is about MLIR; fungrad.explain shows which line each part of a program comes from",
)
