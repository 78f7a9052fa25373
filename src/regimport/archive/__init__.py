"""Images in tar archives, as a source and as a target."""
