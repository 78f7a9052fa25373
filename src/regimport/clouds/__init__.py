"""What clouds do for who is logged in there: credentials for their registries, and repositories."""
