"""``jax.experimental.transfer``: transfers between processes."""

from fungrad.compat.rows import Row, refused_all

NAMES: dict[str, Row] = refused_all(
    "jax.experimental.transfer",
    """
    TransferConnection TransferServer make_error_array start_transfer_server
    """,
    "there is one process; jax.device_put moves arrays between its devices",
)
