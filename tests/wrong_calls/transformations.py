"""Wrong calls: the transformations and options of fungrad."""

TABLE = r"""
fungrad.grad('a')(1.0)                                                                       | TypeError | fun
fungrad.grad(sq, argnums='a')(1.0)                                                           | TypeError | argnums
fungrad.grad(sq, has_aux='a')(1.0)                                                           | TypeError | has_aux
fungrad.grad(sq, holomorphic='a')(1.0)                                                       | TypeError | holomorphic
fungrad.grad(sq, allow_int='a')(1.0)                                                         | TypeError | allow_int
fungrad.value_and_grad('a')(1.0)                                                             | TypeError | fun
fungrad.value_and_grad(sq, argnums='a')(1.0)                                                 | TypeError | argnums
fungrad.value_and_grad(sq, has_aux='a')(1.0)                                                 | TypeError | has_aux
fungrad.value_and_grad(sq, holomorphic='a')(1.0)                                             | TypeError | holomorphic
fungrad.value_and_grad(sq, allow_int='a')(1.0)                                               | TypeError | allow_int
fungrad.jacfwd('a')(1.0)                                                                     | TypeError | fun
fungrad.jacfwd(sq, argnums='a')(1.0)                                                         | TypeError | argnums
fungrad.jacfwd(sq, has_aux='a')(1.0)                                                         | TypeError | has_aux
fungrad.jacfwd(sq, holomorphic='a')(1.0)                                                     | TypeError | holomorphic
fungrad.jacrev('a')(1.0)                                                                     | TypeError | fun
fungrad.jacrev(sq, argnums='a')(1.0)                                                         | TypeError | argnums
fungrad.jacrev(sq, has_aux='a')(1.0)                                                         | TypeError | has_aux
fungrad.jacrev(sq, holomorphic='a')(1.0)                                                     | TypeError | holomorphic
fungrad.jacobian('a')(1.0)                                                                   | TypeError | fun
fungrad.jacobian(sq, argnums='a')(1.0)                                                       | TypeError | argnums
fungrad.jacobian(sq, argnums=1)(1.0)                                                         | TypeError | argnums
fungrad.jacobian(sq, argnums=(0, 0))(1.0)                                                    | TypeError | argnums
fungrad.jacobian(sq, has_aux='a')(1.0)                                                       | TypeError | has_aux
fungrad.jacobian(sq, holomorphic='a')(1.0)                                                   | TypeError | holomorphic
fungrad.jacobian(sq, holomorphic=True)(1.0)                                                  | TypeError | holomorphic
fungrad.jacobian(sq, allow_int='a')(1.0)                                                     | TypeError | allow_int
fungrad.jacobian(sq)(1)                                                                      | TypeError | allow_int
fungrad.jacobian(sq)('a')                                                                    | TypeError | argument
fungrad.hessian(sq, argnums=1)(1.0)                                                          | TypeError | argnums
fungrad.hessian(sq, argnums=(0, 0))(1.0)                                                     | TypeError | argnums
fungrad.hessian(sq)(1)                                                                       | TypeError | argument
fungrad.hessian(sq)('a')                                                                     | TypeError | argument
fungrad.hessian(sq, holomorphic=True)(1.0)                                                   | TypeError | holomorphic
fungrad.hessian(sq)(1j)                                                                      | TypeError | holomorphic
fungrad.hessian('a')(1.0)                                                                    | TypeError | fun
fungrad.hessian(sq, argnums='a')(1.0)                                                        | TypeError | argnums
fungrad.hessian(sq, has_aux='a')(1.0)                                                        | TypeError | has_aux
fungrad.hessian(sq, holomorphic='a')(1.0)                                                    | TypeError | holomorphic
fungrad.jvp('a', (1.0,), (1.0,))                                                             | TypeError | fun
fungrad.jvp(sq, 'a', (1.0,))                                                                 | TypeError | primals
fungrad.jvp(sq, (1.0,), 'a')                                                                 | TypeError | tangents
fungrad.jvp(sq, (1.0,), (1.0,), has_aux='a')                                                 | TypeError | has_aux
fungrad.vjp('a', 1.0)                                                                        | TypeError | fun
fungrad.vjp(sq, 'a')                                                                         | TypeError | primals
fungrad.vjp(sq, 1.0, has_aux='a')                                                            | TypeError | has_aux
fungrad.linearize('a', 1.0)                                                                  | TypeError | fun
fungrad.linearize(sq, 'a')                                                                   | TypeError | primals
fungrad.linear_transpose('a', x)                                                             | TypeError | fun
fungrad.linear_transpose('a', x)(x)                                                          | TypeError | fun
fungrad.vmap('a')(x)                                                                         | TypeError | fun
fungrad.vmap(sq, in_axes='a')(x)                                                             | TypeError | in_axes
fungrad.vmap(sq, out_axes='a')(x)                                                            | TypeError | out_axes
fungrad.vmap(sq, axis_name={})(x)                                                            | TypeError | axis_name
fungrad.vmap(sq, axis_size='a')(x)                                                           | TypeError | axis_size
fungrad.vmap(sq, in_axes=0, out_axes=0, axis_name=None, axis_size=None, spmd_axis_name=None)(2.5) | ValueError | v
fungrad.jit(sq, static_argnums='a')(1.0) | TypeError | static_argnums
fungrad.jit(sq, static_argnames='a')(1.0) | ValueError | static_argnames
fungrad.jit(sq, donate_argnums='a')(1.0) | TypeError | donate_argnums
fungrad.jit(sq, donate_argnames='a')(1.0) | ValueError | donate_argnames
fungrad.jit(lambda v: v, static_argnames='v', donate_argnames='v') | ValueError | v
fungrad.jit(lambda v: v, static_argnums=0, donate_argnums=0) | ValueError | v
fungrad.jit(lambda v: v, static_argnums=0, donate_argnames='v') | ValueError | v
fungrad.jit(lambda v, /: v, static_argnames='v') | ValueError | static_argnames
fungrad.jit(lambda v, /, **more: v, donate_argnames='v') | ValueError | donate_argnames
fungrad.jit(lambda *args: args, static_argnames='args') | ValueError | static_argnames
fungrad.jit(lambda *args, **more: args, donate_argnames='args') | ValueError | donate_argnames
fungrad.jit(NoSignature(), donate_argnames='v') | ValueError | donate_argnames
fungrad.jit(lambda v, w: v + w, donate_argnums=0)(*[jnp.ones(3)] * 2) | RuntimeError | donated
fungrad.jit(lambda v, w: v + w, donate_argnums=(0, 1))(*[jnp.ones(3)] * 2) | RuntimeError | donated
fungrad.jit(generator) | TypeError | fun
fungrad.vmap(generator) | TypeError | fun
fungrad.grad(generator) | TypeError | fun
fungrad.jit(staticmethod(sq)) | TypeError | fun
fungrad.vmap(staticmethod(sq)) | TypeError | fun
fungrad.grad(staticmethod(sq)) | TypeError | fun
fungrad.vmap(lambda d: d['a'], in_axes={'a': 0}) | TypeError | in_axes
fungrad.pmap(lambda v, w: v, static_broadcasted_argnums=1)(jnp.ones(1), w=1) | ValueError | static_broadcasted_argnums
fungrad.linear_transpose(lambda v: 2.0 * v, 1) | TypeError | primals
fungrad.checkpoint(sq, prevent_cse=({'a': 2},)) | TypeError | prevent_cse
fungrad.linear_transpose(lambda v: [v, v], 1.0)(1.0) | TypeError | cotangent
fungrad.linear_transpose(lambda v: jnp.stack([v, v]), 1.0)(1.0) | TypeError | cotangent
fungrad.linearize(sq, 1.0)[1](1) | ValueError | primals
fungrad.linearize(lambda v: v, k)[1](k) | ValueError | primals
fungrad.checkpoint('a')(1.0)                                                                 | TypeError | fun
fungrad.checkpoint(sq, prevent_cse='a')(1.0)                                                 | TypeError | prevent_cse
fungrad.checkpoint(sq, policy='a')(1.0)                                                      | TypeError | policy
fungrad.checkpoint(sq, static_argnums='a')(1.0) | TypeError | static_argnums
fungrad.make_jaxpr('a')(1.0)                                                                 | TypeError | fun
fungrad.make_jaxpr(sq, static_argnums='a')(1.0) | TypeError | static_argnums
fungrad.make_jaxpr(sq, return_shape='a')(1.0)                                                | TypeError | return_shape
fungrad.eval_shape('a', 1.0)                                                                 | TypeError | fun
fungrad.eval_shape(sq, 10 ** 30)                                                             | TypeError | args
fungrad.ds('a', 2) | TypeError | start
fungrad.ds(x, 2) | TypeError | start
fungrad.ds(0, 2.5) | TypeError | size
fungrad.ds(0, -1) | ValueError | size
fungrad.ds(0, 1, -1) | ValueError | stride
fungrad.ds(0, 1, jnp.int32(2)) | ValueError | stride
fungrad.make_user_context([1]) | TypeError | value
fungrad.make_user_context(1)([1]) | TypeError | value
fungrad.closure_convert('a', 1.0)                                                            | TypeError | fun
fungrad.closure_convert(sq, 10 ** 30)                                                        | TypeError | example_args
fungrad.custom_vjp(sq, nondiff_argnums='a') | TypeError | nondiff_argnums
fungrad.custom_gradient('a')(1.0)                                                            | TypeError | fun
fungrad.ShapeDtypeStruct('a', 'float32')                                                     | TypeError | shape
fungrad.ShapeDtypeStruct((2,), 'a')                                                          | TypeError | dtype
fungrad.pure_callback('a', x, x)                                                             | TypeError | callback
fungrad.pure_callback(np.sin, 2.5, x) | TypeError | result_shape_dtypes
fungrad.pure_callback(np.sin, x, 10 ** 30)                                                   | TypeError | args
fungrad.pure_callback(np.sin, x, x, vmap_method='a')                                         | ValueError | vmap_method
fungrad.named_call('a')                                                                      | TypeError | fun
fungrad.named_call(sq, name=2.5)                                                             | TypeError | name
fungrad.named_scope(2.5)                                                                     | TypeError | name
fungrad.device_put('a', None)                                                                | TypeError | x
fungrad.device_put(x, 'a')                                                                   | ValueError | device
fungrad.typeof('a')                                                                          | TypeError | x
fungrad.threads(10 ** 30)                                                                    | ValueError | value
fungrad.enable_x64(10 ** 30)                                                                 | TypeError | value
fungrad.numpy_dtype_promotion(10 ** 30)                                                      | TypeError | value
fungrad.numpy_rank_promotion(10 ** 30)                                                       | TypeError | value
fungrad.debug_nans(10 ** 30)                                                                 | TypeError | value
"""
