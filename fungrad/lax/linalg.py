"""``fungrad.lax.linalg``: factorisations and triangular systems, under the names of ``jax.lax.linalg``."""

from fungrad.core.public_names import publish
from fungrad.ops.linalg.cholesky import cholesky, cholesky_p
from fungrad.ops.linalg.eigen import eig, eig_p, eigh, eigh_p
from fungrad.ops.linalg.lu import lu, lu_p, lu_pivots_to_permutation, lu_pivots_to_permutation_p
from fungrad.ops.linalg.qr import qr, qr_p
from fungrad.ops.linalg.svd import svd, svd_p
from fungrad.ops.linalg.triangular import triangular_solve, triangular_solve_p

__all__ = [
    "cholesky", "cholesky_p", "eig", "eig_p", "eigh", "eigh_p", "lu", "lu_p", "lu_pivots_to_permutation",
    "lu_pivots_to_permutation_p", "qr", "qr_p", "svd", "svd_p", "triangular_solve", "triangular_solve_p",
]  # fmt: skip

publish(globals(), __name__, __all__)
