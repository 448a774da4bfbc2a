"""The feed protocol: events, frames, codec, safe text. No I/O, no clock."""
