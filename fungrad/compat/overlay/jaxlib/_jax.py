"""``jaxlib._jax``."""

import fungrad
from fungrad.compat.rows import Row, adapter

NAMES: dict[str, Row] = {
    "PjitFunction": adapter(type(fungrad.jit(lambda x: x)), "gpjax treescope"),
}
