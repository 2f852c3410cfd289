"""Wrong calls: linear algebra."""

TABLE = r"""
lax.linalg.cholesky(x) | ValueError | x
lax.linalg.cholesky(m) | ValueError | x
lax.linalg.cholesky('a') | TypeError | x
lax.linalg.cholesky(i[:, None]) | TypeError | x
lax.linalg.cholesky_update(m, x) | ValueError | r_matrix
lax.linalg.cholesky_update(s, x) | ValueError | w_vector
lax.linalg.cholesky_update(s, 'a') | TypeError | w_vector
lax.linalg.cholesky_update(s.astype('complex64'), x[:3].astype('complex64')) | TypeError | r_matrix
lax.linalg.eig(m) | ValueError | x
lax.linalg.eigh(m) | ValueError | x
lax.linalg.eigh(s, subset_by_index=(2, 1)) | ValueError | subset_by_index
lax.linalg.eigh(s, subset_by_index=(0, 4)) | ValueError | subset_by_index
lax.linalg.eigh(s, subset_by_index=1) | ValueError | subset_by_index
lax.linalg.hessenberg(m) | ValueError | a
lax.linalg.householder_product(m, x) | ValueError | taus
lax.linalg.householder_product(m, x[:3]) | ValueError | a
lax.linalg.householder_product(s, x[:3].astype('complex64')) | TypeError | taus
lax.linalg.lu(x) | ValueError | x
lax.linalg.lu_pivots_to_permutation(x, 4) | TypeError | pivots
lax.linalg.lu_pivots_to_permutation(i, 2) | ValueError | permutation_size
lax.linalg.ormqr(s, x[:3], x) | ValueError | c
lax.linalg.ormqr(s, x[:3], m.mT) | ValueError | c
lax.linalg.ormqr(s, x, s) | ValueError | taus
lax.linalg.qdwh(m) | ValueError | x
lax.linalg.qdwh(s, max_iterations=1.5) | TypeError | max_iterations
lax.linalg.qr(x) | ValueError | x
lax.linalg.schur(m) | ValueError | x
lax.linalg.svd(x) | ValueError | x
lax.linalg.svd(m, subset_by_index=(0, 9)) | ValueError | subset_by_index
lax.linalg.svd(m, subset_by_index=(0, 2)) | ValueError | full_matrices
lax.linalg.symmetric_product(m, m) | ValueError | c_matrix
lax.linalg.symmetric_product(m, jnp.ones((2, 2))) | ValueError | c_matrix
lax.linalg.symmetric_product(s, s, alpha='a') | TypeError | alpha
lax.linalg.triangular_solve(m, m) | ValueError | a
lax.linalg.triangular_solve(s, m.mT, left_side=True) | ValueError | b
lax.linalg.tridiagonal(m) | ValueError | a
lax.linalg.tridiagonal_solve(x, x, x, m) | ValueError | dl
lax.linalg.tridiagonal_solve(x[:3], x[:3], x[:3], m.astype('complex64')) | TypeError | dl
lax.linalg.tridiagonal_solve(x[:3], x[:3], x[:3], x[:3]) | ValueError | b
jnp.linalg.qr(m, mode='a') | ValueError | mode
jnp.linalg.svd(m, subset_by_index=(0, 2)) | ValueError | full_matrices
"""
