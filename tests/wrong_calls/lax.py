"""Wrong calls: fungrad.lax."""

TABLE = r"""
lax.add('a', x)                                                                              | TypeError | x
lax.add(x, 'a')                                                                              | TypeError | y
lax.sin('a')                                                                                 | TypeError | x
lax.neg('a')                                                                                 | TypeError | x
lax.pow('a', x)                                                                              | TypeError | x
lax.pow(x, 'a')                                                                              | TypeError | y
lax.integer_pow('a', 2)                                                                      | TypeError | x
lax.integer_pow(x, 'a')                                                                      | TypeError | y
lax.bitwise_and('a', i)                                                                      | TypeError | x
lax.bitwise_and(i, 'a')                                                                      | TypeError | y
lax.bitwise_not('a')                                                                         | TypeError | x
lax.shift_left('a', i)                                                                       | TypeError | x
lax.shift_left(i, 'a')                                                                       | TypeError | y
lax.max('a', x)                                                                              | TypeError | x
lax.max(x, 'a')                                                                              | TypeError | y
lax.eq('a', x)                                                                               | TypeError | x
lax.eq(x, 'a')                                                                               | TypeError | y
lax.select('a', x, x)                                                                        | TypeError | pred
lax.select(b, 'a', x)                                                                        | TypeError | on_true
lax.select(b, x, 'a')                                                                        | TypeError | on_false
lax.select_n('a', x, x)                                                                      | TypeError | which
lax.select_n(b, k, x)                                                                        | TypeError | cases
lax.select_n(b, x, k)                                                                        | TypeError | cases
lax.clamp('a', x, 1.0)                                                                       | TypeError | min
lax.clamp(0.0, 'a', 1.0)                                                                     | TypeError | x
lax.clamp(0.0, x, 'a')                                                                       | TypeError | max
lax.complex('a', x)                                                                          | TypeError | x
lax.complex(x, 'a')                                                                          | TypeError | y
lax.real('a')                                                                                | TypeError | x
lax.round('a', lax.RoundingMethod.TO_NEAREST_EVEN)                                           | TypeError | x
lax.round(x, 'a') | ValueError | rounding_method
lax.convert_element_type('a', 'int32')                                                       | TypeError | operand
lax.bitcast_convert_type('a', 'int32')                                                       | TypeError | operand
lax.full('a', 1.0)                                                                           | TypeError | shape
lax.full((2,), 'a')                                                                          | TypeError | fill_value
lax.full((2,), 1.0, dtype='a')                                                               | TypeError | dtype
lax.full_like('a', 1.0)                                                                      | TypeError | x
lax.full_like(x, 'a')                                                                        | TypeError | fill_value
lax.full_like(x, 1.0, dtype='a')                                                             | TypeError | dtype
lax.full_like(x, 1.0, shape='a')                                                             | TypeError | shape
lax.reduce_precision('a', 5, 10)                                                             | TypeError | operand
lax.reduce_precision(x, 'a', 10)                                                             | TypeError | exponent_bits
lax.reduce_precision(x, 5, 'a')                                                              | TypeError | mantissa_bits
lax.stop_gradient(10 ** 30)                                                                  | OverflowError | x
lax.cumsum('a')                                                                              | TypeError | operand
lax.cumsum(m, axis='a')                                                                      | TypeError | axis
lax.cumsum(m, reverse=k)                                                                     | TypeError | reverse
lax.cummax('a')                                                                              | TypeError | operand
lax.cummax(m, axis='a')                                                                      | TypeError | axis
lax.cummax(m, reverse=k)                                                                     | TypeError | reverse
lax.cumlogsumexp('a')                                                                        | TypeError | operand
lax.cumlogsumexp(m, axis='a')                                                                | TypeError | axis
lax.cumlogsumexp(m, reverse=k)                                                               | TypeError | reverse
lax.dot('a', x)                                                                              | TypeError | lhs
lax.dot(m, 'a')                                                                              | TypeError | rhs
lax.batch_matmul('a', m.T[None])                                                             | TypeError | lhs
lax.batch_matmul(m[None], 'a')                                                               | TypeError | rhs
lax.dot_general('a', x, (((1,), (0,)), ((), ())))                                            | TypeError | lhs
lax.dot_general(m, 'a', (((1,), (0,)), ((), ())))                                            | TypeError | rhs
lax.dot_general(m, x, 10 ** 30) | TypeError | dimension_numbers
lax.dot_general(m, x, (((1,), (0,)), ((), ())), precision='a')                               | ValueError | precision
lax.dot_general(m, x, (((1,), (0,)), ((), ())), preferred_element_type='a') | TypeError | preferred_element_type
lax.dynamic_slice('a', (0, 0), (2, 2))                                                       | TypeError | operand
lax.dynamic_slice(m, None, (2, 2))                                                           | TypeError | start_indices
lax.dynamic_slice(m, (0, 0), 'a')                                                            | TypeError | slice_sizes
lax.dynamic_slice_in_dim('a', 0, 2)                                                          | TypeError | operand
lax.dynamic_slice_in_dim(m, 'a', 2)                                                          | TypeError | start_index
lax.dynamic_slice_in_dim(m, 0, 'a')                                                          | TypeError | slice_size
lax.dynamic_slice_in_dim(m, 0, 2, axis='a')                                                  | TypeError | axis
lax.dynamic_index_in_dim('a', 0)                                                             | TypeError | operand
lax.dynamic_index_in_dim(m, 'a')                                                             | TypeError | index
lax.dynamic_index_in_dim(m, 0, axis='a')                                                     | TypeError | axis
lax.dynamic_index_in_dim(m, 0, keepdims=k)                                                   | TypeError | keepdims
lax.dynamic_update_slice('a', m, (0, 0))                                                     | TypeError | operand
lax.dynamic_update_slice(m, 'a', (0, 0))                                                     | TypeError | update
lax.dynamic_update_slice(m, m, None)                                                         | TypeError | start_indices
lax.dynamic_update_slice_in_dim(m, m, 0, axis='a')                                           | TypeError | axis
lax.dynamic_update_index_in_dim(m, x, 0, axis='a')                                           | TypeError | axis
lax.gather('a', i[:, None], lax.GatherDimensionNumbers((1,), (0,), (0,)), (1, 4))            | TypeError | operand
lax.gather(m, 'a', lax.GatherDimensionNumbers((1,), (0,), (0,)), (1, 4))                     | TypeError | start_indices
lax.gather(m, i[:, None], 'a', (1, 4)) | TypeError | dimension_numbers
lax.gather(m, i[:, None], lax.GatherDimensionNumbers((1,), (0,), (0,)), 'a')                 | TypeError | slice_sizes
lax.gather(m, i[:, None], lax.GatherDimensionNumbers((1,), (0,), (0,)), (1, 4), mode='a')    | ValueError | mode
lax.gather(m, i[:, None], lax.GatherDimensionNumbers((1,), (0,), (0,)), (1, 4), fill_value='a') | TypeError | fill_value
lax.scatter_add('a', jnp.zeros((2, 1), int), m[:2], lax.ScatterDimensionNumbers((1,), (0,), (0,))) | TypeError | operand
lax.scatter_add(m, 'a', m[:2], lax.ScatterDimensionNumbers((1,), (0,), (0,))) | TypeError | scatter_indices
lax.scatter_add(m, jnp.zeros((2, 1), int), 'a', lax.ScatterDimensionNumbers((1,), (0,), (0,))) | TypeError | updates
lax.scatter_add(m, jnp.zeros((2, 1), int), m[:2], 'a') | TypeError | dimension_numbers
lax.scatter('a', jnp.zeros((2, 1), int), m[:2], lax.ScatterDimensionNumbers((1,), (0,), (0,))) | TypeError | operand
lax.scatter(m, 'a', m[:2], lax.ScatterDimensionNumbers((1,), (0,), (0,))) | TypeError | scatter_indices
lax.scatter(m, jnp.zeros((2, 1), int), 'a', lax.ScatterDimensionNumbers((1,), (0,), (0,)))   | TypeError | updates
lax.scatter(m, jnp.zeros((2, 1), int), m[:2], 'a') | TypeError | dimension_numbers
lax.scatter_mul('a', jnp.zeros((2, 1), int), m[:2], lax.ScatterDimensionNumbers((1,), (0,), (0,))) | TypeError | operand
lax.scatter_mul(m, 'a', m[:2], lax.ScatterDimensionNumbers((1,), (0,), (0,))) | TypeError | scatter_indices
lax.scatter_mul(m, jnp.zeros((2, 1), int), 'a', lax.ScatterDimensionNumbers((1,), (0,), (0,))) | TypeError | updates
lax.scatter_mul(m, jnp.zeros((2, 1), int), m[:2], 'a') | TypeError | dimension_numbers
lax.scatter_apply(m, 'a', jnp.sin, lax.ScatterDimensionNumbers((1,), (0,), (0,))) | TypeError | scatter_indices
lax.scatter_apply(m, jnp.zeros((2, 1), int), 'a', lax.ScatterDimensionNumbers((1,), (0,), (0,))) | TypeError | func
lax.scatter_apply(m, jnp.zeros((2, 1), int), jnp.sin, 'a') | TypeError | dimension_numbers
lax.concatenate('a', 0)                                                                      | TypeError | operands
lax.concatenate([m, m], 'a')                                                                 | TypeError | dimension
lax.split('a', (1, 2))                                                                       | TypeError | operand
lax.split(m, 'a')                                                                            | TypeError | sizes
lax.split(m, (1, 2), axis='a')                                                               | TypeError | axis
lax.stack('a')                                                                               | TypeError | operands
lax.stack([m, m], axis='a')                                                                  | TypeError | axis
lax.unstack('a')                                                                             | TypeError | x
lax.unstack(m, axis='a')                                                                     | TypeError | axis
lax.tile('a', (2, 1))                                                                        | TypeError | operand
lax.tile(m, 'a')                                                                             | TypeError | reps
lax.argmax('a', 0, 'int32')                                                                  | TypeError | operand
lax.argmax(m, 'a', 'int32')                                                                  | TypeError | axis
lax.argmax(m, 0, 'a')                                                                        | TypeError | index_dtype
lax.argmin('a', 0, 'int32')                                                                  | TypeError | operand
lax.argmin(m, 'a', 'int32')                                                                  | TypeError | axis
lax.argmin(m, 0, 'a')                                                                        | TypeError | index_dtype
lax.reduce_sum('a', (0,))                                                                    | TypeError | operand
lax.reduce_sum(m, 'a')                                                                       | TypeError | axes
lax.reduce_max('a', (0,))                                                                    | TypeError | operand
lax.reduce_max(m, 'a')                                                                       | TypeError | axes
lax.reduce_and('a', (0,))                                                                    | TypeError | operand
lax.reduce_and(b, 'a')                                                                       | TypeError | axes
lax.reduce_prod('a', (0,))                                                                   | TypeError | operand
lax.reduce_prod(m, 'a')                                                                      | TypeError | axes
lax.reduce('a', 0.0, lax.add, (0,))                                                          | TypeError | operands
lax.reduce(m, None, lax.add, (0,))                                                           | ValueError | init_values
lax.reduce(m, 0.0, 'a', (0,))                                                                | TypeError | computation
lax.reduce(m, 0.0, lax.add, 'a')                                                             | TypeError | dimensions
lax.reduce_window('a', 0.0, lax.add, (2, 2), (1, 1), 'VALID')                                | TypeError | operand
lax.reduce_window(m, 'a', lax.add, (2, 2), (1, 1), 'VALID')                                  | TypeError | init_value
lax.reduce_window(m, 0.0, 'a', (2, 2), (1, 1), 'VALID')                                      | TypeError | computation
lax.reduce_window(m, 0.0, lax.add, 'a', (1, 1), 'VALID') | TypeError | window_dimensions
lax.reduce_window(m, 0.0, lax.add, (2, 2), 'a', 'VALID') | TypeError | window_strides
lax.reduce_window(m, 0.0, lax.add, (2, 2), (1, 1), 'a')                                      | ValueError | padding
lax.reduce_window(m, 0.0, lax.add, (2, 2), (1, 1), 'VALID', base_dilation='a')               | TypeError | base_dilation
lax.reduce_window(m, 0.0, lax.add, (2, 2), (1, 1), 'VALID', window_dilation='a') | TypeError | window_dilation
lax.padtype_to_pads('a', (2, 2), (1, 1), 'SAME')                                             | TypeError | in_shape
lax.padtype_to_pads((4, 4), 'a', (1, 1), 'SAME')                                             | TypeError | window_shape
lax.padtype_to_pads((4, 4), (2, 2), 'a', 'SAME') | TypeError | window_strides
lax.padtype_to_pads((4, 4), (2, 2), (1, 1), 'a')                                             | ValueError | padding
lax.reduce_window_shape_tuple(2.5, (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1))         | TypeError | operand_shape
lax.reduce_window_shape_tuple((4, 4), 'a', (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1)) | TypeError | window_dimensions
lax.reduce_window_shape_tuple((4, 4), (2, 2), 'a', ((0, 0), (0, 0)), (1, 1), (1, 1)) | TypeError | window_strides
lax.reduce_window_shape_tuple((4, 4), (2, 2), (1, 1), 'a', (1, 1), (1, 1))                   | ValueError | padding
lax.reduce_window_shape_tuple((4, 4), (2, 2), (1, 1), ((0, 0), (0, 0)), 'a', (1, 1))         | TypeError | base_dilation
lax.reduce_window_shape_tuple((4, 4), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 'a') | TypeError | window_dilation
lax.broadcast('a', (2,))                                                                     | TypeError | operand
lax.broadcast(x, 'a')                                                                        | TypeError | sizes
lax.broadcast_shapes('a', (3, 1))                                                            | TypeError | shapes
lax.broadcast_shapes((1, 2), 'a')                                                            | TypeError | shapes
lax.broadcast_to_rank('a', 2)                                                                | TypeError | x
lax.broadcast_to_rank(x, 'a')                                                                | TypeError | rank
lax.broadcast_in_dim('a', (3, 4), (1,))                                                      | TypeError | operand
lax.broadcast_in_dim(x, 'a', (1,))                                                           | TypeError | shape
lax.broadcast_in_dim(x, (3, 4), 'a') | TypeError | broadcast_dimensions
lax.broadcasted_iota('a', (2, 3), 0)                                                         | TypeError | dtype
lax.broadcasted_iota('int32', 'a', 0)                                                        | TypeError | shape
lax.broadcasted_iota('int32', (2, 3), 'a')                                                   | TypeError | dimension
lax.iota('a', 3)                                                                             | TypeError | dtype
lax.iota('int32', 'a')                                                                       | TypeError | size
lax.collapse('a', 0, 2)                                                                      | TypeError | operand
lax.collapse(m, 'a', 2) | TypeError | start_dimension
lax.collapse(m, 0, 'a') | TypeError | stop_dimension
lax.expand_dims('a', (0,))                                                                   | TypeError | array
lax.expand_dims(x, 'a')                                                                      | TypeError | dimensions
lax.index_in_dim('a', 0)                                                                     | TypeError | operand
lax.index_in_dim(m, 'a')                                                                     | TypeError | index
lax.index_in_dim(m, 0, axis='a')                                                             | TypeError | axis
lax.index_in_dim(m, 0, keepdims=k)                                                           | TypeError | keepdims
lax.pad('a', 0.0, ((1, 1, 0), (0, 0, 1)))                                                    | TypeError | operand
lax.pad(m, 'a', ((1, 1, 0), (0, 0, 1)))                                                      | TypeError | padding_value
lax.pad(m, 0.0, 'a') | TypeError | padding_config
lax.rev('a', (0,))                                                                           | TypeError | operand
lax.rev(m, 'a')                                                                              | TypeError | dimensions
lax.slice('a', (0, 0), (2, 2), (1, 1))                                                       | TypeError | operand
lax.slice(m, 'a', (2, 2), (1, 1))                                                            | TypeError | start_indices
lax.slice(m, (0, 0), 'a', (1, 1))                                                            | TypeError | limit_indices
lax.slice(m, (0, 0), (2, 2), 'a')                                                            | TypeError | strides
lax.slice_in_dim('a', 0, 2)                                                                  | TypeError | operand
lax.slice_in_dim(m, 'a', 2)                                                                  | TypeError | start_index
lax.slice_in_dim(m, 0, 'a')                                                                  | TypeError | limit_index
lax.slice_in_dim(m, 0, 2, stride='a')                                                        | TypeError | stride
lax.slice_in_dim(m, 0, 2, axis='a')                                                          | TypeError | axis
lax.squeeze('a', (0,))                                                                       | TypeError | array
lax.squeeze(m[None], 'a')                                                                    | TypeError | dimensions
lax.reshape('a', (4, 3), (0, 1))                                                             | TypeError | operand
lax.reshape(m, 'a', (0, 1))                                                                  | TypeError | new_sizes
lax.reshape(m, (4, 3), 'a')                                                                  | TypeError | dimensions
lax.transpose('a', (1, 0))                                                                   | TypeError | operand
lax.transpose(m, 'a')                                                                        | TypeError | permutation
lax.sort('a')                                                                                | TypeError | operand
lax.sort(m, dimension='a')                                                                   | TypeError | dimension
lax.sort(m, is_stable=k)                                                                     | TypeError | is_stable
lax.sort(m, num_keys='a')                                                                    | TypeError | num_keys
lax.sort_key_val(10 ** 30, x)                                                                | OverflowError | keys
lax.sort_key_val(x, 'a')                                                                     | TypeError | values
lax.sort_key_val(x, x, dimension='a')                                                        | TypeError | dimension
lax.sort_key_val(x, x, is_stable=k)                                                          | TypeError | is_stable
lax.top_k('a', 2)                                                                            | TypeError | operand
lax.top_k(x, 'a')                                                                            | TypeError | k
lax.approx_max_k('a', 2)                                                                     | TypeError | operand
lax.approx_max_k(x, 'a')                                                                     | TypeError | k
lax.approx_max_k(x, 2, reduction_dimension='a') | TypeError | reduction_dimension
lax.betainc('a', x, x)                                                                       | TypeError | a
lax.betainc(x, 'a', x)                                                                       | TypeError | b
lax.betainc(x, x, 'a')                                                                       | TypeError | x
lax.igamma('a', x)                                                                           | TypeError | a
lax.igamma(x, 'a')                                                                           | TypeError | x
lax.polygamma(x, 'a')                                                                        | TypeError | x
lax.zeta('a', x)                                                                             | TypeError | x
lax.zeta(x, 'a')                                                                             | TypeError | q
lax.erf('a')                                                                                 | TypeError | x
lax.lgamma('a')                                                                              | TypeError | x
lax.associative_scan('a', x)                                                                 | TypeError | fn
lax.associative_scan(jnp.add, 'a')                                                           | TypeError | elems
lax.associative_scan(jnp.add, x, reverse=k)                                                  | TypeError | reverse
lax.associative_scan(jnp.add, x, axis='a')                                                   | TypeError | axis
lax.cond(10 ** 30, jnp.sin, jnp.cos, x)                                                      | OverflowError | integer
lax.cond(True, jnp.sin, 10 ** 30, x)                                                         | TypeError | args
lax.cond(True, jnp.sin, jnp.cos, 10 ** 30)                                                   | OverflowError | integer
lax.switch('a', [jnp.sin, jnp.cos], x)                                                       | TypeError | index
lax.switch(0, 'a', x)                                                                        | TypeError | branches
lax.switch(0, [jnp.sin, jnp.cos], 'a')                                                       | TypeError | operands
lax.custom_linear_solve('a', x, lambda mv, v: v / 2)                                         | TypeError | matvec
lax.custom_linear_solve(lambda v: v * 2, 'a', lambda mv, v: v / 2)                           | TypeError | b
lax.custom_linear_solve(lambda v: v * 2, x, 'a')                                             | TypeError | solve
lax.custom_linear_solve(lambda v: v * 2, x, lambda mv, v: v / 2, symmetric=k)                | TypeError | symmetric
lax.custom_root('a', x, lambda f, v: v, lambda g, y: y)                                      | TypeError | f
lax.custom_root(lambda v: v * 2, 'a', lambda f, v: v, lambda g, y: y)                        | TypeError | initial_guess
lax.custom_root(lambda v: v * 2, x, 'a', lambda g, y: y)                                     | TypeError | solve
lax.custom_root(lambda v: v * 2, x, lambda f, v: v, 'a')                                     | TypeError | tangent_solve
lax.fori_loop('a', 3, lambda k, c: c, x)                                                     | TypeError | lower
lax.fori_loop(0, 'a', lambda k, c: c, x)                                                     | TypeError | upper
lax.fori_loop(0, 3, 'a', x)                                                                  | TypeError | body_fun
lax.fori_loop(0, 3, lambda k, c: c, 'a')                                                     | TypeError | init_val
lax.while_loop('a', lambda c: c, x)                                                          | TypeError | cond_fun
lax.while_loop(lambda c: False, 'a', x)                                                      | TypeError | body_fun
lax.while_loop(lambda c: False, lambda c: c, 'a')                                            | TypeError | init_val
lax.map('a', x)                                                                              | TypeError | f
lax.map(jnp.sin, 'a')                                                                        | TypeError | xs
lax.map(jnp.sin, x, batch_size='a')                                                          | TypeError | batch_size
lax.scan('a', 0.0, x)                                                                        | TypeError | f
lax.scan(lambda c, a: (c, a), 'a', x)                                                        | TypeError | init
lax.scan(lambda c, a: (c, a), 0.0, 'a')                                                      | TypeError | xs
lax.scan(lambda c, a: (c, a), 0.0, x, length='a')                                            | TypeError | length
lax.scan(lambda c, a: (c, a), 0.0, x, reverse=k)                                             | TypeError | reverse
lax.scan(lambda c, a: (c, a), 0.0, x, unroll='a')                                            | TypeError | unroll
lax.optimization_barrier('a')                                                                | TypeError | operand
"""
