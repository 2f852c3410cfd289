"""Programs as users write them for JAX, run with either library.

Every program is a function of the library (the module ``jax`` or ``fungrad``) that returns a pytree of results: arrays,
Python values, texts, and ``Raised`` for calls that must fail.  ``tests/test_jax_programs.py`` runs each with both and
compares.
"""

from __future__ import annotations

import importlib
import re

PROGRAMS = {}


def program(f=None, *, tol=2e-5):
    """Registers a program under the name of its file and its own.

    Args:
      f: the program.
      tol: relative tolerance of floating point results, relative to the largest element.
    """
    if f is None:
        return lambda f: program(f, tol=tol)
    name = f"{f.__module__.rsplit('.', 1)[-1]}-{f.__name__}"
    if name in PROGRAMS:
        raise ValueError(f"two programs are called {name}")
    PROGRAMS[name] = (f, tol)
    return f


class Raised:
    """The exception that a call raised: its classes, most special first."""

    def __init__(self, error):
        self.names = [cls.__name__ for cls in type(error).__mro__]
        self.text = str(error)

    def __repr__(self):
        return f"Raised({self.names[0]}: {self.text[:200]})"


def raised(f, *args, **kwargs):
    """The exception of a call that must fail."""
    try:
        result = f(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the answer
        return Raised(error)
    raise AssertionError(f"expected an exception, got {result!r}")


def submodule(lib, name):
    """A module of the library that is imported on its own, such as ``test_util``."""
    return importlib.import_module(f"{lib.__name__}.{name}")


def jaxpr_text(jaxpr):
    """The text of a jaxpr on one line, without the parameters about sharding."""
    return " ".join(re.sub(r"\b(out_)?sharding=None\b", "", str(jaxpr)).split()).replace("[ ", "[").replace(" ]", "]")
