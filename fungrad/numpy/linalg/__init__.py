"""``fungrad.numpy.linalg``: linear algebra, under the names of ``jax.numpy.linalg``.

Everything works on the last two dimensions of batches of matrices, has derivatives, and can be mapped and compiled.
Where NumPy raises ``LinAlgError`` a result is NaN inside of transformations; on known arrays there is the same error.
"""

from fungrad.core.public_names import publish
from fungrad.numpy.linalg.decompositions import (
    EighResult,
    EigResult,
    QRResult,
    SVDResult,
    cholesky,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    qr,
    svd,
    svdvals,
)
from fungrad.numpy.linalg.norms import cond, matrix_norm, matrix_rank, norm, vector_norm
from fungrad.numpy.linalg.products import (
    cross,
    diagonal,
    matmul,
    matrix_transpose,
    multi_dot,
    outer,
    tensordot,
    trace,
    vecdot,
)
from fungrad.numpy.linalg.solving import (
    SlogdetResult,
    det,
    inv,
    lstsq,
    matrix_power,
    pinv,
    slogdet,
    solve,
    tensorinv,
    tensorsolve,
)

__all__ = [
    "EigResult", "EighResult", "QRResult", "SVDResult", "SlogdetResult", "cholesky", "cond", "cross", "det",
    "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd",
    "svdvals", "tensordot", "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip

publish(globals(), __name__, __all__)
