"""Detectors that need no threshold learned from streams: each looks at the engine at a mark and gives its signals."""
