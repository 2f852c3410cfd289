"""The rows of the tables in ``overlay``: what stands behind a name of JAX that fungrad does not have under it.

There are four kinds. An *alias* is another name of something in fungrad. An *adapter* does what JAX's does, by means of
fungrad. An *inert* name exists so that programs run, and does nothing here, which is right on one CPU. A *refused* name
exists so that modules can be imported, and raises when it is called.

May import the standard library only.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple, NoReturn


class Row(NamedTuple):
    """What stands behind one name.

    Attributes:
      kind: ``alias``, ``adapter``, ``inert`` or ``refused``.
      value: the object; of an alias, its place as ``module:name``.
      libraries: who asks for it, as one text; empty for names of JAX's documented interface.
    """

    kind: str
    value: Any
    libraries: str

    def resolve(self) -> Any:
        """The object behind the name."""
        if self.kind != "alias":
            return self.value
        module, _, name = self.value.partition(":")
        found = importlib.import_module(module)
        for part in name.split(".") if name else ():
            found = getattr(found, part)
        return found


def alias(place: str, libraries: str = "") -> Row:
    """Another name of ``module:name`` in fungrad (or of a module), imported when it is asked for."""
    return Row("alias", place, libraries)


def adapter(value: Any, libraries: str = "") -> Row:
    """Something that does what JAX's does, by means of fungrad."""
    return Row("adapter", value, libraries)


def inert(value: Any, libraries: str = "") -> Row:
    """Something that has nothing to do on one CPU."""
    return Row("inert", value, libraries)


def refused(name: str, why: str, libraries: str = "") -> Row:
    """A function that can be imported and raises ``NotImplementedError`` when it is called."""

    class Refused:
        """Exists so that it can be imported; calling it raises."""

        def __new__(cls, *args: Any, **kwargs: Any) -> NoReturn:  # type: ignore[misc]
            raise NotImplementedError(f"{name} cannot be used through fungrad.compat: {why}")

    Refused.__name__ = Refused.__qualname__ = name.rpartition(".")[2]
    return Row("refused", Refused, libraries)


def refused_all(module: str, names: str, why: str, libraries: str = "") -> dict[str, Row]:
    """The rows of a module of which nothing can be used.

    Args:
      module: name of the module.
      names: its names, divided by spaces.
      why: the reason, and what to do instead.
      libraries: who asks for them.
    """
    return {name: refused(f"{module}.{name}", why, libraries) for name in names.split()}


def nothing(*args: Any, **kwargs: Any) -> None:
    """Does nothing."""
