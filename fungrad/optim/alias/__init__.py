"""Named optimizers: chains of elementary transformations, with no arithmetic of their own."""
