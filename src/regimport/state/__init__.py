"""State that one run leaves for the next: uploads that were not finished."""
