"""Wrong calls: reductions and running sums."""

TABLE = r"""
jnp.sum('a')                        | TypeError | a
jnp.sum(m, axis='a')                | TypeError | axis
jnp.sum(m, dtype='a')               | TypeError | dtype
jnp.sum(m, keepdims=k)              | TypeError | keepdims
jnp.sum(m, initial='a')             | TypeError | initial
jnp.sum(m, where='a')               | TypeError | where
jnp.prod('a')                       | TypeError | a
jnp.prod(m, axis='a')               | TypeError | axis
jnp.prod(m, dtype='a')              | TypeError | dtype
jnp.prod(m, keepdims=k)             | TypeError | keepdims
jnp.prod(m, initial='a')            | TypeError | initial
jnp.mean('a')                       | TypeError | a
jnp.mean(m, axis='a')               | TypeError | axis
jnp.mean(m, dtype='a')              | TypeError | dtype
jnp.mean(m, keepdims=k)             | TypeError | keepdims
jnp.var('a')                        | TypeError | a
jnp.var(m, axis='a')                | TypeError | axis
jnp.var(m, dtype='a')               | TypeError | dtype
jnp.var(m, ddof='a')                | TypeError | ddof
jnp.var(m, keepdims=k)              | TypeError | keepdims
jnp.std('a')                        | TypeError | a
jnp.std(m, axis='a')                | TypeError | axis
jnp.std(m, dtype='a')               | TypeError | dtype
jnp.std(m, ddof='a')                | TypeError | ddof
jnp.std(m, keepdims=k)              | TypeError | keepdims
jnp.max('a')                        | TypeError | a
jnp.max(m, axis='a')                | TypeError | axis
jnp.max(m, keepdims=k)              | TypeError | keepdims
jnp.max(m, initial='a')             | TypeError | initial
jnp.min('a')                        | TypeError | a
jnp.min(m, axis='a')                | TypeError | axis
jnp.min(m, keepdims=k)              | TypeError | keepdims
jnp.min(m, initial='a')             | TypeError | initial
jnp.all('a')                        | TypeError | a
jnp.all(m, axis='a')                | TypeError | axis
jnp.all(m, keepdims=k)              | TypeError | keepdims
jnp.any('a')                        | TypeError | a
jnp.any(m, axis='a')                | TypeError | axis
jnp.any(m, keepdims=k)              | TypeError | keepdims
jnp.ptp('a')                        | TypeError | a
jnp.ptp(m, axis='a')                | TypeError | axis
jnp.ptp(m, keepdims=k)              | TypeError | keepdims
jnp.average('a')                    | TypeError | a
jnp.average(m, axis='a')            | TypeError | axis
jnp.average(m, weights='a')         | TypeError | weights
jnp.average(m, returned=k)          | TypeError | returned
jnp.median('a')                     | TypeError | a
jnp.median(m, axis='a')             | TypeError | axis
jnp.median(m, keepdims=k)           | TypeError | keepdims
jnp.quantile('a', 0.5)              | TypeError | a
jnp.quantile(m, 'a')                | TypeError | q
jnp.quantile(m, 0.5, axis='a')      | TypeError | axis
jnp.quantile(m, 0.5, method='a')    | ValueError | method
jnp.quantile(m, 0.5, keepdims=k)    | TypeError | keepdims
jnp.percentile('a', 50.0)           | TypeError | a
jnp.percentile(m, 'a')              | TypeError | q
jnp.percentile(m, 50.0, axis='a')   | TypeError | axis
jnp.percentile(m, 50.0, method='a') | ValueError | method
jnp.percentile(m, 50.0, keepdims=k) | TypeError | keepdims
jnp.nansum('a')                     | TypeError | a
jnp.nansum(m, axis='a')             | TypeError | axis
jnp.nanmean('a')                    | TypeError | a
jnp.nanmean(m, axis='a')            | TypeError | axis
jnp.nanmax('a')                     | TypeError | a
jnp.nanmax(m, axis='a')             | TypeError | axis
jnp.nanstd('a')                     | TypeError | a
jnp.nanstd(m, axis='a')             | TypeError | axis
jnp.nanmedian('a')                  | TypeError | a
jnp.nanmedian(m, axis='a')          | TypeError | axis
jnp.nanquantile('a', 0.5)           | TypeError | a
jnp.nanquantile(m, 'a')             | TypeError | q
jnp.nanquantile(m, 0.5, axis='a')   | TypeError | axis
jnp.nanargmax('a')                  | TypeError | a
jnp.nanargmax(m, axis='a')          | TypeError | axis
jnp.nancumsum('a')                  | TypeError | a
jnp.nancumsum(m, axis='a')          | TypeError | axis
jnp.count_nonzero('a')              | TypeError | a
jnp.count_nonzero(m, axis='a')      | TypeError | axis
jnp.argmax('a')                     | TypeError | a
jnp.argmax(m, axis='a')             | TypeError | axis
jnp.argmax(m, keepdims=k)           | TypeError | keepdims
jnp.argmin('a')                     | TypeError | a
jnp.argmin(m, axis='a')             | TypeError | axis
jnp.argmin(m, keepdims=k)           | TypeError | keepdims
jnp.cumsum('a')                     | TypeError | a
jnp.cumsum(m, axis='a')             | TypeError | axis
jnp.cumsum(m, dtype='a')            | TypeError | dtype
jnp.cumprod('a')                    | TypeError | a
jnp.cumprod(m, axis='a')            | TypeError | axis
jnp.cumprod(m, dtype='a')           | TypeError | dtype
jnp.cumulative_sum('a')             | TypeError | x
jnp.cumulative_sum(m, axis='a')     | TypeError | axis
jnp.diff('a')                       | TypeError | a
jnp.diff(m, n='a')                  | TypeError | n
jnp.diff(m, axis='a')               | TypeError | axis
jnp.ediff1d('a')                    | TypeError | ary
jnp.gradient('a', 1.0)              | TypeError | f
jnp.gradient(m, 1.0, axis='a')      | TypeError | axis
jnp.trapezoid('a')                  | TypeError | y
jnp.trapezoid(m, dx='a')            | TypeError | dx
jnp.trapezoid(m, axis='a')          | TypeError | axis
jnp.trapezoid('a', x)               | TypeError | y
jnp.trapezoid(x, 'a')               | TypeError | x
jnp.interp('a', x, x)               | TypeError | x
jnp.interp(x, 'a', x)               | TypeError | xp
jnp.interp(x, x, 'a')               | TypeError | fp
jnp.interp(x, x, x, left='a')       | ValueError | left
jnp.interp(x, x, x, right='a')      | ValueError | right
jnp.convolve('a', x)                | TypeError | a
jnp.convolve(x, 'a')                | TypeError | v
jnp.convolve(x, x, mode='a')        | ValueError | mode
jnp.correlate('a', x)               | TypeError | a
jnp.correlate(x, 'a')               | TypeError | v
jnp.correlate(x, x, mode='a')       | ValueError | mode
jnp.polyval('a', x)                 | TypeError | p
jnp.polyval(x, 'a')                 | TypeError | x
jnp.polyadd('a', x)                 | TypeError | a1
jnp.polyadd(x, 'a')                 | TypeError | a2
jnp.polymul('a', x)                 | TypeError | a1
jnp.polymul(x, 'a')                 | TypeError | a2
jnp.polyder('a')                    | TypeError | p
jnp.polyder(x, m='a')               | TypeError | m
jnp.polyint('a')                    | TypeError | p
jnp.polyint(x, m='a')               | TypeError | m
jnp.polyint(x, k=jnp.ones((7, 5)))  | ValueError | k
jnp.unwrap('a')                     | TypeError | p
jnp.unwrap(m, discont='a')          | TypeError | discont
jnp.unwrap(m, axis='a')             | TypeError | axis
"""
