"""What one run leaves for the next: uploads that were begun."""
