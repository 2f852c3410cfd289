"""``jaxlib.xla_client``."""

from fungrad.compat.rows import Row, inert


class _Unused:
    """A class of XLA without instances here."""


NAMES: dict[str, Row] = {name: inert(_Unused, "jax_dataclasses") for name in ("ArrayImpl", "Client", "Device")}
