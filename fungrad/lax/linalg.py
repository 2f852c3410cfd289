"""``fungrad.lax.linalg``: factorisations and triangular systems, under the names of ``jax.lax.linalg``."""

from fungrad.core.public_names import publish
from fungrad.lax._qdwh import qdwh
from fungrad.ops.linalg.cholesky import cholesky, cholesky_p
from fungrad.ops.linalg.eigen import EighImplementation, EigImplementation, eig, eig_p, eigh, eigh_p
from fungrad.ops.linalg.lu import lu, lu_p, lu_pivots_to_permutation, lu_pivots_to_permutation_p
from fungrad.ops.linalg.qr import qr, qr_p
from fungrad.ops.linalg.reductions import (
    hessenberg,
    hessenberg_p,
    householder_product,
    householder_product_p,
    ormqr,
    ormqr_p,
    schur,
    schur_p,
    tridiagonal,
    tridiagonal_p,
)
from fungrad.ops.linalg.svd import SvdAlgorithm, svd, svd_p
from fungrad.ops.linalg.triangular import triangular_solve, triangular_solve_p
from fungrad.ops.linalg.tridiagonal import tridiagonal_solve, tridiagonal_solve_p
from fungrad.ops.linalg.updates import cholesky_update, cholesky_update_p, symmetric_product, symmetric_product_p

__all__ = [
    "EigImplementation", "EighImplementation", "SvdAlgorithm", "cholesky", "cholesky_p", "cholesky_update",
    "cholesky_update_p", "eig", "eig_p", "eigh", "eigh_p", "hessenberg", "hessenberg_p", "householder_product",
    "householder_product_p", "lu", "lu_p", "lu_pivots_to_permutation", "lu_pivots_to_permutation_p", "ormqr", "ormqr_p",
    "qdwh", "qr", "qr_p", "schur", "schur_p", "svd", "svd_p", "symmetric_product", "symmetric_product_p",
    "triangular_solve", "triangular_solve_p", "tridiagonal", "tridiagonal_p", "tridiagonal_solve",
    "tridiagonal_solve_p",
]  # fmt: skip

publish(globals(), __name__, __all__)
