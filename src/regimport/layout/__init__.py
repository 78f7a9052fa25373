"""OCI image layouts on disk, as a source and as a target."""
