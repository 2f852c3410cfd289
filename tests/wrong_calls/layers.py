"""Wrong calls: the layers of fungrad.nn."""

TABLE = r"""
nn.dense.init(k, 'a', 2)                                     | TypeError | in_features
nn.dense.init(k, 2, 2.0)                                     | TypeError | out_features
nn.dense.init(3, 2, 2)                                       | TypeError | key
nn.dense.init(k, -1, 2)                                      | ValueError | in_features
nn.dense.init(k, 2, 2, dtype='a')                            | TypeError | dtype
nn.dense.apply(x, x)                                         | TypeError | params
nn.dense.apply({'w': m}, x)                                  | ValueError | kernel
nn.dense.apply({'kernel': m}, x)                             | ValueError | x
nn.dense.apply({'kernel': m}, 'a')                           | TypeError | x
nn.embedding.init(k, 'a', 2)                                 | TypeError | num_embeddings
nn.embedding.init(k, 2, None)                                | TypeError | features
nn.embedding.apply({'embedding': m}, x)                      | TypeError | ids
nn.embedding.apply({'kernel': m}, i)                         | ValueError | params
nn.embedding.attend({'embedding': m}, jnp.ones(3))           | ValueError | x
nn.layer_norm.init(None, 'a')                                | TypeError | features
nn.layer_norm.apply({'scale': x}, jnp.ones(3))               | ValueError | x
nn.layer_norm.apply(None, x)                                 | TypeError | params
nn.layer_norm.apply({'scale': x}, x, epsilon='a')            | TypeError | epsilon
nn.group_norm.init(None, 1.5)                                | TypeError | features
nn.group_norm.apply({}, m, groups=3)                         | ValueError | groups
nn.group_norm.apply({}, m, groups=0)                         | ValueError | groups
nn.group_norm.apply({}, x, groups=2)                         | ValueError | x
nn.batch_norm.init(None, 'a')                                | TypeError | features
nn.batch_norm.apply({}, {}, m, training=True)                | ValueError | state
nn.batch_norm.apply({}, None, m, training=True)              | TypeError | state
nn.batch_norm.apply({}, {'mean': x, 'var': x[:2]}, m, training=True) | ValueError | state
nn.batch_norm.apply({}, {'mean': x, 'var': x}, m[:0], training=True) | ValueError | x
nn.batch_norm.apply({}, {'mean': x, 'var': x}, m)            | TypeError | training
nn.dropout(3, x)                                             | TypeError | key
nn.dropout(k, x, 1.5)                                        | ValueError | rate
nn.dropout(k, x, 'a')                                        | TypeError | rate
nn.dropout(k, 'a')                                           | TypeError | x
nn.dropout(k, x, broadcast_dims=(1,))                        | ValueError | broadcast_dims
nn.dropout(k, x, broadcast_dims='a')                         | TypeError | broadcast_dims
nn.lstm.init(k, 'a', 2)                                      | TypeError | in_features
nn.lstm.apply(nn.lstm.init(k, 4, 2), x)                      | ValueError | x
nn.lstm.apply(nn.lstm.init(k, 4, 2), m, x)                   | TypeError | carry
nn.lstm.apply(nn.lstm.init(k, 4, 2), m, (x, x))              | ValueError | carry
nn.lstm.step(nn.gru.init(k, 4, 2), (x, x), x)                | ValueError | carry
nn.gru.init(k, 4, 'a')                                       | TypeError | features
nn.gru.apply(nn.gru.init(k, 4, 2), m[:, :3])                 | ValueError | x
nn.gru.apply(nn.lstm.init(k, 4, 2), m)                       | ValueError | params
nn.gru.step(nn.gru.init(k, 4, 2), x, x)                      | ValueError | carry
nn.multi_head_attention.init(k, 9, 2)                        | ValueError | features
nn.multi_head_attention.init(k, 8, 4, num_kv_heads=3)        | ValueError | num_kv_heads
nn.multi_head_attention.init(k, 8, 'a')                      | TypeError | num_heads
nn.multi_head_attention.apply({'query': x}, m)               | ValueError | params
nn.multi_head_attention.apply(nn.multi_head_attention.init(k, 4, 2), m[:, :3]) | ValueError | x
nn.multi_head_attention.apply(nn.multi_head_attention.init(k, 4, 2), m, q[0]) | ValueError | memory
nn.summary({'a': 'b'})                                       | TypeError | params
nn.summary(params, depth=0)                                  | ValueError | depth
"""
