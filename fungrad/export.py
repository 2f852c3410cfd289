"""Functions that outlive the process: a jitted function as a program that is kept as bytes and called elsewhere.

See docs/export.md for what can be exported and how long it can be read.
"""

from fungrad.core.public_names import publish
from fungrad.exports.exported import (
    DisabledSafetyCheck,
    Exported,
    default_export_platform,
    deserialize,
    export,
    maximum_supported_calling_convention_version,
    minimum_supported_calling_convention_version,
)
from fungrad.exports.scopes import SymbolicScope
from fungrad.exports.shapes import is_symbolic_dim, symbolic_args_specs, symbolic_shape
from fungrad.exports.trees import register_namedtuple_serialization, register_pytree_node_serialization

__all__ = [
    "DisabledSafetyCheck",
    "Exported",
    "SymbolicScope",
    "default_export_platform",
    "deserialize",
    "export",
    "is_symbolic_dim",
    "maximum_supported_calling_convention_version",
    "minimum_supported_calling_convention_version",
    "register_namedtuple_serialization",
    "register_pytree_node_serialization",
    "symbolic_args_specs",
    "symbolic_shape",
]

publish(globals(), __name__, __all__, early=("export",))
