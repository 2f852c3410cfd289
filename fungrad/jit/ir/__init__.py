"""The loop IR: nodes, and what walks, prints, verifies, interprets and weighs them."""
