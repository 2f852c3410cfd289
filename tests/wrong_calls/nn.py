"""Wrong calls: fungrad.nn."""

TABLE = r"""
nn.relu('a')                                                                                 | TypeError | x
nn.relu6('a')                                                                                | TypeError | x
nn.sigmoid('a')                                                                              | TypeError | x
nn.softplus('a')                                                                             | TypeError | x
nn.elu('a')                                                                                  | TypeError | x
nn.elu(x, alpha='a')                                                                         | TypeError | alpha
nn.celu('a')                                                                                 | TypeError | x
nn.celu(x, alpha='a')                                                                        | TypeError | alpha
nn.leaky_relu('a')                                                                           | TypeError | x
nn.leaky_relu(x, negative_slope='a') | TypeError | negative_slope
nn.gelu('a')                                                                                 | TypeError | x
nn.gelu(x, approximate=k)                                                                    | TypeError | approximate
nn.glu('a')                                                                                  | TypeError | x
nn.glu(x, axis='a')                                                                          | TypeError | axis
nn.selu('a')                                                                                 | TypeError | x
nn.hard_tanh('a')                                                                            | TypeError | x
nn.log_sigmoid('a')                                                                          | TypeError | x
nn.mish('a')                                                                                 | TypeError | x
nn.silu('a')                                                                                 | TypeError | x
nn.squareplus('a')                                                                           | TypeError | x
nn.squareplus(x, b='a')                                                                      | TypeError | b
nn.log1mexp('a')                                                                             | TypeError | x
nn.sparse_plus('a')                                                                          | TypeError | x
nn.soft_sign('a')                                                                            | TypeError | x
nn.identity('a')                                                                             | TypeError | x
nn.one_hot('a', 5)                                                                           | TypeError | x
nn.one_hot(i, 'a')                                                                           | TypeError | num_classes
nn.one_hot(i, 5, dtype='a')                                                                  | TypeError | dtype
nn.one_hot(i, 5, axis='a')                                                                   | TypeError | axis
nn.softmax('a')                                                                              | TypeError | x
nn.softmax(m, axis='a')                                                                      | TypeError | axis
nn.softmax(m, where='a')                                                                     | TypeError | where
nn.log_softmax('a')                                                                          | TypeError | x
nn.log_softmax(m, axis='a')                                                                  | TypeError | axis
nn.log_softmax(m, where='a')                                                                 | TypeError | where
nn.logsumexp('a')                                                                            | TypeError | a
nn.logsumexp(m, axis='a')                                                                    | TypeError | axis
nn.logsumexp(m, b='a')                                                                       | TypeError | b
nn.logsumexp(m, keepdims=k)                                                                  | TypeError | keepdims
nn.logsumexp(m, return_sign=k)                                                               | TypeError | return_sign
nn.logsumexp(m, where='a')                                                                   | TypeError | where
nn.logmeanexp('a')                                                                           | TypeError | x
nn.logmeanexp(m, axis='a')                                                                   | TypeError | axis
nn.logmeanexp(m, where='a')                                                                  | TypeError | where
nn.logmeanexp(m, keepdims=k)                                                                 | TypeError | keepdims
nn.standardize('a')                                                                          | TypeError | x
nn.standardize(m, axis='a')                                                                  | TypeError | axis
nn.standardize(m, mean='a')                                                                  | TypeError | mean
nn.standardize(m, variance='a')                                                              | TypeError | variance
nn.standardize(m, epsilon='a')                                                               | TypeError | epsilon
nn.standardize(m, where='a')                                                                 | TypeError | where
nn.dot_product_attention('a', q, q)                                                          | TypeError | query
nn.dot_product_attention(q, 'a', q)                                                          | TypeError | key
nn.dot_product_attention(q, q, 'a')                                                          | TypeError | value
nn.dot_product_attention(q, q, q, bias='a')                                                  | TypeError | bias
nn.dot_product_attention(q, q, q, mask='a')                                                  | TypeError | mask
nn.dot_product_attention(q, q, q, scale='a')                                                 | TypeError | scale
nn.dot_product_attention(q, q, q, is_causal=k)                                               | TypeError | is_causal
nn.dot_product_attention(q, q, q, query_seq_lengths=10 ** 30) | OverflowError | query_seq_lengths
nn.dot_product_attention(q, q, q, local_window_size='a') | TypeError | local_window_size
nn.dot_product_attention(q, q, q, implementation='a') | ValueError | implementation
nn.initializers.normal(stddev='a')(k, (2, 3), 'float32')                                     | TypeError | stddev
nn.initializers.normal(dtype='a')(k, (2, 3), 'float32')                                      | TypeError | dtype
nn.initializers.normal(stddev=0.01, dtype='float32')('a', (2, 3), 'float32')                 | TypeError | key
nn.initializers.normal(stddev=0.01, dtype='float32')(k, 'a', 'float32')                      | TypeError | shape
nn.initializers.normal(stddev=0.01, dtype='float32')(k, (2, 3), 'a')                         | TypeError | dtype
nn.initializers.uniform(scale='a')(k, (2, 3), 'float32')                                     | TypeError | scale
nn.initializers.uniform(dtype='a')(k, (2, 3), 'float32')                                     | TypeError | dtype
nn.initializers.uniform(scale=0.01, dtype='float32')('a', (2, 3), 'float32')                 | TypeError | key
nn.initializers.uniform(scale=0.01, dtype='float32')(k, 'a', 'float32')                      | TypeError | shape
nn.initializers.uniform(scale=0.01, dtype='float32')(k, (2, 3), 'a')                         | TypeError | dtype
nn.initializers.constant(10 ** 30)(k, (2, 3), 'float32')                                     | TypeError | value
nn.initializers.constant(1.0, dtype='a')(k, (2, 3), 'float32')                               | TypeError | dtype
nn.initializers.constant(1.0, dtype='float32')(k, 'a', 'float32')                            | TypeError | shape
nn.initializers.constant(1.0, dtype='float32')(k, (2, 3), 'a')                               | TypeError | dtype
nn.initializers.truncated_normal(stddev='a')(k, (2, 3), 'float32')                           | TypeError | stddev
nn.initializers.truncated_normal(dtype='a')(k, (2, 3), 'float32')                            | TypeError | dtype
nn.initializers.truncated_normal(lower='a')(k, (2, 3), 'float32')                            | TypeError | lower
nn.initializers.truncated_normal(upper='a')(k, (2, 3), 'float32')                            | TypeError | upper
nn.initializers.variance_scaling('a', 'fan_in', 'normal')(k, (2, 3), 'float32')              | TypeError | scale
nn.initializers.variance_scaling(1.0, 'a', 'normal')(k, (2, 3), 'float32')                   | ValueError | mode
nn.initializers.variance_scaling(1.0, 'fan_in', 'a')(k, (2, 3), 'float32')                   | ValueError | distribution
nn.initializers.variance_scaling(1.0, 'fan_in', 'normal', in_axis=10 ** 30)(k, (2, 3), 'float32') | TypeError | in_axis
nn.initializers.variance_scaling(1.0, 'fan_in', 'normal', batch_axis=-7)(k, (2, 3), 'float32') | ValueError | batch_axis
nn.initializers.variance_scaling(1.0, 'fan_in', 'normal', dtype='a')(k, (2, 3), 'float32')   | TypeError | dtype
nn.initializers.variance_scaling('a', 'fan_in', 'normal')                                    | TypeError | scale
nn.initializers.variance_scaling(1.0, 'a', 'normal')                                         | ValueError | mode
nn.initializers.variance_scaling(1.0, 'fan_in', 'a')                                         | ValueError | distribution
nn.initializers.variance_scaling(1.0, 'fan_in', 'normal', in_axis=10 ** 30)                  | TypeError | in_axis
nn.initializers.variance_scaling(1.0, 'fan_in', 'normal', out_axis=10 ** 30)                 | TypeError | out_axis
nn.initializers.variance_scaling(1.0, 'fan_in', 'normal', batch_axis=10 ** 30)               | TypeError | batch_axis
nn.initializers.variance_scaling(1.0, 'fan_in', 'normal', dtype='a')                         | TypeError | dtype
nn.initializers.glorot_normal(in_axis=10 ** 30)(k, (2, 3), 'float32')                        | TypeError | in_axis
nn.initializers.glorot_normal(out_axis=10 ** 30)(k, (2, 3), 'float32')                       | TypeError | out_axis
nn.initializers.he_uniform(in_axis=10 ** 30)(k, (2, 3), 'float32')                           | TypeError | in_axis
nn.initializers.he_uniform(out_axis=10 ** 30)(k, (2, 3), 'float32')                          | TypeError | out_axis
nn.initializers.zeros(k, 'a', 'float32')                                                     | TypeError | shape
nn.initializers.zeros(k, (2, 3), 'a')                                                        | TypeError | dtype
nn.initializers.ones(k, 'a', 'float32')                                                      | TypeError | shape
nn.initializers.ones(k, (2, 3), 'a')                                                         | TypeError | dtype
nn.scaled_matmul('a', q[0], q[0], q[0]) | TypeError | lhs
nn.scaled_matmul(x, q[0], q[0], q[0]) | ValueError | lhs
nn.scaled_matmul(q[0], q[0, :, :, :3], q[0], q[0]) | ValueError | rhs
nn.scaled_matmul(q[0], q[0], q[0, :, :, :3], q[0]) | ValueError | lhs_scales
nn.scaled_matmul(q[0], q[0], q[0], q[0, :1]) | ValueError | rhs_scales
nn.get_scaled_dot_general_config('a') | ValueError | mode
nn.scaled_dot_general(s, s, (((1,), (1,)), ((), ())), configs=[1, 2, 3]) | TypeError | configs
nn.scaled_dot_general(m, m, ((1,), (1,)), configs=())                              | ValueError | dimension_numbers
"""
