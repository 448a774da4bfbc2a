"""Pure functions from a Snapshot, a size and a Look to lines of styled spans. No app, no clock, no state."""
