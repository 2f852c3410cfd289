"""``jax.experimental.hijax``: types that users define."""

from fungrad.compat.rows import Row, alias, inert, nothing


class _Base:
    """A base of types that users define, which nothing here knows."""


class _EffectTypes:
    """JAX's set of types of effects; an equation here has effects or has none."""

    def add_type(self, kind: type) -> None:
        """Nothing to note."""


NAMES: dict[str, Row] = {}

UNTIL_NATIVE: dict[str, Row] = {
    **{name: inert(_Base, "flax") for name in ("AbstractRef", "AvalMutableQDD", "AvalQDD", "HiPrimitive", "HiType",
       "MutableHiType", "QDD", "TransformedRef", "VJPHiPrimitive", "Ty", "Box")},
    "ShapedArray": alias("fungrad.core:ShapedArray", "flax"),
    "AbstractValue": alias("fungrad.core:AbstractValue", "flax"),
    "register_hitype": inert(nothing, "flax"),
    "aval_method": inert(lambda f: f, "flax"),
    "aval_property": inert(property, "flax"),
    "control_flow_allowed_effects": inert(_EffectTypes(), "flax"),
    "Zero": alias("fungrad.interpreters.ad:Zero", "flax"),
    "is_undefined_primal": alias("fungrad.interpreters.ad:is_undefined_primal", "flax"),
    "instantiate_zeros": alias("fungrad.interpreters.ad:instantiate_zeros", "flax"),
}  # fmt: skip
