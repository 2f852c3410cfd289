"""``jax._src.lib.mlir.dialects.hlo``: what lowering rules that build MLIR import; they are never called here."""

from fungrad.compat.rows import Row

NAMES: dict[str, Row] = {}
