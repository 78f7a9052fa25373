"""The words of the specifications, as values; nothing here reads or writes."""
