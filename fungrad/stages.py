"""The stages of a jitted function: traced, lowered, compiled (see ``fungrad.jit``)."""

from typing import Any, Protocol

from fungrad.core.public_names import publish as _publish
from fungrad.jit.front.aot import ArgInfo, Compiled, Lowered, Traced

# Options of XLA by name, which have no effect here.
CompilerOptions = dict[str, str | bool | int | float]


class Wrapped(Protocol):
    """What ``jit`` returns: a function that can be called, traced and lowered."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function."""

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """Traces the function for arguments of these types."""

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Traces and lowers the function for arguments of these types."""


__all__ = ["ArgInfo", "CompilerOptions", "Compiled", "Lowered", "Traced", "Wrapped"]

_publish(globals(), __name__, __all__)
