"""Wrong calls: fungrad.experimental.sparse, jet, and references."""

TABLE = r"""
sparse.BCOO((1, 2, 3), shape=(2,))                                        | TypeError  | args
sparse.BCOO((X[:3, 0], J), shape='a')                                     | TypeError  | shape
sparse.BCOO((X[:3, 0], J), shape=(-3,))                                   | ValueError | shape
sparse.BCOO((X[:2, 0], J), shape=(3,))                                    | ValueError | data
sparse.BCOO((X[:3, 0], 1.0 * J), shape=(3,))                              | ValueError | indices
sparse.bcoo_fromdense('a')                                                | TypeError  | mat
sparse.bcoo_fromdense(m, n_batch=3)                                       | ValueError | n_batch
sparse.BCSR.from_bcoo(m)                                                  | TypeError  | arr
sparse.BCSR((x[:3], i[:3], i[:2]), shape=(3, 3))                          | ValueError | indptr
sparse.bcoo_reduce_sum(M, axes='a')                                       | TypeError  | axes
sparse.bcoo_reduce_sum(M, axes=(5,))                                      | ValueError | axes
sparse.bcoo_reduce_sum(M, axes=(-3,))                                     | ValueError | axes
M.sum(7)                                                                  | ValueError | axis
sparse.bcoo_rev(M, dimensions=(4,))                                       | ValueError | dimensions
sparse.bcoo_squeeze(M, dimensions=(4,))                                   | ValueError | dimensions
sparse.bcoo_squeeze(M, dimensions=(0,))                                   | ValueError | dimensions
sparse.bcoo_concatenate([], dimension=0)                                  | ValueError | operands
sparse.bcoo_concatenate([M, m], dimension=0)                              | TypeError  | operands
sparse.bcoo_concatenate([M, M], dimension=2)                              | ValueError | dimension
sparse.bcoo_concatenate([M, M.T], dimension=0)                            | ValueError | operands
sparse.bcoo_broadcast_in_dim(M, shape=(2, 4), broadcast_dimensions=(0, 1)) | ValueError | broadcast_dimensions
sparse.bcoo_broadcast_in_dim(M, shape=(2, 3), broadcast_dimensions=(0,))  | ValueError | broadcast_dimensions
sparse.bcoo_slice(M, start_indices=(0,), limit_indices=(1,))              | ValueError | start_indices
sparse.bcoo_slice(M, start_indices=(0, 0), limit_indices=(9, 1))          | ValueError | limit_indices
sparse.bcoo_slice(M, start_indices=(-1, 0), limit_indices=(1, 1))         | ValueError | start_indices
sparse.bcoo_slice(M, start_indices=(2, 0), limit_indices=(1, 1))          | ValueError | limit_indices
sparse.bcoo_slice(M, start_indices=(0, 0), limit_indices=(1, 1), strides=(0, 1)) | ValueError | strides
sparse.bcoo_dynamic_slice(M, (0, 0), (4, 1))                              | ValueError | slice_sizes
sparse.bcoo_dynamic_slice(M, (0,), (1, 1))                                | ValueError | start_indices
sparse.sparsify(3)                                                        | TypeError  | f
fungrad.ad_checkpoint.checkpoint_name(1.0, 3)                             | TypeError  | name
data.flip(k, q, probability=1.5)                                          | ValueError | probability
data.noise(k, q, stddev=-1.0)                                             | ValueError | stddev
data.mixup(k, (q,), alpha=-1.0)                                           | ValueError | alpha
data.mixup(k, (q,), alpha=0.0)                                            | ValueError | alpha
train.roc_auc(x, 2 * i)                                                   | ValueError | labels
fungrad.ref.get(R, (..., 3))                                              | ValueError | idx
fungrad.ref.addupdate(R, 2, 1.0)                                          | ValueError | idx
fungrad.ref.swap(R, (0, 3), 1.0)                                          | ValueError | idx
"""
