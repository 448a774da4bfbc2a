"""The pure core: events folded into windows, calls, segments and normals. No I/O, no clock."""
