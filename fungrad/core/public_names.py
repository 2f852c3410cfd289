"""Public modules: guarded functions, names that are loaded late, tab completion of public names only, and where a
missing name is.

A facade is a package that has the names of many modules. What `import fungrad` loads would be most of the library if
facades imported them: so the largest ones do so for type checkers only, and `publish` gets the same imports as a table,
which ``python -m tools.facades`` writes from them (``_names.py`` beside the facade). A name is loaded, and its function
guarded, when somebody asks for it the first time.

May import ``core``.
"""

from __future__ import annotations

import difflib
import importlib.util
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fungrad import locks
from fungrad.core.arguments import guard, guarded
from fungrad.core.source import filter_exception

# Public modules in the order in which a name is looked for. They are above this one and are loaded only when somebody
# asks for a name that does not exist.
_MODULES = (
    "fungrad", "fungrad.numpy", "fungrad.nn", "fungrad.lax", "fungrad.random", "fungrad.optim",
    "fungrad.optim.losses", "fungrad.optim.projections", "fungrad.optim.contrib", "fungrad.optim.tree",
    "fungrad.numpy.fft", "fungrad.numpy.linalg", "fungrad.lax.linalg",
    "fungrad.scipy.linalg", "fungrad.scipy.special", "fungrad.scipy.stats", "fungrad.scipy.fft", "fungrad.scipy.signal",
    "fungrad.scipy.ndimage", "fungrad.scipy.interpolate", "fungrad.scipy.integrate", "fungrad.scipy.optimize",
    "fungrad.scipy.sparse.linalg", "fungrad.scipy.cluster.vq", "fungrad.scipy.spatial.transform",
    "fungrad.nn.initializers", "fungrad.tree", "fungrad.tree_util", "fungrad.debug", "fungrad.image",
    "fungrad.custom_batching", "fungrad.experimental.checkify", "fungrad.export",
    "fungrad.flatten_util", "fungrad.test_util", "fungrad.extend", "fungrad.errors",
    "fungrad.ref",
)  # fmt: skip

# Names of JAX (and, for fungrad.optim, of optax) that may be asked for. One that exists meanwhile is never looked up.
_NOT_YET = {
    "fungrad": "ffi",
    "fungrad.lax": "rng_uniform",
    "fungrad.debug": "log",
}  # fmt: skip

_THEIRS = {"fungrad.optim": "optax"}


def missing(module: str, name: str) -> AttributeError:
    """The error for a name that a public module does not have: says where it is, or what it may have been meant to be.

    Args:
      module: name of the module.
      name: what was asked for.
    """
    text = f"module {module!r} has no attribute {name!r}"
    if not name.startswith("_"):
        text += _advice(module, name)
    error = AttributeError(text)
    error.name = name
    return error


def _public(module: str) -> Iterable[str]:
    return getattr(importlib.import_module(module), "__all__", ())


def _advice(module: str, name: str) -> str:
    places = [m for m in _MODULES if m != module and name in _public(m)]
    if places:
        return f"; it is {' or '.join(f'{m}.{name}' for m in places[:2])}"
    if name in _NOT_YET.get(module, "").split():
        theirs = _THEIRS.get(module, module.replace("fungrad", "jax", 1))
        return f"; {theirs}.{name} is not in fungrad yet"
    for other, names in _NOT_YET.items():
        if name in names.split():
            return f"; {_THEIRS.get(other, other.replace('fungrad', 'jax', 1))}.{name} is not in fungrad yet"
    if module == "fungrad.numpy" and hasattr(np, name):
        return f"; numpy.{name} is not in fungrad"
    close = difflib.get_close_matches(name, list(_public(module)), n=2)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def public_names(names: dict[str, Any], *modules: str, later: Mapping[str, str] | None = None) -> list[str]:
    """The public names of a facade, for its ``__all__``: each is written once, in its import.

    They are all names that are bound or loaded later and do not begin with an underscore; of the modules those that are
    public themselves (:func:`publish` has completed them) or are named here.

    Args:
      names: the globals of the facade.
      *modules: modules that are public although nothing has completed them.
      later: see :func:`publish`.
    """

    def public(name: str) -> bool:
        if name.startswith("_") or name == "TYPE_CHECKING":
            return False
        value = names[name]
        return not isinstance(value, types.ModuleType) or name in modules or "__getattr__" in vars(value)

    return sorted({*filter(public, names), *_places(later or {})})


def _places(later: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """For each name that is loaded later its module and what it is called there."""
    out = {}
    for home, words in later.items():
        for word in words.split():
            name, _, original = word.partition("=")
            out[name] = home, original or name
    return out


def _loaded(home: str) -> Any:
    """A module of the library, imported if nobody has done so."""
    module = sys.modules.get(home)
    if module is None or getattr(module.__spec__, "_initializing", False):
        with locks.imports:
            module = importlib.import_module(home)
    return module


def publish(
    names: dict[str, Any],
    module: str,
    public: Iterable[str],
    exempt: tuple[str, ...] = (),
    early: Iterable[str] = (),
    later: Mapping[str, str] | None = None,
) -> None:
    """Completes a public module.

    Its functions are guarded, ``dir`` gives the public names, and asking for one that does not exist says where it is.

    Args:
      names: the globals of the module, changed in place.
      module: its name.
      public: the public names.
      exempt: functions that are not guarded, because they word all their errors themselves.
      early: functions whose arguments are checked before the call, because they only keep them for later.
      later: names that are loaded when they are asked for, in words, by the module that has them; ``ndarray=Array`` is
        one that is called otherwise there. Submodules are names of the module itself.
    """
    guard(names, module, public, exempt, early)
    places = _places(later or {})

    def attribute(name: str) -> Any:
        place = places.get(name)
        if place is not None:
            home, original = place
            if home == module:
                return _loaded(f"{module}.{name}")
            value = getattr(_loaded(home), original)
            if type(value) is types.FunctionType and name not in exempt:
                value = guarded(f"{module}.{name}", value, name in early)
            # Another thread may have been first: there is one object of a name.
            return names.setdefault(name, value)
        # `from package import module` asks here for a submodule that has not been imported, or is being imported.
        inner = f"{module}.{name}"
        if inner in sys.modules:
            return sys.modules[inner]
        if "__path__" in names and importlib.util.find_spec(inner) is not None:
            return _loaded(inner)
        error = missing(module, name)
        try:
            raise error
        except AttributeError:
            filter_exception(error)
            raise

    def directory() -> list[str]:
        return sorted({*public, *(name for name in names if name.startswith("__"))})

    names.setdefault("__getattr__", attribute)
    names.setdefault("__dir__", directory)
