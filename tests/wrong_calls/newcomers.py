"""Wrong calls: mistakes of newcomers, of every module."""

TABLE = r"""
V(lambda v: lax.all_gather(v, 'i', axis=4)) | ValueError | axis
V(lambda v: lax.psum(v, 'j')) | UnboundAxisNameError | axis
checkify.checkify(lambda v: checkify.check(v, 'm'))(x) | TypeError | pred
data.batches(k, x, 9) | ValueError | size
data.batches(k, {'a': x, 'b': m[:2]}, 2) | ValueError | arrays
data.batches(x, 0) | TypeError | size
debug.check(x > 0, 'positive') | TypeError | pred
debug.print(x) | TypeError | fmt
flatten_util.ravel_pytree(params)[1](jnp.ones(3)) | ValueError | shape
flatten_util.ravel_pytree(params)[1](m) | ValueError | shape
fungrad.closure_convert(3) | TypeError | fun
fungrad.custom_vjp(sq).defvjp(sq) | TypeError | positional
fungrad.device_put('a') | TypeError | x
fungrad.device_put(m, sharding.NamedSharding(mesh, P('i', None, None))) | ValueError | mesh
fungrad.device_put(x, 'cpu') | ValueError | device
fungrad.device_put(x, P('i')) | ValueError | mesh
fungrad.freeze(x) | ValueError | Ref
fungrad.grad(None) | TypeError | fun
fungrad.grad(lambda p, t: p)(1., 2., 3.) | TypeError | positional
fungrad.grad(lambda v: np.sin(np.array(v)))(1.0) | TracerArrayConversionError | traced
fungrad.grad(sq)() | TypeError | positional
fungrad.grad(sq)(1., w=2.) | TypeError | keyword
fungrad.hessian(lambda v: v.sum(), argnums=2)(x) | TypeError | positional
fungrad.jit(jnp.add)(x) | TypeError | positional
fungrad.jit(lambda v: jnp.arange(v))(3) | ConcretizationTypeError | traced
fungrad.jit(lambda v: jnp.eye(v))(3) | TracerIntegerConversionError | traced
fungrad.jit(lambda v: jnp.full((v, 2), 1.))(3) | TracerIntegerConversionError | traced
fungrad.jit(lambda v: jnp.unique(v))(x) | ConcretizationTypeError | traced
fungrad.jit(lambda v: v if v else 0)(1) | TracerBoolConversionError | traced
fungrad.jit(lambda v: v.reshape(v.sum().astype(int)))(x) | TracerIntegerConversionError | traced
fungrad.jit(lambda v: v[v > 0])(x) | NonConcreteBooleanIndexError | index
fungrad.jit(lambda v: {'a': 'b'})(x) | TypeError | scalar
fungrad.jit(sq, in_shardings=P('i'))(x) | RuntimeError | mesh
fungrad.jit(sq, static_argnames='v')(v=[1]) | ValueError | static argument
fungrad.jit(sq, static_argnums=0)(x) | ValueError | static argument
fungrad.jvp(sq) | TypeError | primals
fungrad.linearize(sq) | TypeError | positional
fungrad.make_jaxpr(3) | TypeError | fun
fungrad.make_jaxpr(sq)('a') | TypeError | scalar
fungrad.make_mesh((1,)) | TypeError | axis_names
fungrad.named_call(sq, name=3) | TypeError | name
fungrad.pure_callback(lambda v: (v, v), x, x) | TypeError | structure
fungrad.pure_callback(lambda: 0., x, x) | TypeError | positional
fungrad.pure_callback(np.sin, None, x) | TypeError | sin
fungrad.value_and_grad(sq)(x) | TypeError | scalar
fungrad.vjp(lambda v: 'a', x) | TypeError | scalar
fungrad.vmap(lambda u, v: u + v)(m, x) | ValueError | axes
fungrad.vmap(lambda u, v: u + v, in_axes=(0, 1))(m, m) | ValueError | axes
fungrad.vmap(lambda v: (v, v), out_axes=(0,))(m) | ValueError | out_axes
fungrad.vmap(sq, in_axes=2)(m) | ValueError | in_axes
image.resize(m, (2,), 'linear') | ValueError | shape
image.resize(x, 2, 'linear') | TypeError | shape
io.load(3) | TypeError | path
jnp.argmax(m, axis=(0, 1)) | TypeError | axis
jnp.array('abc') | TypeError | dtype
jnp.broadcast_to(m, (4, 3)) | IncompatibleShapesError | shape
jnp.dot(m, None) | TypeError | b
jnp.einsum('ij,jk->ik', m, m) | ValueError | shape
jnp.einsum(m, m) | ValueError | shape
jnp.linalg.inv(None) | TypeError | a
jnp.mean({'a': x}) | TypeError | a
jnp.moveaxis(m, 0, (1, 2)) | ValueError | axis
jnp.pad(m, ((1, 1), (1, 1), (1, 1))) | ValueError | pad_width
jnp.sin([1, 2]) | TypeError | x
jnp.split(x, 3) | ValueError | axis
jnp.take(x) | TypeError | indices
jnp.transpose(m, (0, 0)) | IncompatibleShapesError | axes
lax.associative_scan(sq, x) | TypeError | positional
lax.bitcast_convert_type(x, 'int64x') | TypeError | dtype
lax.concatenate([x, m], 0) | TypeError | arrays
lax.cond(1.5, sq, sq) | TypeError | positional
lax.cond(True, x, x) | TypeError | true_fun
lax.cond(x > 0, sq, sq, x) | TypeError | pred
lax.fori_loop(0, 3) | TypeError | body_fun
lax.fori_loop(0, 3, lambda c: c, 0.) | TypeError | positional
lax.map(sq, None) | ValueError | xs
lax.pmean(x, 'batch') | UnboundAxisNameError | axis
lax.scan(lambda c, a: (c + a, a), jnp.ones(3), x.astype(complex)) | TypeError | carry
lax.scan(lambda c, a: (c, 'a'), 0., x) | TypeError | scalar
lax.scan(lambda c, a: (c, a), 0.) | ValueError | xs
lax.scan(lambda c, a: (c, a), 0., x, length=7) | ValueError | xs
lax.scan(lambda c, a: (c, a), 0., x, unroll=2.5) | TypeError | unroll
lax.scan(lambda c, a: (float(c), a), 0., x) | ConcretizationTypeError | traced
lax.select(b, x, jnp.ones(3)) | TypeError | operands
lax.stop_gradient(sq) | TypeError | x
lax.switch('a', [sq], x) | TypeError | index
lax.while_loop(lambda c: True, None, 0.) | TypeError | body_fun
lax.while_loop(lambda c: c > 0, lambda c: c, x) | TypeError | cond_fun
lax.while_loop(lambda c: c, lambda c: c, 0.) | TypeError | cond_fun
nn.dot_product_attention(q, q, x) | ValueError | shape
nn.initializers.orthogonal()(k, (3,)) | ValueError | shape
nn.initializers.truncated_normal()(k, (2.5,)) | TypeError | shape
nn.initializers.zeros(k) | TypeError | shape
nn.one_hot(m, -1) | TypeError | sizes
nn.one_hot(x, 3.5) | TypeError | num_classes
optim.adam(0.1).update(3., optim.adam(0.1).init({'w': x})) | ValueError | state
optim.adamw(0.1).update({'w': x}, optim.adamw(0.1).init({'w': x}), {'v': x}) | ValueError | structure
optim.apply_updates({'w': x}, {'w': m}) | ValueError | updates
optim.chain([optim.sgd(0.1)]) | TypeError | transformations
optim.chain(optim.sgd(0.1), None) | TypeError | transformations
optim.cosine_decay_schedule(0.1, -1) | ValueError | decay_steps
optim.losses.huber_loss(None) | TypeError | predictions
optim.losses.l2_loss(m, jnp.ones(3)) | ValueError | targets
optim.losses.softmax_cross_entropy(m, x[:3]) | IncompatibleShapesError | shapes
optim.sgd('fast') | TypeError | learning_rate
random.bits(k, dtype='float32') | ValueError | dtype
random.fold_in(k, x) | TypeError | data
random.key(0, impl='mersenne') | ValueError | impl
random.key(1.5) | TypeError | seed
random.key_data(x) | TypeError | keys
random.normal(k, (3, -1)) | ValueError | shape
random.normal(random.split(k)) | ValueError | shape
random.permutation(k, m, axis=3) | ValueError | axis
random.split(random.split(k), 2) | ValueError | shape
random.truncated_normal(k) | TypeError | lower
random.uniform(k, minval='a') | TypeError | minval
random.wrap_key_data(x) | TypeError | key_bits_array
scipy.integrate.trapezoid(None) | TypeError | y
scipy.integrate.trapezoid(x, jnp.ones(3)) | IncompatibleShapesError | shapes
scipy.ndimage.map_coordinates(x, x, 9) | ValueError | coordinates
scipy.optimize.minimize(3, x, method='BFGS') | TypeError | fun
scipy.signal.convolve(m, x) | ValueError | shapes
scipy.sparse.linalg.cg(x, x) | ValueError | A
sharding.NamedSharding(None, P('i')) | TypeError | mesh
sharding.NamedSharding(mesh, ('i',)) | TypeError | spec
sharding.NamedSharding(mesh, P('j')) | ValueError | axis
sparse.BCOO((x, m), shape=(4,)) | ValueError | indices
special.logsumexp(x, axis=2) | ValueError | axis
stats.norm.logpdf(x, scale=None) | TypeError | scale
train.EarlyStopping('loss', patience='a') | TypeError | patience
train.fit(sq, 0., None) | TypeError | data
tree.leaves() | TypeError | tree
tree.map(sq) | TypeError | tree
tree.map(sq, {'a': 1}, {'b': 1}) | ValueError | structure
tree.reduce(jnp.add, []) | TypeError | leaves
tree_util.tree_map(None, {'a': x}) | TypeError | f
tree_util.tree_map_with_path(sq, {'a': x}) | TypeError | positional
x.astype('flaot') | TypeError | dtype
x.astype(None, None, None, None) | TypeError | positional
x.at[0].set() | TypeError | values
x.at[9, 9].set(0.) | IndexError | indices
"""
