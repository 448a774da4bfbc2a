"""Time travel: plays and seeks in recordings and in the history of a live feed.

Nothing here imports a hub, a publisher or a notifier: a replay can't act on the outside world.
"""
