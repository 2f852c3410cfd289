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
linalg.cholesky(m) | ValueError | a
linalg.cho_factor('a') | TypeError | a
linalg.cho_solve(s, x[:3]) | TypeError | c_and_lower
linalg.cho_solve((s, False), x) | ValueError | b
linalg.lu(x) | ValueError | a
linalg.lu_factor(x) | ValueError | a
linalg.lu_solve(x, x[:3]) | TypeError | lu_and_piv
linalg.lu_solve((s, i[:3]), x) | ValueError | b
linalg.lu_solve((s, i[:3]), x[:3], trans=3) | ValueError | trans
linalg.solve_triangular(m, x) | ValueError | a
linalg.solve_triangular(s, x) | ValueError | b
linalg.solve_triangular(s, x[:3], trans='a') | ValueError | trans
linalg.solve(m, x) | ValueError | a
linalg.solve(s, x) | ValueError | b
linalg.solve(s, x[:3], assume_a='a') | ValueError | assume_a
linalg.solve(s, 'a') | TypeError | b
linalg.inv(m) | ValueError | a
linalg.det(m) | ValueError | a
linalg.eigh(m) | ValueError | a
linalg.eigh(s, jnp.ones((2, 2))) | ValueError | b
linalg.eigh(s, s, type=4) | ValueError | type
linalg.eigh_tridiagonal(x, x) | ValueError | e
linalg.eigh_tridiagonal(x, x[1:], select='b') | ValueError | select
linalg.eigh_tridiagonal(x, x[1:], select='i') | ValueError | select_range
linalg.eigh_tridiagonal(x, x[1:], select='i', select_range=(2, 9)) | ValueError | select_range
linalg.svd(x) | ValueError | a
linalg.qr(x) | ValueError | a
linalg.qr(m, mode='a') | ValueError | mode
linalg.qr_multiply(m, x, mode='a') | ValueError | mode
linalg.qr_multiply(m, x) | ValueError | c
linalg.schur(m) | ValueError | a
linalg.schur(s, 'a') | ValueError | output
linalg.rsf2csf(m, s) | ValueError | T
linalg.rsf2csf(s, m) | ValueError | Z
linalg.hessenberg(m) | ValueError | a
linalg.polar(x) | ValueError | a
linalg.polar(m, 'a') | ValueError | side
linalg.polar(m, method='a') | ValueError | method
linalg.expm(m) | ValueError | A
linalg.expm(s, max_squarings=-1) | ValueError | max_squarings
linalg.expm(s, max_squarings=1.5) | TypeError | max_squarings
linalg.expm_frechet(s, m) | ValueError | E
linalg.expm_frechet(s, s, method='a') | ValueError | method
linalg.solve_sylvester(m, s, s) | ValueError | A
linalg.solve_sylvester(s, s, m) | ValueError | C
linalg.solve_sylvester(s, s, s, method='a') | ValueError | method
linalg.sqrtm(m) | ValueError | A
linalg.logm(m) | ValueError | A
linalg.funm(m, jnp.sin) | ValueError | A
linalg.funm(s, 3) | TypeError | func
linalg.block_diag(s, x4) | ValueError | arrs
linalg.block_diag('a') | TypeError | arrs
linalg.toeplitz('a') | TypeError | c
linalg.toeplitz(x, 'a') | TypeError | r
linalg.circulant('a') | TypeError | c
linalg.hankel('a') | TypeError | c
linalg.companion(x[:1]) | ValueError | a
linalg.convolution_matrix(x, 0) | ValueError | n
linalg.convolution_matrix(x, 1.5) | TypeError | n
linalg.convolution_matrix(x, 2, 'a') | ValueError | mode
linalg.dft(-1) | ValueError | n
linalg.dft(2, 'a') | ValueError | scale
linalg.dft(2, dtype='float32') | ValueError | dtype
linalg.fiedler('a') | TypeError | a
linalg.fiedler_companion(x[:0]) | ValueError | a
linalg.hadamard(3) | ValueError | n
linalg.helmert(0) | ValueError | n
linalg.hilbert(-1) | ValueError | n
linalg.invhilbert(1.5) | TypeError | n
linalg.leslie(x, x) | ValueError | s
linalg.pascal(3, 'a') | ValueError | kind
linalg.invpascal(3, 'a') | ValueError | kind
"""
