"""Markers for cotangents that are added to references, or left out: see ``with_refs`` of what ``vjp`` returns."""

from fungrad.core.public_names import publish
from fungrad.transforms.linear_functions import DidntWant, DontWant, GradRef, GradValue

__all__ = ["DidntWant", "DontWant", "GradRef", "GradValue"]

publish(globals(), __name__, __all__)
