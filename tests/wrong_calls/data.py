"""Wrong calls: fungrad.data."""

TABLE = r"""
data.batches(k, (x, m), 2)                                   | ValueError | arrays
data.batches(k, {}, 2)                                       | ValueError | arrays
data.batches(k, 'a', 2)                                      | TypeError | arrays
data.batches(k, 3.0, 2)                                      | ValueError | arrays
data.batches(k, x, 'a')                                      | TypeError | size
data.batches(k, x, 0)                                        | ValueError | size
data.batches(k, x, 5)                                        | ValueError | size
data.batches(3, x, 2)                                        | TypeError | key
data.batches(k, x, 2, epochs='a')                            | TypeError | epochs
data.batches(k, x, 2, last='a')                              | ValueError | last
data.batches(k, x, 2, prefetch=-1)                           | ValueError | prefetch
data.batches(k, x, 2, transform=3)                           | TypeError | transform
data.batches(None, x, 2, transform=sq)                       | ValueError | key
data.split(k, x, (0.9, 0.2))                                 | ValueError | parts
data.split(k, x, (3, 2))                                     | ValueError | parts
data.split(k, x, (3, 0.2))                                   | ValueError | parts
data.split(k, x, ('a',))                                     | TypeError | parts
data.split(k, x, ())                                         | ValueError | parts
data.split(k, x, 3)                                          | TypeError | parts
data.split(3, x, (2, 2))                                     | TypeError | key
data.split(k, x, (2, 2), stratify=m)                         | ValueError | stratify
data.shift(k, 'a', 1)                                        | TypeError | x
data.shift(k, x, 1)                                          | ValueError | axes
data.shift(k, m, -1, axes=(1,))                              | ValueError | amount
data.shift(k, m, 'a', axes=(1,))                             | TypeError | amount
data.shift(k, m, (1, 2), axes=(1,))                          | ValueError | amount
data.shift(3, m, 1, axes=(1,))                               | TypeError | key
data.crop(k, m, 5, axes=(1,))                                | ValueError | size
data.crop(k, m, 'a', axes=(1,))                              | TypeError | size
data.crop(k, m, 2, padding=-1, axes=(1,))                    | ValueError | padding
data.flip(k, m)                                              | ValueError | axis
data.flip(k, m, axis=0)                                      | ValueError | axis
data.flip(k, m, axis=1, probability='a')                     | TypeError | probability
data.noise(k, i)                                             | ValueError | x
data.noise(k, x, 'a')                                        | TypeError | stddev
data.mixup(k, (m, i))                                        | ValueError | batch
data.mixup(3, m)                                             | TypeError | key
data.sklearn('a')                                            | ValueError | name
data.idx(3)                                                  | TypeError | path
data.idx('/nowhere/x')                                       | FileNotFoundError | file
data.mnist('/nowhere')                                       | FileNotFoundError | file
data.mnist(3)                                                | TypeError | directory
"""
