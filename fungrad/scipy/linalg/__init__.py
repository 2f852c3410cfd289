"""``fungrad.scipy.linalg``: linear algebra under the names of ``jax.scipy.linalg``, and ``logm``."""

from fungrad.core.public_names import publish
from fungrad.scipy.linalg.decompositions import (
    eigh,
    eigh_tridiagonal,
    hessenberg,
    qr,
    qr_multiply,
    rsf2csf,
    schur,
    svd,
)
from fungrad.scipy.linalg.functions import expm, expm_frechet, funm, logm, polar, solve_sylvester, sqrtm
from fungrad.scipy.linalg.solving import (
    cho_factor,
    cho_solve,
    cholesky,
    det,
    inv,
    lu,
    lu_factor,
    lu_solve,
    solve,
    solve_triangular,
)
from fungrad.scipy.linalg.special_matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    dft,
    fiedler,
    fiedler_companion,
    hadamard,
    hankel,
    helmert,
    hilbert,
    invhilbert,
    invpascal,
    leslie,
    pascal,
    toeplitz,
)

__all__ = [
    "block_diag", "cho_factor", "cho_solve", "cholesky", "circulant", "companion", "convolution_matrix", "det", "dft",
    "eigh", "eigh_tridiagonal", "expm", "expm_frechet", "fiedler", "fiedler_companion", "funm", "hadamard", "hankel",
    "helmert", "hessenberg", "hilbert", "inv", "invhilbert", "invpascal", "leslie", "logm", "lu", "lu_factor",
    "lu_solve", "pascal", "polar", "qr", "qr_multiply", "rsf2csf", "schur", "solve", "solve_sylvester",
    "solve_triangular", "sqrtm", "svd", "toeplitz",
]  # fmt: skip

publish(globals(), __name__, __all__)
