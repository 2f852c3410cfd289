"""``shard_map`` under its former name."""

from fungrad.core.public_names import publish
from fungrad.shards.mapping import shard_map

__all__ = ["shard_map"]

publish(globals(), __name__, __all__)
