"""Wrong calls: indexing, selecting, sorting and counting."""

TABLE = r"""
jnp.take('a', i)                          | TypeError | a
jnp.take(m, 'a')                          | TypeError | indices
jnp.take(m, i, axis='a')                  | TypeError | axis
jnp.take(m, i, mode='a')                  | ValueError | mode
jnp.take(m, i, fill_value={})             | TypeError | fill_value
jnp.take(m, i, unique_indices=k)          | TypeError | unique_indices
jnp.take(m, i, indices_are_sorted=k)      | TypeError | indices_are_sorted
jnp.take_along_axis('a', i[None])         | TypeError | arr
jnp.take_along_axis(m, 'a')               | TypeError | indices
jnp.take_along_axis(m, i[None], axis='a') | TypeError | axis
jnp.take_along_axis(m, i[None], mode='a') | ValueError | mode
jnp.put('a', i, 1.0)                      | ValueError | a
jnp.put(x, i, 1.0, inplace='a')           | ValueError | inplace
jnp.place(x, b, x, inplace='a')           | ValueError | inplace
jnp.fill_diagonal('a', 1.0)               | ValueError | a
jnp.fill_diagonal(m, 1.0, inplace='a')    | ValueError | inplace
jnp.choose('a', [x, x])                   | TypeError | a
jnp.choose(i % 2, 'a')                    | TypeError | choices
jnp.choose(i % 2, [x, x], mode='a')       | ValueError | mode
jnp.compress('a', x)                      | TypeError | condition
jnp.compress(b, 'a')                      | TypeError | a
jnp.compress(b, x, axis='a')              | TypeError | axis
jnp.compress(b, x, size='a')              | TypeError | size
jnp.extract('a', x)                       | TypeError | condition
jnp.extract(b, 'a')                       | TypeError | arr
jnp.extract(b, x, size='a')               | TypeError | size
jnp.select(2.5, [x, x], 0.0)              | TypeError | condlist
jnp.select([b, b], 2.5, 0.0)              | TypeError | choicelist
jnp.select([b, b], [x, x], 'a')           | TypeError | default
jnp.where(10 ** 30, x, x)                 | OverflowError | integer
jnp.where(b, 'a', x)                      | TypeError | x
jnp.where(b, x, 'a')                      | TypeError | y
jnp.where('a')                            | TypeError | condition
jnp.where(b, size='a')                    | TypeError | size
jnp.nonzero('a')                          | TypeError | a
jnp.nonzero(x, size='a')                  | TypeError | size
jnp.flatnonzero('a')                      | TypeError | a
jnp.flatnonzero(x, size='a')              | TypeError | size
jnp.argwhere('a')                         | TypeError | a
jnp.argwhere(x, size='a')                 | TypeError | size
jnp.piecewise('a', [b, b], [0.0, 1.0])    | TypeError | x
jnp.piecewise(x, 'a', [0.0, 1.0])         | TypeError | condlist
jnp.piecewise(x, [b, b], 2.5)             | TypeError | funclist
jnp.sort('a')                             | TypeError | a
jnp.sort(m, axis='a')                     | TypeError | axis
jnp.sort(m, stable=k)                     | TypeError | stable
jnp.sort(m, descending=k)                 | TypeError | descending
jnp.argsort('a')                          | TypeError | a
jnp.argsort(m, axis='a')                  | TypeError | axis
jnp.argsort(m, stable=k)                  | TypeError | stable
jnp.argsort(m, descending=k)              | TypeError | descending
jnp.sort_complex('a')                     | TypeError | a
jnp.lexsort('a')                          | TypeError | keys
jnp.lexsort((x, x), axis='a')             | TypeError | axis
jnp.partition('a', 1)                     | TypeError | a
jnp.partition(m, 'a')                     | TypeError | kth
jnp.partition(m, 1, axis='a')             | TypeError | axis
jnp.argpartition('a', 1)                  | TypeError | a
jnp.argpartition(m, 'a')                  | TypeError | kth
jnp.argpartition(m, 1, axis='a')          | TypeError | axis
jnp.searchsorted('a', x)                  | TypeError | a
jnp.searchsorted(x, 'a')                  | TypeError | v
jnp.searchsorted(x, x, side='a')          | ValueError | side
jnp.searchsorted(x, x, sorter='a')        | TypeError | sorter
jnp.searchsorted(x, x, method='a')        | ValueError | method
jnp.digitize('a', x)                      | TypeError | x
jnp.digitize(x, 'a')                      | TypeError | bins
jnp.digitize(x, x, right=k)               | TypeError | right
jnp.digitize(x, x, method='a')            | ValueError | method
jnp.bincount('a')                         | TypeError | x
jnp.bincount(i, weights='a')              | TypeError | weights
jnp.bincount(i, minlength='a')            | TypeError | minlength
jnp.bincount(i, length='a')               | TypeError | length
jnp.histogram('a')                        | TypeError | a
jnp.histogram(x, bins='a')                | NotImplementedError | bins
jnp.histogram(x, range='a')               | TypeError | range
jnp.histogram(x, weights='a')             | TypeError | weights
jnp.histogram(x, density=k)               | TypeError | density
jnp.histogram_bin_edges('a')              | TypeError | a
jnp.histogram_bin_edges(x, bins='a')      | NotImplementedError | bins
jnp.histogram_bin_edges(x, range='a')     | TypeError | range
jnp.histogram2d('a', x)                   | TypeError | x
jnp.histogram2d(x, 'a')                   | TypeError | y
jnp.histogram2d(x, x, bins='a')           | NotImplementedError | bins
jnp.histogram2d(x, x, range='a')          | ValueError | range
jnp.histogram2d(x, x, weights='a')        | TypeError | weights
jnp.histogram2d(x, x, density=k)          | TypeError | density
jnp.histogramdd('a')                      | TypeError | sample
jnp.histogramdd(m, bins='a')              | ValueError | bins
jnp.histogramdd(m, range='a')             | ValueError | range
jnp.histogramdd(m, weights='a')           | TypeError | weights
jnp.histogramdd(m, density=k)             | TypeError | density
jnp.cov('a', m)                           | TypeError | m
jnp.cov(m, 'a')                           | TypeError | y
jnp.cov(m, m, rowvar=k)                   | TypeError | rowvar
jnp.cov(m, m, bias=k)                     | TypeError | bias
jnp.cov(m, m, ddof='a')                   | TypeError | ddof
jnp.cov(m, m, fweights='a')               | TypeError | fweights
jnp.cov(m, m, aweights='a')               | TypeError | aweights
jnp.corrcoef('a', m)                      | TypeError | x
jnp.corrcoef(m, 'a')                      | TypeError | y
jnp.corrcoef(m, m, rowvar=k)              | TypeError | rowvar
jnp.unique('a')                           | TypeError | ar
jnp.unique(x, return_index=k)             | TypeError | return_index
jnp.unique(x, return_inverse=k)           | TypeError | return_inverse
jnp.unique(x, return_counts=k)            | TypeError | return_counts
jnp.unique(x, axis='a')                   | TypeError | axis
jnp.unique(x, equal_nan=k)                | TypeError | equal_nan
jnp.unique(x, size='a')                   | TypeError | size
jnp.union1d('a', x)                       | TypeError | ar1
jnp.union1d(x, 'a')                       | TypeError | ar2
jnp.union1d(x, x, size='a')               | TypeError | size
jnp.intersect1d('a', x)                   | TypeError | ar1
jnp.intersect1d(x, 'a')                   | TypeError | ar2
jnp.intersect1d(x, x, return_indices=k)   | TypeError | return_indices
jnp.intersect1d(x, x, size='a')           | TypeError | size
jnp.setdiff1d('a', x)                     | TypeError | ar1
jnp.setdiff1d(x, 'a')                     | TypeError | ar2
jnp.setdiff1d(x, x, assume_unique=k)      | TypeError | assume_unique
jnp.setdiff1d(x, x, size='a')             | TypeError | size
jnp.setxor1d('a', x)                      | TypeError | ar1
jnp.setxor1d(x, 'a')                      | TypeError | ar2
jnp.setxor1d(x, x, size='a')              | TypeError | size
jnp.unique_all('a')                       | TypeError | x
jnp.unique_all(x, size='a')               | TypeError | size
jnp.unique_counts('a')                    | TypeError | x
jnp.unique_counts(x, size='a')            | TypeError | size
"""
