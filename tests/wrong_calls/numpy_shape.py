"""Wrong calls: shapes and joining."""

TABLE = r"""
jnp.reshape('a', (4, 3))                          | TypeError | a
jnp.reshape(m, 'a')                               | TypeError | shape
jnp.reshape(m, (4, 3), order='a')                 | NotImplementedError | order
jnp.ravel('a')                                    | TypeError | a
jnp.ravel(m, order='a')                           | NotImplementedError | order
jnp.transpose('a', (1, 0))                        | TypeError | a
jnp.transpose(m, 'a')                             | TypeError | axes
jnp.permute_dims('a', (1, 0))                     | TypeError | a
jnp.permute_dims(m, 'a')                          | TypeError | axes
jnp.matrix_transpose('a')                         | TypeError | x
jnp.swapaxes('a', 0, 1)                           | TypeError | a
jnp.swapaxes(m, 'a', 1)                           | TypeError | axis1
jnp.swapaxes(m, 0, 'a')                           | TypeError | axis2
jnp.moveaxis('a', 0, 1)                           | TypeError | a
jnp.moveaxis(m, 'a', 1)                           | TypeError | source
jnp.moveaxis(m, 0, 'a')                           | TypeError | destination
jnp.rollaxis('a', 0, 1)                           | TypeError | a
jnp.rollaxis(m, 'a', 1)                           | TypeError | axis
jnp.rollaxis(m, 0, 'a')                           | TypeError | start
jnp.expand_dims('a', 0)                           | TypeError | a
jnp.expand_dims(m, 'a')                           | TypeError | axis
jnp.squeeze('a')                                  | TypeError | a
jnp.squeeze(m[None], axis='a')                    | TypeError | axis
jnp.broadcast_to('a', (3, 4))                     | TypeError | array
jnp.broadcast_to(x, 'a')                          | TypeError | shape
jnp.broadcast_arrays(10 ** 30, x)                 | OverflowError | integer
jnp.broadcast_arrays(x, 10 ** 30)                 | OverflowError | integer
jnp.broadcast_shapes(2.5, (3, 1))                 | TypeError | shapes
jnp.atleast_1d(10 ** 30)                          | OverflowError | integer
jnp.atleast_2d(10 ** 30)                          | OverflowError | integer
jnp.atleast_3d(10 ** 30)                          | OverflowError | integer
jnp.flip('a')                                     | TypeError | m
jnp.flip(m, axis='a')                             | TypeError | axis
jnp.fliplr('a')                                   | TypeError | m
jnp.flipud('a')                                   | TypeError | m
jnp.rot90('a')                                    | TypeError | m
jnp.rot90(m, k='a')                               | TypeError | k
jnp.rot90(m, axes='a')                            | ValueError | axes
jnp.roll('a', 1)                                  | TypeError | a
jnp.roll(m, 'a')                                  | TypeError | shift
jnp.roll(m, 1, axis='a')                          | TypeError | axis
jnp.repeat('a', 2)                                | TypeError | a
jnp.repeat(m, 'a')                                | TypeError | repeats
jnp.repeat(m, 2, axis='a')                        | TypeError | axis
jnp.repeat(m, 2, total_repeat_length='a')         | TypeError | total_repeat_length
jnp.tile('a', (2, 1))                             | TypeError | A
jnp.tile(m, 'a')                                  | TypeError | reps
jnp.resize('a', (2, 2))                           | TypeError | a
jnp.resize(m, 'a')                                | TypeError | new_shape
jnp.concatenate('a')                              | TypeError | arrays
jnp.concatenate([m, m], axis='a')                 | TypeError | axis
jnp.concatenate([m, m], dtype='a')                | TypeError | dtype
jnp.concat('a')                                   | TypeError | arrays
jnp.concat([m, m], axis='a')                      | TypeError | axis
jnp.stack('a')                                    | TypeError | arrays
jnp.stack([m, m], axis='a')                       | TypeError | axis
jnp.stack([m, m], dtype='a')                      | TypeError | dtype
jnp.unstack('a')                                  | TypeError | x
jnp.unstack(m, axis='a')                          | TypeError | axis
jnp.vstack('a')                                   | TypeError | tup
jnp.vstack([m, m], dtype='a')                     | TypeError | dtype
jnp.hstack('a')                                   | TypeError | tup
jnp.hstack([m, m], dtype='a')                     | TypeError | dtype
jnp.dstack('a')                                   | TypeError | tup
jnp.dstack([m, m], dtype='a')                     | TypeError | dtype
jnp.column_stack('a')                             | TypeError | tup
jnp.block('a')                                    | TypeError | arrays
jnp.append('a', m)                                | TypeError | arr
jnp.append(m, 'a')                                | TypeError | values
jnp.append(m, m, axis='a')                        | TypeError | axis
jnp.insert('a', 1, 0.0)                           | TypeError | arr
jnp.insert(m, 'a', 0.0)                           | TypeError | obj
jnp.insert(m, 1, 'a')                             | TypeError | values
jnp.insert(m, 1, 0.0, axis='a')                   | TypeError | axis
jnp.delete('a', 1)                                | TypeError | arr
jnp.delete(m, 'a')                                | TypeError | obj
jnp.delete(m, 1, axis='a')                        | TypeError | axis
jnp.split('a', 3)                                 | TypeError | ary
jnp.split(m, 'a')                                 | TypeError | indices_or_sections
jnp.split(m, 3, axis='a')                         | TypeError | axis
jnp.array_split('a', 2)                           | TypeError | ary
jnp.array_split(m, 'a')                           | TypeError | indices_or_sections
jnp.array_split(m, 2, axis='a')                   | TypeError | axis
jnp.hsplit('a', 2)                                | TypeError | ary
jnp.hsplit(m, 'a')                                | TypeError | indices_or_sections
jnp.vsplit('a', 3)                                | TypeError | ary
jnp.vsplit(m, 'a')                                | TypeError | indices_or_sections
jnp.dsplit('a', 1)                                | TypeError | ary
jnp.dsplit(m[..., None], 'a')                     | TypeError | indices_or_sections
jnp.pad('a', ((1, 1), (1, 1)))                    | TypeError | array
jnp.pad(m, 'a')                                   | TypeError | pad_width
jnp.pad(m, ((1, 1), (1, 1)), mode='a')            | NotImplementedError | mode
jnp.pad(m, ((1, 1), (1, 1)), constant_values='a') | TypeError | constant_values
jnp.pad('a', 1)                                   | TypeError | array
jnp.pad(m, 1, mode='a')                           | NotImplementedError | mode
jnp.pad(m, 1, end_values='a')                     | ValueError | end_values
jnp.pad(m, 1, stat_length='a')                    | ValueError | stat_length
jnp.trim_zeros('a')                               | TypeError | filt
jnp.trim_zeros(x, trim='a')                       | ValueError | trim
"""
