"""Wrong calls: making arrays."""

TABLE = r"""
jnp.array(object())                                     | TypeError | object
jnp.array(x, dtype='a')                                 | TypeError | dtype
jnp.array(x, copy=k)                                    | TypeError | copy
jnp.array(x, order='a')                                 | NotImplementedError | order
jnp.array(x, ndmin='a')                                 | TypeError | ndmin
jnp.asarray('a')                                        | TypeError | a
jnp.asarray(x, dtype='a')                               | TypeError | dtype
jnp.asarray(x, order='a')                               | NotImplementedError | order
jnp.astype('a', 'int32')                                | TypeError | x
jnp.astype(x, 'a')                                      | TypeError | dtype
jnp.zeros('a')                                          | TypeError | shape
jnp.zeros((2, 3), dtype='a')                            | TypeError | dtype
jnp.ones('a')                                           | TypeError | shape
jnp.ones((2, 3), dtype='a')                             | TypeError | dtype
jnp.empty('a')                                          | TypeError | shape
jnp.empty((2, 3), dtype='a')                            | TypeError | dtype
jnp.full('a', 1.0)                                      | TypeError | shape
jnp.full((2, 3), 'a')                                   | TypeError | fill_value
jnp.full((2, 3), 1.0, dtype='a')                        | TypeError | dtype
jnp.zeros_like('a')                                     | TypeError | a
jnp.zeros_like(x, dtype='a')                            | TypeError | dtype
jnp.zeros_like(x, shape='a')                            | TypeError | shape
jnp.full_like('a', 1.0)                                 | TypeError | a
jnp.full_like(x, 'a')                                   | TypeError | fill_value
jnp.full_like(x, 1.0, dtype='a')                        | TypeError | dtype
jnp.full_like(x, 1.0, shape='a')                        | TypeError | shape
jnp.arange('a', 10, 2)                                  | TypeError | start
jnp.arange(0, 'a', 2)                                   | TypeError | stop
jnp.arange(0, 10, 'a')                                  | TypeError | step
jnp.arange(0, 10, 2, dtype='a')                         | TypeError | dtype
jnp.linspace('a', 1.0, 5)                               | TypeError | start
jnp.linspace(0.0, 'a', 5)                               | TypeError | stop
jnp.linspace(0.0, 1.0, 'a')                             | TypeError | num
jnp.linspace(0.0, 1.0, 5, endpoint=k)                   | TypeError | endpoint
jnp.linspace(0.0, 1.0, 5, retstep=k)                    | TypeError | retstep
jnp.linspace(0.0, 1.0, 5, dtype='a')                    | TypeError | dtype
jnp.linspace(0.0, 1.0, 5, axis='a')                     | TypeError | axis
jnp.logspace('a', 1.0, 5)                               | TypeError | start
jnp.logspace(0.0, 'a', 5)                               | TypeError | stop
jnp.logspace(0.0, 1.0, 'a')                             | TypeError | num
jnp.logspace(0.0, 1.0, 5, endpoint=k)                   | TypeError | endpoint
jnp.logspace(0.0, 1.0, 5, base='a')                     | TypeError | base
jnp.logspace(0.0, 1.0, 5, dtype='a')                    | TypeError | dtype
jnp.logspace(0.0, 1.0, 5, axis='a')                     | TypeError | axis
jnp.geomspace('a', 2.0, 5)                              | TypeError | start
jnp.geomspace(1.0, 'a', 5)                              | TypeError | stop
jnp.geomspace(1.0, 2.0, 'a')                            | TypeError | num
jnp.geomspace(1.0, 2.0, 5, endpoint=k)                  | TypeError | endpoint
jnp.geomspace(1.0, 2.0, 5, dtype='a')                   | TypeError | dtype
jnp.geomspace(1.0, 2.0, 5, axis='a')                    | TypeError | axis
jnp.eye('a', 4)                                         | TypeError | N
jnp.eye(3, 'a')                                         | TypeError | M
jnp.eye(3, 4, k=1.5)                                    | TypeError | k
jnp.bartlett('a')                                       | TypeError | M
jnp.blackman(2.5)                                       | TypeError | M
jnp.hamming(None)                                       | TypeError | M
jnp.hanning('a')                                        | TypeError | M
jnp.kaiser('a', 1.0)                                    | TypeError | M
jnp.kaiser(3, 'a')                                      | TypeError | beta
jnp.kaiser(3, x)                                        | ValueError | beta
jnp.poly('a')                                           | TypeError | seq_of_zeros
jnp.poly(jnp.ones((2, 3)))                                             | ValueError | seq_of_zeros
jnp.roots('a')                                          | TypeError | p
jnp.roots(jnp.ones((2, 3)))                                            | ValueError | p
jnp.polydiv('a', jnp.ones(2))                           | TypeError | u
jnp.polydiv(jnp.ones(2), jnp.ones((2, 3)))                             | ValueError | v
jnp.polydiv(jnp.ones(0), jnp.ones(2))                   | ValueError | u
jnp.polyfit('a', jnp.ones(3), 1)                        | TypeError | x
jnp.polyfit(jnp.ones(3), jnp.ones(2), 1)                | TypeError | y
jnp.polyfit(jnp.ones(3), jnp.ones(3), 1.5)              | TypeError | deg
jnp.polyfit(jnp.ones(3), jnp.ones(3), -1)               | ValueError | deg
jnp.polyfit(jnp.ones(3), jnp.ones(3), 1, w=jnp.ones(2)) | TypeError | w
jnp.polyfit(jnp.ones(3), jnp.ones(3), 1, cov='a')       | ValueError | cov
jnp.polyfit(jnp.ones(2), jnp.ones(2), 1, cov=True)      | ValueError | cov
jnp.fromfile('a', dtype='a')                            | TypeError | dtype
jnp.trim_zeros(jnp.ones(2), 'x')                        | ValueError | trim
jnp.trim_zeros(jnp.ones(2), axis=3)                     | ValueError | axis
jnp.eye(3, 4, dtype='a')                                | TypeError | dtype
jnp.identity('a')                                       | TypeError | n
jnp.identity(3, dtype='a')                              | TypeError | dtype
jnp.tri('a', 4)                                         | TypeError | N
jnp.tri(3, 'a')                                         | TypeError | M
jnp.tri(3, 4, k='a')                                    | TypeError | k
jnp.tri(3, 4, dtype='a')                                | TypeError | dtype
jnp.tril('a')                                           | TypeError | m
jnp.tril(m, k='a')                                      | TypeError | k
jnp.triu('a')                                           | TypeError | m
jnp.triu(m, k='a')                                      | TypeError | k
jnp.diag('a')                                           | TypeError | v
jnp.diag(x, k='a')                                      | TypeError | k
jnp.diagonal('a')                                       | TypeError | a
jnp.diagonal(m, offset='a')                             | TypeError | offset
jnp.diagonal(m, axis1='a')                              | TypeError | axis1
jnp.diagonal(m, axis2='a')                              | TypeError | axis2
jnp.diagflat('a')                                       | TypeError | v
jnp.diagflat(x, k='a')                                  | TypeError | k
jnp.trace('a')                                          | TypeError | a
jnp.trace(m, offset='a')                                | TypeError | offset
jnp.trace(m, axis1='a')                                 | TypeError | axis1
jnp.trace(m, axis2='a')                                 | TypeError | axis2
jnp.trace(m, dtype='a')                                 | TypeError | dtype
jnp.diag_indices('a')                                   | TypeError | n
jnp.diag_indices(3, ndim='a')                           | TypeError | ndim
jnp.diag_indices_from('a')                              | TypeError | arr
jnp.tril_indices('a')                                   | TypeError | n
jnp.tril_indices(3, k='a')                              | TypeError | k
jnp.tril_indices(3, m='a')                              | TypeError | m
jnp.triu_indices('a')                                   | TypeError | n
jnp.triu_indices(3, k='a')                              | TypeError | k
jnp.triu_indices(3, m='a')                              | TypeError | m
jnp.tril_indices_from('a')                              | TypeError | arr
jnp.tril_indices_from(m, k='a')                         | TypeError | k
jnp.mask_indices('a', jnp.triu)                         | TypeError | n
jnp.mask_indices(3, 'a')                                | TypeError | mask_func
jnp.mask_indices(3, jnp.triu, k='a')                    | TypeError | k
jnp.indices('a')                                        | TypeError | dimensions
jnp.indices((2, 3), dtype='a')                          | TypeError | dtype
jnp.indices((2, 3), sparse=k)                           | TypeError | sparse
jnp.ix_(10 ** 30, i)                                    | OverflowError | integer
jnp.ix_(i, 10 ** 30)                                    | OverflowError | integer
jnp.meshgrid(10 ** 30, x)                               | OverflowError | integer
jnp.meshgrid(x, x, indexing='a')                        | ValueError | indexing
jnp.meshgrid(x, x, sparse=k)                            | TypeError | sparse
jnp.vander('a')                                         | TypeError | x
jnp.vander(x, N='a')                                    | TypeError | N
jnp.vander(x, increasing=k)                             | TypeError | increasing
jnp.fromfunction('a', (2, 3))                           | TypeError | function
jnp.fromfunction(lambda a, b: a + b, 'a')               | TypeError | shape
jnp.fromfunction(lambda a, b: a + b, (2, 3), dtype='a') | TypeError | dtype
jnp.frombuffer(10 ** 30)                                | TypeError | buffer
jnp.frombuffer(b'abcd', dtype='a')                      | TypeError | dtype
jnp.frombuffer(b'abcd', count='a')                      | TypeError | count
jnp.frombuffer(b'abcd', offset='a')                     | TypeError | offset
jnp.fromiter([1, 2], dtype='a')                         | TypeError | dtype
jnp.fromstring('1 2', sep=2.5)                          | TypeError | sep
jnp.from_dlpack('a')                                    | TypeError | x
"""
