"""The embedded registry: the distribution API over an OCI image layout (extra `serve`)."""
