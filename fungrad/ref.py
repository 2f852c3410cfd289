"""Mutable arrays: references, and functions that read and write them."""

from fungrad.core.public_names import publish
from fungrad.core.refs import AbstractRef, Ref, addupdate, empty_ref, free_ref, freeze, get, new_ref, set, swap

__all__ = ["AbstractRef", "Ref", "addupdate", "empty_ref", "free_ref", "freeze", "get", "new_ref", "set", "swap"]

publish(globals(), __name__, __all__)
