"""The configuration file: find it, read it, check it."""
