"""``jax.extend.core.primitives``: primitives of JAX that no jaxpr here contains, for tables of rules."""

from fungrad.compat.rows import Row, inert, refused_all
from fungrad.extend.core import Primitive

NAMES: dict[str, Row] = refused_all(
    "jax.extend.core.primitives",
    """
    approx_top_k_p device_put_p empty2_p get_p linear_solve_p ragged_all_to_all_p select_and_scatter_p swap_p
    """,
    "no jaxpr contains this primitive; call the function of jax.lax or jax.ref that JAX implements with it",
)


def _call(name: str) -> Primitive:
    primitive = Primitive(name)
    primitive.multiple_results = True
    return primitive


UNTIL_NATIVE: dict[str, Row] = {
    "call_p": inert(_call("core_call"), "numpyro"),
    "closed_call_p": inert(_call("core_closed_call"), "numpyro"),
}
