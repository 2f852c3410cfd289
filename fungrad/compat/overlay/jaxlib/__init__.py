"""``jaxlib``: there is no XLA; the names of types that libraries compare with."""

from fungrad.compat.proxies import VERSION
from fungrad.compat.rows import Row, adapter

NAMES: dict[str, Row] = {
    "__version__": adapter(VERSION),
}
