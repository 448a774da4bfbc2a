"""The history: baselines and past incidents in one SQLite file with one writer.

The hub's session writes it, or a watcher if the hub doesn't; other processes read.
"""
