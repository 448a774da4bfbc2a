"""What outlives a session: what was normal, and which incidents there were. One SQLite file, one writer.

The hub's session writes it, or a watcher where no hub is ours; whoever else is interested reads.
"""
