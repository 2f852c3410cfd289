"""``jax.profiler``: marks in traces that nobody takes."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from fungrad.compat.rows import Row, inert, refused, refused_all


class _Annotation(contextlib.ContextDecorator):
    """A context without effect."""

    def __init__(self, name: str = "", **_: Any):
        self.name = name

    def __enter__(self) -> "_Annotation":
        return self

    def __exit__(self, *error: Any) -> None:
        """Nothing to end."""


def _annotate_function(fun: Callable | None = None, name: str = "", **_: Any) -> Any:
    """The function itself."""
    return functools.partial(_annotate_function, name=name) if fun is None else fun


NAMES: dict[str, Row] = {
    **refused_all(
        "jax.profiler",
        "ProfileData ProfileEvent ProfilePlane",
        "they are the format of XLA's profiles; jax.profiler.trace writes JSON, which the json module reads",
    ),
    "register_subprocess": refused(
        "jax.profiler.register_subprocess", "each process writes a trace of its own; call jax.profiler.trace there"
    ),
}

UNTIL_NATIVE: dict[str, Row] = {
    "StepTraceAnnotation": inert(_Annotation, "flax"),
    "TraceAnnotation": inert(_Annotation, "e3nn-jax"),
    "annotate_function": inert(_annotate_function, "e3nn-jax"),
}
