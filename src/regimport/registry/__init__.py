"""The OCI distribution API, spoken as a client; the only package that knows HTTP."""
