"""Whose is it, which stage, since when, and what changed before it: one answer for everything live."""
