"""One call in full, from its events."""
