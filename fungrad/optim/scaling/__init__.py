"""Transformations that scale updates: by moments, by roots of squares, by norms, by step sizes."""
