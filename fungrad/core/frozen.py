"""Small classes whose instances never change, made without the cost of dataclasses.

A dataclass compiles the text of six methods, half a millisecond at every start of the library. Here one text is
compiled, that of the constructor; comparing, hashing and printing are shared functions that go through the fields.
Classes that people are to call functions of ``dataclasses`` on (``replace``, ``fields``) are dataclasses.

May import nothing of the library.
"""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar, dataclass_transform

MISSING: Any = object()
_Class = TypeVar("_Class", bound=type)


class Field:
    """What stands beside a field in the text of a class.

    Attributes:
      default: its value if none is given; ``MISSING`` for none.
      factory: makes that value.
      role: what the field is for, if the class asks for that.
    """

    __slots__ = ("default", "factory", "role")

    def __init__(self, default: Any = MISSING, factory: Any = None, role: str | None = None):
        self.default = default
        self.factory = factory
        self.role = role


def fields_of(cls: type) -> dict[str, Field]:
    """The fields that the text of a class declares, in order."""
    fields = {}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if not str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            given = vars(cls).get(name, MISSING)
            fields[name] = given if isinstance(given, Field) else Field(given)
    return fields


def constructor(cls: type, fields: dict[str, Field], assignment: str) -> Any:
    """The ``__init__`` of a class.

    Args:
      cls: the class; its ``__post_init__`` is called if there is one.
      fields: arguments, in order.
      assignment: a statement that sets the field ``{name}``.
    """
    scope: dict[str, Any] = {"missing": MISSING, "set": object.__setattr__}
    arguments, lines = ["self"], []
    for name, field in fields.items():
        if field.factory is not None:
            scope[f"make_{name}"] = field.factory
            arguments.append(f"{name}=missing")
            lines.append(f"if {name} is missing: {name} = make_{name}()")
        elif field.default is not MISSING:
            scope[f"default_{name}"] = field.default
            arguments.append(f"{name}=default_{name}")
        else:
            arguments.append(name)
        lines.append(assignment.format(name=name))
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(arguments)}):\n " + "\n ".join(lines or ["pass"]), scope)
    made = scope["__init__"]
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    made.__annotations__ = {name: vars(cls)["__annotations__"][name] for name in fields}
    return made


def _equal(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return all(getattr(self, name) == getattr(other, name) for name in self.__match_args__)


def _hash(self: Any) -> int:
    return hash(tuple([getattr(self, name) for name in self.__match_args__]))


def _repr(self: Any) -> str:
    values = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__match_args__])
    return f"{type(self).__qualname__}({values})"


def _refuse(self: Any, name: str, *value: Any) -> NoReturn:
    raise AttributeError(f"a {type(self).__qualname__} does not change: {name} cannot be set or deleted")


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def frozen(cls: _Class) -> _Class:
    """Makes a class of values, compared by their fields: the annotated names, in the order of the constructor.

    Example:
      >>> from fungrad.core.frozen import frozen
      >>> @frozen
      ... class Point:
      ...     x: int
      ...     y: int = 0
      >>> Point(1), Point(1) == Point(1, 0), len({Point(1), Point(1)})
      (Point(x=1, y=0), True, 1)
    """
    fields = fields_of(cls)
    methods = {
        "__init__": constructor(cls, fields, 'set(self, "{name}", {name})'),
        "__match_args__": tuple(fields),
        "__eq__": _equal,
        "__hash__": _hash,
        "__repr__": _repr,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
    }
    own = set(vars(cls)) - {"__hash__" if vars(cls).get("__hash__", MISSING) is None else ""}
    for name, method in methods.items():
        if name not in own:
            setattr(cls, name, method)
    return cls
