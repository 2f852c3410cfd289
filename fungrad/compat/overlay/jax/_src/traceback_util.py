"""``jax._src.traceback_util``: which frames JAX hides in tracebacks."""

from collections.abc import Callable
from typing import Any

from fungrad.compat.rows import Row, adapter, inert, nothing


def _api_boundary(fun: Callable | None = None, **options: Any) -> Any:
    """The function itself."""
    return (lambda f: f) if fun is None else fun


NAMES: dict[str, Row] = {
    "api_boundary": inert(_api_boundary, "ott-jax"),
    "include_frame": adapter(lambda frame: True, "equinox jaxtyping"),
    "register_exclusion": inert(nothing, "equinox flax jaxtyping"),
    "_exclude_paths": inert([], "flax"),
}
