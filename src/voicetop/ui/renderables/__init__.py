"""Pure functions from a Snapshot, a size and display options to lines of styled spans. No app, no clock, no state."""
