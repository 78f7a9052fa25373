"""The terms of the specifications, as values; nothing here does input or output."""
