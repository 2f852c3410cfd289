"""``jax._src.literals``: JAX's classes of typed constants, of which nothing here is an instance."""

from fungrad.compat.rows import Row, inert


def _class(name: str) -> type:
    return type(name, (), {"__doc__": "A class of JAX's without instances here."})


NAMES: dict[str, Row] = {
    name: inert(_class(name), "equinox jaxtyping quax")
    for name in ("LiteralArray", "TypedComplex", "TypedFloat", "TypedInt", "TypedNdArray")
}
