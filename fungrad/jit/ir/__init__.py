"""The loop IR: nodes, and what walks, prints, verifies and weighs them."""
