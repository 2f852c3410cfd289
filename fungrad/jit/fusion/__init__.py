"""From formulas to loops: what is computed together, and in which loops."""
