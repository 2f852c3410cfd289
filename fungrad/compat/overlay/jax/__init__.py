"""``jax``: its version, and the oddities of the top level."""

from fungrad.compat.proxies import VERSION
from fungrad.compat.rows import Row, adapter, alias

NAMES: dict[str, Row] = {
    "__version__": adapter(VERSION),
    "__version_info__": adapter(tuple(int(part) for part in VERSION.split("."))),
    "core": alias("jax.core"),
    "version": alias("jax.version"),
    "interpreters": alias("jax.interpreters"),
}
