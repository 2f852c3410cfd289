"""Primitives of linear algebra: factorisations of (batches of) matrices, and triangular systems.

Each works on the last two dimensions and computes with LAPACK or BLAS: in compiled programs it is a host step.
"""
