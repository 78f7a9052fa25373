"""Where secrets come from, not what they are used for."""
