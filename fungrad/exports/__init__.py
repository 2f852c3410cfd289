"""Functions as data that another process can read: see ``fungrad.export``."""
