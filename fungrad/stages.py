"""The stages of a jitted function: traced, lowered, compiled (see ``fungrad.jit``)."""

from fungrad.core.public_names import publish as _publish
from fungrad.jit.front.aot import ArgInfo, Compiled, Lowered, Traced, Wrapped

# Options of XLA by name, which have no effect here.
CompilerOptions = dict[str, str | bool | int | float]


__all__ = ["ArgInfo", "CompilerOptions", "Compiled", "Lowered", "Traced", "Wrapped"]

_publish(globals(), __name__, __all__)
