"""Wrong calls: fungrad.debug, checkify, test_util, flatten_util and extend."""

TABLE = r"""
debug.print(2.5)                                                              | TypeError | fmt
debug.callback(lambda v: None, 10 ** 30)                                      | OverflowError | args
debug.callback(lambda v: None, x, ordered=k)                                  | TypeError | ordered
debug.check('a', 'a {v}')                                                     | TypeError | pred
debug.check(True, 2.5)                                                        | TypeError | message
checkify.check('a', 'a {v}')                                                  | TypeError | pred
checkify.check(True, 2.5)                                                     | TypeError | msg
checkify.checkify('a')(1.0)                                                   | TypeError | fun
checkify.checkify(sq, errors='a')(1.0)                                        | TypeError | errors
checkify.checkify('a')                                                        | TypeError | fun
checkify.checkify(sq, errors='a')                                             | TypeError | errors
test_util.check_grads(sq, (1.0,), order='a')                                  | TypeError | order
test_util.check_jvp('a', lambda p, t: fungrad.jvp(sq, p, t), (1.0,))          | TypeError | f
test_util.check_jvp(sq, 'a', (1.0,))                                          | TypeError | f_jvp
test_util.check_jvp(sq, lambda p, t: fungrad.jvp(sq, p, t), 10 ** 30)         | TypeError | args
test_util.check_jvp(sq, lambda p, t: fungrad.jvp(sq, p, t), (1.0,), atol='a') | TypeError | atol
test_util.check_jvp(sq, lambda p, t: fungrad.jvp(sq, p, t), (1.0,), rtol='a') | TypeError | rtol
test_util.check_jvp(sq, lambda p, t: fungrad.jvp(sq, p, t), (1.0,), eps='a')  | TypeError | eps
test_util.check_vjp('a', lambda *p: fungrad.vjp(sq, *p), (1.0,))              | TypeError | f
test_util.check_vjp(sq, 'a', (1.0,))                                          | TypeError | f_vjp
test_util.check_vjp(sq, lambda *p: fungrad.vjp(sq, *p), 10 ** 30)             | TypeError | args
test_util.check_vjp(sq, lambda *p: fungrad.vjp(sq, *p), (1.0,), atol='a')     | TypeError | atol
test_util.check_vjp(sq, lambda *p: fungrad.vjp(sq, *p), (1.0,), rtol='a')     | TypeError | rtol
test_util.check_vjp(sq, lambda *p: fungrad.vjp(sq, *p), (1.0,), eps='a')      | TypeError | eps
flatten_util.ravel_pytree('a')                                                | TypeError | pytree
"""
