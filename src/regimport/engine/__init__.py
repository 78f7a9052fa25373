"""What a copy is: no HTTP, no terminal, no files."""
