"""From the loop IR to LLVM text."""
