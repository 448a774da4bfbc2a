"""Is everything working? Judged in figures at every 5-second mark: what is wrong, since when, and whether it is over.

    Mark ──► checks (waiting, errors, latency, arrivals, outcomes, capacity) ──► Findings ──► Judge: troubles

Each check finds its trouble in what the windows hold, and says since when recent data has been normal again.
"""
