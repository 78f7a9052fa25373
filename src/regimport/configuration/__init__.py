"""The configuration file: where it is, what may stand in it, and what that means."""
