"""``jax.experimental.hijax``: what is there besides the names of ``fungrad.experimental.hijax``."""

from fungrad.compat.rows import Row, inert


class _Aval:
    """A type with the state of a value that changes; values of types of users' own do not change here."""


class _EffectTypes:
    """JAX's set of types of effects; an equation here has effects or has none."""

    def add_type(self, kind: type) -> None:
        """Nothing to note."""


NAMES: dict[str, Row] = {
    **{name: inert(_Aval, "flax") for name in ("AvalMutableQDD", "AvalQDD", "QDD", "TransformedRef", "Ty", "Box")},
    "control_flow_allowed_effects": inert(_EffectTypes(), "flax"),
}
