"""Walking through what was: recordings, and what a live feed keeps of itself.

Nothing in here knows a hub, a publisher or a notifier: who replays can't act on the outside.
"""
