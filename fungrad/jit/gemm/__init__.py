"""Matrix products of our own: register tiles, packed panels, no threads (programs divide the work)."""
