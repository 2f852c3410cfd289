"""Scalar functions and loop kernels that compiled programs are made of."""
