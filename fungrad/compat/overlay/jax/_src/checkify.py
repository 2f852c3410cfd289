"""``jax._src.checkify``."""

from fungrad.compat.rows import Row, alias

NAMES: dict[str, Row] = {
    name: alias(f"fungrad.experimental.checkify:{name}", "flax")
    for name in ("Error", "all_checks", "automatic_checks", "check", "check_error", "checkify", "div_checks",
                 "float_checks", "index_checks", "nan_checks", "user_checks")
}  # fmt: skip
