"""Classes of errors and warnings, and helpers."""

from typing import NamedTuple

from fungrad.core.public_names import publish
from fungrad.experimental.sparse._base import (
    SparseEfficiencyError,
    SparseEfficiencyWarning,
    broadcasting_vmap,
    nfold_vmap,
)


class SparseInfo(NamedTuple):
    """Facts of a sparse array.

    Attributes:
      shape: shape.
      indices_sorted: whether indices are in order.
      unique_indices: whether no index occurs twice.
    """

    shape: tuple
    indices_sorted: bool = False
    unique_indices: bool = False


__all__ = ["SparseEfficiencyError", "SparseEfficiencyWarning", "SparseInfo", "broadcasting_vmap", "nfold_vmap"]

publish(globals(), __name__, __all__)
