"""``jax.lax``: exchanges between processes, and primitives that no jaxpr here contains."""

from typing import Any

from fungrad.compat.rows import Row, inert, refused_all


def _sink(val: Any) -> None:
    """Keeps a value from being left out of a program; only effects keep an operation here, and it changes no result."""


NAMES: dict[str, Row] = {
    **refused_all("jax.lax", "precv psend", "there is one process; use jax.lax.ppermute"),
    **refused_all(
        "jax.lax",
        """
        approx_top_k_p dce_sink_p device_put_p linear_solve_p ragged_all_to_all_p select_and_scatter_p stage_p
        """,
        "no jaxpr contains this primitive; call the function of jax.lax that JAX implements with it",
    ),
    "dce_sink": inert(_sink),
}
