"""``jax._src.lib.mlir.dialects``: a package on the way to the operations of MLIR."""

from fungrad.compat.rows import Row

NAMES: dict[str, Row] = {}
