"""``jax.extend.core.primitives``: primitives of JAX that no jaxpr here contains, for tables of rules."""

from fungrad.compat.rows import Row, inert
from fungrad.extend.core import Primitive

NAMES: dict[str, Row] = {}


def _call(name: str) -> Primitive:
    primitive = Primitive(name)
    primitive.multiple_results = True
    return primitive


UNTIL_NATIVE: dict[str, Row] = {
    "call_p": inert(_call("core_call"), "numpyro"),
    "closed_call_p": inert(_call("core_closed_call"), "numpyro"),
}
