"""``jax._src.util``: small functions on sequences."""

from typing import Any

from fungrad.api_util import safe_map
from fungrad.compat.rows import Row, adapter


def _safe_zip(*args: Any) -> list[tuple]:
    return safe_map(lambda *xs: xs, *args)


def _unzip2(pairs: Any) -> tuple[tuple, tuple]:
    pairs = list(pairs)
    return tuple([a for a, _ in pairs]), tuple([b for _, b in pairs])


NAMES: dict[str, Row] = {
    "safe_map": adapter(safe_map, "kfac-jax"),
    "safe_zip": adapter(_safe_zip, "kfac-jax"),
    "unzip2": adapter(_unzip2, "kfac-jax"),
}
