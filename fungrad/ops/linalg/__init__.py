"""Primitives of linear algebra: factorisations of (batches of) matrices, and triangular systems.

Each works on the last two dimensions and computes with LAPACK or the BLAS, which compiled programs call themselves.
"""
