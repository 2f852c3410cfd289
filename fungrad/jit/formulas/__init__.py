"""From jaxprs to formulas: what an element of each value is."""
