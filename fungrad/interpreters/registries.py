"""Registries of rules: mappings from primitives to functions with JAX's conventions, over the rules of primitives.

Registering a function makes it the rule of the primitive; looking one up gives what was registered, or the rule that
the primitive has, with JAX's convention.

May import ``core`` and ``extend``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from fungrad.core.primitive import Primitive


class Registry(MutableMapping):
    """The rules of one kind.

    Args:
      method: the method of ``Primitive`` that is the rule.
      inward: ``inward(primitive, rule)`` makes a method of a function with JAX's convention.
      outward: ``outward(primitive)`` is the opposite.
    """

    def __init__(
        self, method: str, inward: Callable[[Primitive, Any], Any], outward: Callable[[Primitive], Callable[..., Any]]
    ):
        self._method, self._inward, self._outward = method, inward, outward
        self._registered: dict[Primitive, Any] = {}

    def __setitem__(self, primitive: Primitive, rule: Callable[..., Any]) -> None:
        self._registered[primitive] = rule
        ours = self._inward(primitive, rule)
        setattr(primitive, self._method, ours)
        if self._method == "jvp":
            # A primitive of the library may have shorter ways to the same derivative.
            primitive.linearize = ours  # type: ignore[method-assign]
            primitive.linearize_now = None
        elif self._method == "transpose":
            primitive.transpose_now = None

    def __getitem__(self, primitive: Primitive) -> Callable[..., Any]:
        if primitive in self._registered:
            return self._registered[primitive]  # type: ignore[no-any-return]
        if isinstance(primitive, Primitive) and primitive.has_rule(self._method):
            return self._outward(primitive)
        raise KeyError(primitive)

    def __delitem__(self, primitive: Primitive) -> None:
        del self._registered[primitive]
        delattr(primitive, self._method)
        if self._method == "jvp":
            del primitive.linearize
            del primitive.linearize_now
        elif self._method == "transpose":
            del primitive.transpose_now

    def __iter__(self) -> Iterator[Primitive]:
        for primitive in Primitive.all():
            if primitive in self._registered or primitive.has_rule(self._method):
                yield primitive

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, primitive: object) -> bool:
        return primitive in self._registered or (
            isinstance(primitive, Primitive) and primitive.has_rule(self._method)
        )

    def __repr__(self) -> str:
        return f"<rules of primitives: {self._method}>"
