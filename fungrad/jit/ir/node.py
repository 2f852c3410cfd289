"""Nodes of the loop IR: frozen dataclasses whose fields declare what they are for.

May import ``ir.affine`` and ``ir.provenance``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Self, dataclass_transform

from fungrad.jit.ir import provenance
from fungrad.jit.ir.affine import Affine

_ROLE = "role"


def operand(*, default: Any = dataclasses.MISSING) -> Any:
    """A field that names a value which is used (or a `Const`, None, or a tuple of these)."""
    return dataclasses.field(default=default, metadata={_ROLE: "use"})


def cell() -> Any:
    """A field that names an accumulator to which something is added, in any order."""
    return dataclasses.field(metadata={_ROLE: "change"})


def state() -> Any:
    """A field that names a cell which gets another value that later statements see: iterations run in order."""
    return dataclasses.field(metadata={_ROLE: "state"})


def counter() -> Any:
    """A field that names a counter, which the node defines and which goes through its `extent`."""
    return dataclasses.field(metadata={_ROLE: "counter"})


def definition(*, default: Any = dataclasses.MISSING) -> Any:
    """A field with the name, or names, of what the node defines."""
    return dataclasses.field(default=default, metadata={_ROLE: "definition"})


def declaration() -> Any:
    """A field with the name of a cell, which the node declares."""
    return dataclasses.field(metadata={_ROLE: "declaration"})


def place(*, default: Any = dataclasses.MISSING) -> Any:
    """A field with an `Affine` expression over counters and integer values; given as a name or number too."""
    return dataclasses.field(default=default, metadata={_ROLE: "address"})


def nested(*, default: Any = dataclasses.MISSING) -> Any:
    """A field with nested statements or steps."""
    return dataclasses.field(default=default, metadata={_ROLE: "body"})


def several() -> Any:
    """A field with several lists of nested steps."""
    return dataclasses.field(metadata={_ROLE: "bodies"})


def reading() -> Any:
    """A field with the name of a buffer, or with `View`s, that the node reads."""
    return dataclasses.field(metadata={_ROLE: "read"})


def writing() -> Any:
    """A field with the name of a buffer, or with `View`s, that the node writes."""
    return dataclasses.field(metadata={_ROLE: "write"})


def exchanging(*, default: Any) -> Any:
    """A field with pairs of names of buffers whose memories change places."""
    return dataclasses.field(default=default, metadata={_ROLE: "exchange"})


class Node:
    """What statements, steps and views have in common. Nodes are compared by identity.

    Attributes:
      FIELDS: names of all fields, in the order of the constructor.
      USES, CHANGES, DEFINITIONS, ADDRESSES, BODIES, READS, WRITES: names of the fields of each role; `USES` includes
        `CHANGES`.
      SEVERAL: whether the one body field holds a tuple of bodies.
      is_access: whether the node reads or writes an element of a buffer.
      declares_cell: whether it declares an accumulator or a variable.
      is_pure: whether it does nothing but define a value: it may run again, or elsewhere.
      is_counted: whether what is nested in it runs once for each value of a counter.
      is_sequential: whether it changes a cell in a way that what runs later sees.
      is_branch: whether values decide if, or how often, what is nested in it runs.
      is_control: whether it is a step that only runs others.
      exchanges_memory: whether memories may change places after each run of what is nested in it.
      made_by, reason: see `provenance`; only there while a program is explained.
    """

    __slots__ = ("made_by", "reason")

    FIELDS: ClassVar[tuple[str, ...]] = ()
    USES: ClassVar[tuple[str, ...]] = ()
    CHANGES: ClassVar[tuple[str, ...]] = ()
    DEFINITIONS: ClassVar[tuple[str, ...]] = ()
    ADDRESSES: ClassVar[tuple[str, ...]] = ()
    BODIES: ClassVar[tuple[str, ...]] = ()
    READS: ClassVar[tuple[str, ...]] = ()
    WRITES: ClassVar[tuple[str, ...]] = ()
    SEVERAL: ClassVar[bool] = False
    is_access: ClassVar[bool] = False
    declares_cell: ClassVar[bool] = False
    is_pure: ClassVar[bool] = False
    is_counted: ClassVar[bool] = False
    is_sequential: ClassVar[bool] = False
    is_branch: ClassVar[bool] = False
    is_control: ClassVar[bool] = False
    exchanges_memory: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if provenance.state.thread:
            provenance.note(self)
        for name in self.ADDRESSES:
            value = getattr(self, name)
            if value is not None and type(value) is not Affine:
                object.__setattr__(self, name, Affine.of(value))
        for name in self.BODIES:
            value = getattr(self, name)
            if self.SEVERAL:
                object.__setattr__(self, name, tuple([tuple(b) for b in value]))
            elif type(value) is not tuple:
                object.__setattr__(self, name, tuple(value))

    def replace(self, **changes: Any) -> Self:
        """The node with other values of some fields."""
        made = type(self)(*[changes[n] if n in changes else getattr(self, n) for n in self.FIELDS])
        if provenance.state.thread:
            provenance.copy(self, made)
        return made

    def _set(self, name: str, value: Any) -> None:
        """Sets a field while the node is made."""
        object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple([getattr(self, name) for name in self.FIELDS])

    @property
    def reads_what_it_writes(self) -> bool:
        """Whether what is there is combined with what is written."""
        return False


def _constructor(cls: Any) -> Callable[..., None]:
    """The function ``__init__`` of a class of nodes."""
    names: dict[str, Any] = {}
    parameters, lines = ["self"], []
    for f in dataclasses.fields(cls):
        names[f"set_{f.name}"] = getattr(cls, f.name).__set__
        names[f"default_{f.name}"] = default = f.default
        if f.default_factory is not dataclasses.MISSING:
            names[f"default_{f.name}"] = default = f.default_factory
            lines.append(f"    if {f.name} is default_{f.name}: {f.name} = default_{f.name}()")
        lines.append(f"    set_{f.name}(self, {f.name})")
        parameters.append(f.name if default is dataclasses.MISSING else f"{f.name}=default_{f.name}")
    text = "\n".join([f"def __init__({', '.join(parameters)}):", *lines, "    self.__post_init__()"])
    exec(text, names)
    names["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    return names["__init__"]  # type: ignore[no-any-return]


@dataclass_transform(
    frozen_default=True,
    eq_default=False,
    field_specifiers=(
        operand,
        cell,
        state,
        counter,
        definition,
        declaration,
        place,
        nested,
        several,
        reading,
        writing,
        exchanging,
        dataclasses.field,
    ),
)
def node(cls: Any) -> Any:
    """Makes a class of nodes: a frozen dataclass that knows the roles of its fields."""
    # What `dataclass` would write for frozen classes, as texts to compile, took a twentieth of a first call.
    made: Any = dataclasses.dataclass(init=False, slots=True, eq=False, repr=False)(cls)
    made.__init__ = _constructor(made)
    fields = dataclasses.fields(made)
    roles = {f.name: f.metadata.get(_ROLE) for f in fields}

    def having(*wanted: str) -> tuple[str, ...]:
        return tuple([name for name, role in roles.items() if role in wanted])

    made.FIELDS = tuple(roles)
    made.USES, made.CHANGES = having("use", "change", "state"), having("change", "state")
    made.DEFINITIONS, made.ADDRESSES = having("definition", "declaration", "counter"), having("address")
    made.BODIES, made.SEVERAL = having("body", "bodies"), bool(having("bodies"))
    made.READS, made.WRITES = having("read", "exchange"), having("write", "exchange")
    made.is_access = bool(made.ADDRESSES and (made.READS or made.WRITES))
    made.declares_cell = bool(having("declaration"))
    made.is_counted, made.is_sequential = bool(having("counter")), bool(having("state"))
    made.exchanges_memory = bool(having("exchange"))
    acts = made.declares_cell or made.CHANGES or made.BODIES or made.WRITES
    made.is_pure = bool(made.DEFINITIONS and not acts)
    return made
