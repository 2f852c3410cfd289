"""Wrong calls: collectives of fungrad.lax."""

TABLE = r"""
V(lambda v: lax.psum('a', 'i'))                              | TypeError | x
V(lambda v: lax.psum(v, 'a'))                                | UnboundAxisNameError | axis_name
V(lambda v: lax.pmean(v, axis_name='a'))                     | UnboundAxisNameError | axis_name
V(lambda v: lax.all_gather('a', 'i'))                        | TypeError | x
V(lambda v: lax.all_gather(v, 'a'))                          | UnboundAxisNameError | axis_name
V(lambda v: lax.all_gather(v, 'i', axis='a'))                | TypeError | axis
V(lambda v: lax.all_gather(v, 'i', tiled=k))                 | TypeError | tiled
V(lambda v: lax.ppermute('a', 'i', [(0, 1)]))                | TypeError | x
V(lambda v: lax.ppermute(v, 'a', [(0, 1)]))                  | UnboundAxisNameError | axis_name
V(lambda v: lax.ppermute(v, 'i', 'a'))                       | TypeError | perm
V(lambda v: lax.pshuffle('a', 'i', [0, 1, 2, 3]))            | TypeError | x
V(lambda v: lax.pshuffle(v, 'a', [0, 1, 2, 3]))              | UnboundAxisNameError | axis_name
V(lambda v: lax.pshuffle(v, 'i', 'a'))                       | ValueError | perm
V(lambda v: lax.psum_scatter('a', 'i'))                      | TypeError | x
V(lambda v: lax.psum_scatter(x, 'a'))                        | UnboundAxisNameError | axis_name
V(lambda v: lax.psum_scatter(x, 'i', scatter_dimension='a')) | TypeError | scatter_dimension
V(lambda v: lax.psum_scatter(x, 'i', tiled=k))               | TypeError | tiled
V(lambda v: lax.pswapaxes('a', 'i', 0))                      | TypeError | x
V(lambda v: lax.pswapaxes(x, 'a', 0))                        | UnboundAxisNameError | axis_name
V(lambda v: lax.pswapaxes(x, 'i', 'a'))                      | TypeError | axis
V(lambda v: lax.pbroadcast('a', 'i', 0))                     | TypeError | x
V(lambda v: lax.pbroadcast(v, 'a', 0))                       | UnboundAxisNameError | axis_name
V(lambda v: lax.pbroadcast(v, 'i', 'a'))                     | TypeError | source
V(lambda v: lax.axis_index('a'))                             | UnboundAxisNameError | axis_name
V(lambda v: lax.axis_size('a'))                              | UnboundAxisNameError | axis_name
"""
