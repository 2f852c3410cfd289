"""Wrong calls: element-wise functions."""

TABLE = r"""
jnp.sin('a')                       | TypeError | x
jnp.exp('a')                       | TypeError | x
jnp.add('a', x)                    | TypeError | x
jnp.add(x, 'a')                    | TypeError | y
jnp.subtract('a', x)               | TypeError | x
jnp.subtract(x, 'a')               | TypeError | y
jnp.divide('a', x)                 | TypeError | x
jnp.divide(x, 'a')                 | TypeError | y
jnp.power('a', x)                  | TypeError | x1
jnp.power(x, 'a')                  | TypeError | x2
jnp.maximum('a', x)                | TypeError | x
jnp.maximum(x, 'a')                | TypeError | y
jnp.bitwise_and('a', i)            | TypeError | x
jnp.bitwise_and(i, 'a')            | TypeError | y
jnp.left_shift('a', i)             | TypeError | x
jnp.left_shift(i, 'a')             | TypeError | y
jnp.logical_and('a', b)            | TypeError | x
jnp.logical_and(b, 10 ** 30)       | OverflowError | integer
jnp.logical_not('a')               | TypeError | x
jnp.arctan2('a', x)                | TypeError | x
jnp.arctan2(x, 'a')                | TypeError | y
jnp.floor_divide('a', x)           | TypeError | x1
jnp.floor_divide(x, 'a')           | TypeError | x2
jnp.mod('a', x)                    | TypeError | x1
jnp.mod(x, 'a')                    | TypeError | x2
jnp.divmod('a', x)                 | TypeError | x1
jnp.divmod(x, 'a')                 | TypeError | x2
jnp.gcd('a', i)                    | TypeError | x1
jnp.gcd(i, 'a')                    | TypeError | x2
jnp.ldexp('a', i)                  | TypeError | x1
jnp.ldexp(x, 'a')                  | TypeError | x2
jnp.heaviside('a', x)              | TypeError | x1
jnp.heaviside(x, 'a')              | TypeError | x2
jnp.copysign('a', x)               | TypeError | x1
jnp.copysign(x, 'a')               | TypeError | x2
jnp.nextafter('a', x)              | TypeError | x
jnp.nextafter(x, 'a')              | TypeError | y
jnp.equal('a', x)                  | TypeError | x
jnp.equal(x, 'a')                  | TypeError | y
jnp.less('a', x)                   | TypeError | x
jnp.less(x, 'a')                   | TypeError | y
jnp.invert('a')                    | TypeError | x
jnp.float_power('a', x)            | TypeError | x
jnp.float_power(x, 'a')            | TypeError | y
jnp.hypot('a', x)                  | TypeError | x1
jnp.hypot(x, 'a')                  | TypeError | x2
jnp.logaddexp('a', x)              | TypeError | x1
jnp.logaddexp(x, 'a')              | TypeError | x2
jnp.round('a', 2)                  | TypeError | a
jnp.round(x, 'a')                  | TypeError | decimals
jnp.clip('a', 0.0, 1.0)            | TypeError | arr
jnp.clip(x, 'a', 1.0)              | TypeError | min
jnp.clip(x, 0.0, 'a')              | TypeError | max
jnp.isnan('a')                     | TypeError | x
jnp.sign('a')                      | TypeError | x
jnp.square('a')                    | TypeError | x
jnp.sinc('a')                      | TypeError | x
jnp.angle('a')                     | TypeError | z
jnp.angle(x, deg=k)                | TypeError | deg
jnp.real('a')                      | TypeError | val
jnp.imag('a')                      | TypeError | val
jnp.conj('a')                      | TypeError | x
jnp.nan_to_num('a')                | TypeError | x
jnp.nan_to_num(x, nan='a')         | TypeError | nan
jnp.nan_to_num(x, posinf='a')      | TypeError | posinf
jnp.nan_to_num(x, neginf='a')      | TypeError | neginf
jnp.isclose('a', x)                | TypeError | a
jnp.isclose(x, 'a')                | TypeError | b
jnp.isclose(x, x, rtol='a')        | TypeError | rtol
jnp.isclose(x, x, atol='a')        | TypeError | atol
jnp.isclose(x, x, equal_nan=k)     | TypeError | equal_nan
jnp.allclose('a', x)               | TypeError | a
jnp.allclose(x, 'a')               | TypeError | b
jnp.allclose(x, x, rtol='a')       | TypeError | rtol
jnp.allclose(x, x, atol='a')       | TypeError | atol
jnp.allclose(x, x, equal_nan=k)    | TypeError | equal_nan
jnp.array_equal(None, x)           | TypeError | a1
jnp.array_equal(x, None)           | TypeError | a2
jnp.array_equal(x, x, equal_nan=k) | TypeError | equal_nan
jnp.array_equiv(None, x)           | TypeError | a1
jnp.array_equiv(x, None)           | TypeError | a2
jnp.isin('a', x)                   | TypeError | element
jnp.isin(x, 'a')                   | TypeError | test_elements
jnp.isin(x, x, invert=k)           | TypeError | invert
jnp.iscomplex('a')                 | TypeError | x
jnp.isreal('a')                    | TypeError | x
jnp.i0('a')                                             | TypeError | x
jnp.i0(jnp.ones(2, 'complex64'))                        | TypeError | x
jnp.spacing('a')                                        | TypeError | x
jnp.spacing(jnp.ones(2, 'complex64'))                   | TypeError | complex
jnp.add(1, 2, out=1)                                    | NotImplementedError | out
jnp.hypot(1, 'a')                                       | TypeError | a
"""
