"""Wrong calls within functions that are transformed: the word is the public function that the message begins with."""

TABLE = r"""
fungrad.jit(fungrad.grad(sq))(x) | TypeError | fungrad.grad
fungrad.vmap(fungrad.grad(sq))(m) | TypeError | fungrad.grad
fungrad.vmap(lambda v: lax.scan(lambda c, a: ((c, c), a), 0., v))(m) | TypeError | fungrad.lax.scan
fungrad.grad(lambda v: lax.fori_loop(0, 3, lambda j, c: jnp.stack([c, c]), v))(1.) | TypeError | fungrad.lax.fori_loop
fungrad.jit(lambda v: lax.cond(v[0] > 0, lambda u: u, lambda u: u.sum(), v))(x) | TypeError | fungrad.lax.cond
fungrad.jit(lambda v: lax.cond(v[0] > 0, lambda u: u, lambda u: (u, u), v))(x) | TypeError | fungrad.lax.cond
fungrad.jit(lambda v: lax.cond(v > 0, sq, sq, v))(x) | TypeError | fungrad.lax.cond
fungrad.grad(lambda v: lax.while_loop(lambda c: c < 9, lambda c: c > 1, v))(1.) | TypeError | fungrad.lax.while_loop
fungrad.jit(lambda v: jnp.concatenate([v, m]))(x) | IncompatibleShapesError | fungrad.numpy.concatenate
fungrad.jit(lambda v: jnp.split(v, 3))(x) | ValueError | fungrad.numpy.split
fungrad.vmap(lambda v: jnp.dot(v, jnp.ones(3)))(m) | IncompatibleShapesError | fungrad.numpy.dot
fungrad.vmap(lambda v: v.reshape(7))(m) | IncompatibleShapesError | fungrad.Array.reshape
fungrad.vmap(lambda v: jnp.sum(v, axis=1))(m) | ValueError | fungrad.numpy.sum
fungrad.grad(lambda v: jnp.matmul(v, m).sum())(m) | IncompatibleShapesError | fungrad.numpy.matmul
fungrad.grad(lambda v: jnp.where(v > 0, v).sum())(x) | ValueError | fungrad.numpy.where
fungrad.grad(lambda v: jnp.linalg.det(v))(m) | ValueError | fungrad.numpy.linalg.det
fungrad.jit(lambda v: jnp.take(v, 0.5))(x) | TypeError | fungrad.numpy.take
fungrad.jit(lambda v: v.at[0].add(jnp.ones(3)))(x) | IncompatibleShapesError | fungrad.Array.at
fungrad.jit(lambda v: v.at['a'].set(0.))(x) | TypeError | fungrad.Array.at
fungrad.jit(lambda v: v[0, 0])(x) | IndexError | fungrad.Array.__getitem__
fungrad.jit(lambda v: v[:v.sum().astype(int)])(x) | IndexError | fungrad.Array.__getitem__
fungrad.vmap(lambda v: v[v > 0])(m) | NonConcreteBooleanIndexError | fungrad.vmap
fungrad.jit(lambda v: operator.setitem(v, 0, 1.))(x) | TypeError | fungrad.Array.__setitem__
fungrad.jit(lambda v: random.normal(k, (v,)))(3) | TypeError | fungrad.random.normal
fungrad.jit(lambda v: random.split(k, v))(3) | TypeError | fungrad.random.split
fungrad.jit(lambda v: random.uniform(v))(x) | TypeError | fungrad.random.uniform
fungrad.jit(lambda v: jnp.transpose(v, v))(x) | TypeError | fungrad.numpy.transpose
fungrad.jit(lambda v: nn.one_hot(x, v))(3) | ConcretizationTypeError | fungrad.nn.one_hot
fungrad.jit(lambda v: image.resize(v, (2, v[0, 0].astype(int)), 'linear'))(m) | TypeError | fungrad.image.resize
fungrad.jit(lambda v: optim.adam(0.1).update(v, None))(params) | TypeError | fungrad.optim.adam
fungrad.jit(lambda v: optim.apply_updates(v, None))(params) | ValueError | fungrad.optim.apply_updates
fungrad.jit(lambda v: optim.adam(0.1).update(v, optim.sgd(0.1, 0.9).init(v)))(params) | TypeError | fungrad.optim.adam
fungrad.jit(lambda v: nn.softmax(v, axis=3))(x) | ValueError | fungrad.nn.softmax
fungrad.jit(lambda v: jnp.einsum('ij,kj->ik', v, x))(m) | ValueError | fungrad.numpy.einsum
fungrad.jit(lambda v: v.T @ m)(m.T) | IncompatibleShapesError | fungrad.numpy.matmul
fungrad.vmap(lambda v: v + jnp.ones(3))(m) | IncompatibleShapesError | fungrad.numpy.add
fungrad.jit(lambda v: v - jnp.ones(3))(x) | IncompatibleShapesError | fungrad.numpy.subtract
S(lambda v: lax.psum(v, 'j')) | UnboundAxisNameError | fungrad.lax.psum
S(lambda v: lax.axis_index('k')) | UnboundAxisNameError | fungrad.lax.axis_index
fungrad.jit(lambda v: fungrad.grad(lambda u: u)(v))(x) | TypeError | fungrad.grad
fungrad.grad(lambda v: fungrad.vmap(sq)(v))(1.) | ValueError | fungrad.vmap
fungrad.jit(sq).lower('a') | TypeError | fungrad.jit
fungrad.jit(sq).lower() | TypeError | fungrad.jit
fungrad.explain(sq) | TypeError | fungrad.jit
# operators and conversions
m + jnp.ones(3) | IncompatibleShapesError | fungrad.numpy.add
1.0 @ m | ValueError | fungrad.numpy.matmul
~x | TypeError | fungrad.numpy.invert
x[7] | IndexError | fungrad.Array.__getitem__
x[1.0] | TypeError | fungrad.Array.__getitem__
x['w'] | TypeError | fungrad.Array.__getitem__
operator.setitem(x, 0, 1.) | TypeError | fungrad.Array.__setitem__
float(x) | TypeError | fungrad.Array
bool(m > 0) | ValueError | fungrad.Array
range(x) | TypeError | fungrad.Array.__index__
len(jnp.float32(1)) | TypeError | fungrad.Array.__len__
list(jnp.float32(1)) | TypeError | fungrad.Array.__iter__
{x: 1} | TypeError | fungrad.Array.__hash__
np.asarray(k) | TypeError | fungrad
k + 1 | TypePromotionError | fungrad.numpy.add
sparse.BCOO.fromdense(m) @ m | TypeError | fungrad.experimental.sparse.bcoo.bcoo_dot_general
fungrad.new_ref(x)[9] | ValueError | fungrad.ref.get
fungrad.jit(None) | TypeError | fungrad.jit
optim.adam(0.1).init() | TypeError | fungrad.optim.adam.init
"""
