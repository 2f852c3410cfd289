"""Wrong calls: mistakes that people make, of every module."""

TABLE = r"""
# shapes and counts
jnp.arange(None)                                                  | TypeError | start
jnp.linspace(0, 1, 3.5)                                           | TypeError | num
jnp.linspace(0, 1, -1)                                            | ValueError | num
jnp.eye(2.5)                                                      | TypeError | N
jnp.eye()                                                         | TypeError | N
jnp.zeros((2, 10**30))                                            | ValueError | shape
jnp.zeros((2, -1))                                                | IncompatibleShapesError | shape
jnp.zeros(3, 'flaot32')                                           | TypeError | dtype
jnp.tile(x, 'a')                                                  | TypeError | reps
jnp.array(2**70)                                                  | OverflowError | integer
jnp.concatenate([m, x])                                           | IncompatibleShapesError | dimensions
jnp.stack([m, x])                                                 | IncompatibleShapesError | shape
m.reshape(5, 5)                                                   | IncompatibleShapesError | shape
jnp.sum(m, axis=2)                                                | ValueError | axis
jnp.sum([1, 2])                                                   | TypeError | a
jnp.add(m, jnp.ones(3))                                           | IncompatibleShapesError | broadcast
jnp.matmul(m, m)                                                  | IncompatibleShapesError | axes
jnp.eye(3, k=2.5)                                                 | TypeError | k
jnp.tril(m, 2.5)                                                  | TypeError | k
jnp.triu(m, x)                                                    | TypeError | k
jnp.rot90(m, 2.5)                                                 | TypeError | k
jnp.round(x, 2.5)                                                 | TypeError | decimals
x.round(float('nan'))                                             | TypeError | decimals
jnp.broadcast_shapes((2, 1), 'a')                                 | TypeError | shapes
jnp.broadcast_shapes((2, -1), ())                                 | ValueError | shapes
jnp.unpackbits(jnp.uint8([1]), count=float('nan'))                | TypeError | count
jnp.array([[1], [1, 2]])                                          | ValueError | ragged
jnp.array([1, None])                                              | ValueError | None
# random
random.normal((3,))                                               | TypeError | key
random.normal(0)                                                  | TypeError | key
random.split(k, 2.5)                                              | TypeError | num
# loops and branches
lax.scan(lambda c, a: (c, a), 0., None, length=2.5)               | TypeError | length
lax.scan(3, 0., x)                                                | TypeError | f
lax.fori_loop(0, 2.5, lambda k, c: c, 0.)                         | TypeError | upper
lax.cond(True, 3, 4, x)                                           | TypeError | true_fun
lax.switch(0, [], x)                                              | ValueError | branches
lax.top_k(x, 1.5)                                                 | TypeError | k
lax.gather(x, i, None, (1,))                                      | TypeError | dimension_numbers
# transformations
fungrad.linear_transpose(lambda v: v * v, x)                      | TypeError | linear
fungrad.linear_transpose(lambda v: jnp.sin(v), x)                 | TypeError | linear
fungrad.linear_transpose(lambda v: 1 / v, x)                      | TypeError | linear
fungrad.jvp(jnp.sin, (1.,), (1,))                                 | TypeError | tangent
fungrad.jvp(jnp.sin, (x,), (i,))                                  | TypeError | tangent
fungrad.jvp(sq, 1., 1.)                                           | TypeError | primals
fungrad.vjp(jnp.sin, x)[1](i)                                     | ValueError | cotangent
fungrad.grad(lambda v: None)(1.)                                  | TypeError | return
fungrad.grad(lambda v: (v, v))(1.)                                | TypeError | has_aux
fungrad.grad(sq)(1)                                               | TypeError | allow_int
fungrad.grad(sq)(x)                                               | TypeError | scalar
fungrad.grad(3)                                                   | TypeError | fun
fungrad.grad(sq, argnums='v')                                     | TypeError | argnums
fungrad.grad(lambda r: r.w)(Record())                             | TypeError | register_dataclass
fungrad.jit(lambda r: r.w)(Record())                              | TypeError | register_dataclass
fungrad.jit(sq, static_argnums='v')                               | TypeError | static_argnums
fungrad.jit(sq, static_argnums=2.5)                               | TypeError | static_argnums
fungrad.jit(sq, static_argnames=3)                                | TypeError | static_argnames
fungrad.jit(lambda n: jnp.zeros(n))(3)                            | TracerIntegerConversionError | shape
fungrad.jit(lambda n: jnp.sum(jnp.ones(3), n))(0)                 | TracerIntegerConversionError | axis
fungrad.jit(lambda v: jnp.nonzero(v))(x)                          | ConcretizationTypeError | size
fungrad.vmap(lambda p, y: y)({'w': x}, jnp.ones(3))               | ValueError | p['w']
fungrad.vmap(sq, axis_size=2.5)                                   | TypeError | axis_size
fungrad.vmap(sq, in_axes=3)(x)                                    | ValueError | in_axes
fungrad.checkpoint(sq, static_argnums='a')                        | TypeError | static_argnums
fungrad.make_jaxpr(sq, static_argnums='a')                        | TypeError | static_argnums
fungrad.custom_jvp(sq, nondiff_argnames=3)                        | TypeError | nondiff_argnames
fungrad.ShapeDtypeStruct(2.5, 'float32')                          | TypeError | shape
# trees
tree.unflatten(3, [1])                                            | TypeError | treedef
tree.unflatten(tree.structure([1]), 3)                            | TypeError | leaves
tree.map(3, [1])                                                  | TypeError | f
tree.map(sq, [1], [1, 2])                                         | ValueError | rest
tree.leaves([1], is_leaf=3)                                       | TypeError | is_leaf
# optimizers
optim.adam('1e-3')                                                | TypeError | learning_rate
optim.adam(None)                                                  | TypeError | learning_rate
optim.adam(0.1).update(params)                                    | TypeError | state
optim.adam(0.1).update(params, None, params)                      | TypeError | state
optim.adam(0.1).update(optim.adam(0.1).init(params), params)      | TypeError | swapped
optim.sgd(0.1).update(optim.sgd(0.1).init(params), params)        | TypeError | swapped
optim.sgd(0.1, 0.9).update(optim.sgd(0.1, 0.9).init(params), params) | TypeError | swapped
optim.adam(0.1).update(params, optim.sgd(0.1, 0.9).init(params))  | TypeError | state
optim.adam(0.1).update(params, optim.adam(0.1).init({'a': 1.}))   | ValueError | state
optim.adam(0.1).update({'a': x}, optim.adam(0.1).init({'a': 1.})) | ValueError | state
optim.sgd(0.1, 0.9).update({'a': x}, optim.sgd(0.1, 0.9).init({'a': 1.})) | ValueError | state
optim.adamw(0.1).update(params, optim.adamw(0.1).init(params))    | ValueError | params
optim.adam(0.1).init({'a': 'b'})                                  | TypeError | params
optim.sgd(0.1).init('a')                                          | TypeError | params
optim.scale(0.1).update(params, None)                             | TypeError | state
optim.chain(optim.scale(1.), 3)                                   | TypeError | transformations
optim.apply_updates(params, {'a': x})                             | ValueError | params
optim.apply_updates({'a': 1.}, {'a': x})                          | ValueError | updates
# options
fungrad.threads(-1)                                               | ValueError | threads
fungrad.threads(float('nan'))                                     | TypeError | threads
fungrad.threads('a')                                              | TypeError | threads
fungrad.config.update('threads', 1.5)                             | TypeError | threads
fungrad.config.update('enable_x64', 'yes')                        | TypeError | enable_x64
fungrad.config.update('numpy_rank_promotion', 'never')            | ValueError | numpy_rank_promotion
fungrad.config.update('thread', 1)                                | AttributeError | threads
fungrad.debug_nans('a')                                           | TypeError | debug_nans
fungrad.numpy_dtype_promotion(3)                                  | TypeError | numpy_dtype_promotion
# extensions
extend.numba_kernel(3)                                            | TypeError | fn
extend.numba_kernel(sq, name=3)                                   | TypeError | name
extend.numba_array_kernel('a')                                    | TypeError | fn
"""
