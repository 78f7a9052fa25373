"""HTTP over pooled connections, and nothing of registries."""
