"""Where compiled programs are kept, as programs written for JAX say it."""
