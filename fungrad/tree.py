"""Functions of pytrees: nested containers of arrays and other values.

Tuples, lists, dicts (flattened in the order of their sorted keys), namedtuples, `OrderedDict`,
`defaultdict`, `None` (a node without children) and the classes registered with `fungrad.tree_util`
are nodes; everything else is a leaf.
"""

from fungrad.core.public_names import publish
from fungrad.core.tree import (
    all,
    broadcast,
    flatten,
    flatten_with_path,
    leaves,
    leaves_with_path,
    map,
    map_with_path,
    reduce,
    reduce_associative,
    structure,
    transpose,
    unflatten,
)
from fungrad.core.tree_registration import static

__all__ = [
    "all",
    "broadcast",
    "flatten",
    "flatten_with_path",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "reduce",
    "reduce_associative",
    "static",
    "structure",
    "transpose",
    "unflatten",
]

publish(globals(), __name__, __all__)
