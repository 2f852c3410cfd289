"""The stages of a jitted function: traced, lowered, compiled (see ``fungrad.jit``)."""

from fungrad.jit.front.aot import Compiled, Lowered, Traced

__all__ = ["Compiled", "Lowered", "Traced"]
