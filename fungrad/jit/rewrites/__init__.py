"""Rewrites of programs of the loop IR; `pipeline` has them in order."""
