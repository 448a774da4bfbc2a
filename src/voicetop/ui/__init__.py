"""The console's screens. The only room that knows Textual; it paints Snapshots and owns nothing but view state."""
