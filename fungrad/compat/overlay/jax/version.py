"""``jax.version``."""

from fungrad.compat.proxies import VERSION
from fungrad.compat.rows import Row, adapter

NAMES: dict[str, Row] = {
    "__version__": adapter(VERSION),
    "__version_info__": adapter(tuple(int(part) for part in VERSION.split(".")), "tensorflow_probability"),
}
