"""``jax.experimental.hijax``: types that users define."""

from typing import Any, NoReturn

from fungrad.compat.rows import Row, alias, inert, nothing


class _Base:
    """A base of types that users define, which nothing here knows."""


class _HiPrimitive:
    """The base of primitives on such types: can be defined, and refuses to be applied."""

    def __init__(self, name: str):
        self.name = name

    def bind(self, *args: Any, **params: Any) -> NoReturn:
        """Refuses."""
        raise NotImplementedError(
            f"{self.name} cannot be applied through fungrad.compat: types that users define are no types of arrays here"
        )


class _AvalProperty(property):
    """A property that traced values of a type have; without such values, a property."""

    def __init__(self, fget: Any = None):
        super().__init__(fget)


class _EffectTypes:
    """JAX's set of types of effects; an equation here has effects or has none."""

    def add_type(self, kind: type) -> None:
        """Nothing to note."""


NAMES: dict[str, Row] = {}

UNTIL_NATIVE: dict[str, Row] = {
    **{name: inert(_Base, "flax") for name in ("AbstractRef", "AvalMutableQDD", "AvalQDD", "HiType",
       "MutableHiType", "QDD", "TransformedRef", "Ty", "Box")},
    **{name: inert(_HiPrimitive, "flax") for name in ("HiPrimitive", "VJPHiPrimitive")},
    "ShapedArray": alias("fungrad.core:ShapedArray", "flax"),
    "AbstractValue": alias("fungrad.core:AbstractValue", "flax"),
    "register_hitype": inert(nothing, "flax"),
    "aval_method": inert(lambda f: f, "flax"),
    "aval_property": inert(_AvalProperty, "flax"),
    "control_flow_allowed_effects": inert(_EffectTypes(), "flax"),
    "Zero": alias("fungrad.interpreters.ad:Zero", "flax"),
    "is_undefined_primal": alias("fungrad.interpreters.ad:is_undefined_primal", "flax"),
    "instantiate_zeros": alias("fungrad.interpreters.ad:instantiate_zeros", "flax"),
}  # fmt: skip
