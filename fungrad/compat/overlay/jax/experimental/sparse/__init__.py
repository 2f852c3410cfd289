"""``jax.experimental.sparse``."""

from fungrad.compat.rows import Row, inert, refused


class _None:
    """A class without instances here: there are no sparse arrays."""


NAMES: dict[str, Row] = {}

UNTIL_NATIVE: dict[str, Row] = {
    "BCOO": inert(_None, "numpyro ott-jax"),
    "BCSR": inert(_None, "ott-jax"),
    "JAXSparse": inert(_None, "ott-jax"),
    "sparsify": refused("jax.experimental.sparse.sparsify", "there are no sparse arrays", "e3nn-jax"),
}
