"""``jax._src.distributed``: one process, and no coordinator."""

from types import SimpleNamespace

from fungrad.compat.rows import Row, inert

NAMES: dict[str, Row] = {
    "global_state": inert(
        SimpleNamespace(client=None, service=None, process_id=0, num_processes=1, coordinator_address=None), "orbax"
    ),
}
