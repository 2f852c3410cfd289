"""``jax._src.lax.lax``: the names of ``jax.lax`` are looked up there."""

import fungrad.lax
from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {name: alias(f"fungrad.lax:{name}", "tutorials") for name in fungrad.lax.__all__}
