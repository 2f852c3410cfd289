"""Wrong calls: products, bits, types and arrays' methods."""

TABLE = r"""
jnp.dot('a', x)                                         | TypeError | a
jnp.dot(m, 'a')                                         | TypeError | b
jnp.matmul('a', x)                                      | TypeError | a
jnp.matmul(m, 'a')                                      | TypeError | b
jnp.vdot('a', x)                                        | TypeError | a
jnp.vdot(x, 'a')                                        | TypeError | b
jnp.vecdot('a', x)                                      | TypeError | x1
jnp.vecdot(x, 'a')                                      | TypeError | x2
jnp.vecdot(x, x, axis='a')                              | TypeError | axis
jnp.matvec('a', x)                                      | TypeError | x1
jnp.matvec(m, 'a')                                      | TypeError | x2
jnp.vecmat('a', m)                                      | TypeError | x1
jnp.vecmat(x[:3], 'a')                                  | TypeError | x2
jnp.inner('a', x)                                       | TypeError | a
jnp.inner(x, 'a')                                       | TypeError | b
jnp.outer('a', x)                                       | TypeError | a
jnp.outer(x, 'a')                                       | TypeError | b
jnp.kron('a', x)                                        | TypeError | a
jnp.kron(x, 'a')                                        | TypeError | b
jnp.cross('a', x[:3])                                   | TypeError | a
jnp.cross(x[:3], 'a')                                   | TypeError | b
jnp.cross(x[:3], x[:3], axisa='a')                      | TypeError | axisa
jnp.cross(x[:3], x[:3], axisb='a')                      | TypeError | axisb
jnp.cross(x[:3], x[:3], axisc='a')                      | TypeError | axisc
jnp.cross(x[:3], x[:3], axis='a')                       | TypeError | axis
jnp.tensordot('a', m)                                   | TypeError | a
jnp.tensordot(m, 'a')                                   | TypeError | b
jnp.tensordot(m, m, axes='a')                           | TypeError | axes
jnp.einsum('a', m, x)                                   | ValueError | subscripts
jnp.einsum('ij,j->i', 'a', x)                           | TypeError | operands
jnp.einsum_path('a', m, x)                              | ValueError | subscripts
jnp.einsum_path('ij,j->i', 'a', x)                      | TypeError | operands
jnp.einsum_path('ij,j->i', m, x, optimize=10 ** 30)     | TypeError | optimize
jnp.apply_along_axis('a', 0, m)                         | TypeError | func1d
jnp.apply_along_axis(jnp.sum, 'a', m)                   | TypeError | axis
jnp.apply_along_axis(jnp.sum, 0, 'a')                   | TypeError | arr
jnp.apply_over_axes('a', m, [0])                        | TypeError | func
jnp.apply_over_axes(jnp.sum, 'a', [0])                  | TypeError | a
jnp.apply_over_axes(jnp.sum, m, 'a')                    | TypeError | axes
jnp.vectorize('a')                                      | TypeError | pyfunc
jnp.vectorize(jnp.dot, signature='a')                   | ValueError | signature
jnp.vectorize(jnp.dot, excluded=10 ** 30)               | TypeError | excluded
jnp.vectorize('a')(x, x)                                | TypeError | pyfunc
jnp.vectorize(jnp.dot, signature='a')(x, x)             | ValueError | signature
jnp.vectorize(jnp.dot, signature='(n),(n)->()')('a', x) | TypeError | a
jnp.unravel_index('a', (2, 2))                          | TypeError | indices
jnp.unravel_index(i, 'a')                               | TypeError | shape
jnp.ravel_multi_index('a', (4, 4))                      | TypeError | multi_index
jnp.ravel_multi_index((i, i), 'a')                      | TypeError | dims
jnp.ravel_multi_index((i, i), (4, 4), mode='a')         | ValueError | mode
jnp.ravel_multi_index((i, i), (4, 4), order='a')        | ValueError | order
jnp.packbits('a')                                       | TypeError | a
jnp.packbits(b, axis='a')                               | TypeError | axis
jnp.packbits(b, bitorder='a')                           | ValueError | bitorder
jnp.unpackbits('a')                                     | TypeError | a
jnp.unpackbits(jnp.uint8([1, 2]), axis='a')             | TypeError | axis
jnp.unpackbits(jnp.uint8([1, 2]), count='a')            | TypeError | count
jnp.unpackbits(jnp.uint8([1, 2]), bitorder='a')         | ValueError | bitorder
jnp.frexp('a')                                          | TypeError | x
jnp.modf('a')                                           | TypeError | x
jnp.bitwise_count('a')                                  | TypeError | x
jnp.shape('a')                                          | TypeError | a
jnp.ndim('a')                                           | TypeError | a
jnp.size('a')                                           | TypeError | a
jnp.size(m, axis='a')                                   | TypeError | axis
jnp.promote_types('a', 'int32')                         | TypeError | a
jnp.can_cast(10 ** 30, 'float32')                       | TypeError | from_
jnp.can_cast('int32', 2.5)                              | TypeError | to
jnp.can_cast('int32', 'float32', casting=2.5)           | TypeError | casting
jnp.isdtype('a', 'integral')                            | TypeError | dtype
jnp.isdtype('int32', 10 ** 30)                          | TypeError | kind
jnp.issubdtype(2.5, jnp.integer)                        | TypeError | a
jnp.finfo('a')                                          | TypeError | dtype
jnp.iinfo('a')                                          | TypeError | dtype
jnp.iscomplexobj('a')                                   | TypeError | x
x.at[0].set('a')                                        | TypeError | values
x.at[0].add('a')                                        | TypeError | values
x.at[0].add(1.0, mode='a')                              | ValueError | mode
x.at[0].get(mode='a')                                   | ValueError | mode
x.at[0].apply('a')                                      | TypeError | func
x.at[0].max('a')                                        | TypeError | values
x.reshape('a', 2)                                       | TypeError | shape
x.sum(axis='a')                                         | TypeError | axis
x.astype('a')                                           | TypeError | dtype
x.transpose('a')                                        | TypeError | axes
x.view('a')                                             | TypeError | dtype
x.item(10 ** 30)                                        | OverflowError | args
x.clip('a', 1.0)                                        | TypeError | min
x.clip(0.0, 'a')                                        | TypeError | max
x.take('a')                                             | TypeError | indices
x.repeat('a')                                           | TypeError | repeats
x.argsort(axis='a')                                     | TypeError | axis
x.round('a')                                            | TypeError | decimals
x.dot('a')                                              | TypeError | b
x.flatten(order='a')                                    | NotImplementedError | order
x.std(ddof='a')                                         | TypeError | ddof
m.swapaxes('a', 1)                                      | TypeError | axis1
m.swapaxes(0, 'a')                                      | TypeError | axis2
m.diagonal('a')                                         | TypeError | offset
m.trace('a')                                            | TypeError | offset
m.squeeze('a')                                          | TypeError | axis
"""
