"""Arrays and functions in shards: parts of arrays, maps over the axes of a mesh, pictures.

How a mesh axis becomes members that compute is in one place, ``mapped`` in ``shards.mapping``.
"""
