"""The edge: what alerts found is told to people here, and nowhere else.

A console tells its person (`desktop`, `terminal`, both behind a `gate`); `voicetop watch` tells everybody else
(`pagerduty`, `slack`, `others`, behind an `outbox` on disk and its `delivery`). Effects come in, nothing goes back: a
replay has nobody to hand them to. Only this room imports plyer or a pager's library, and each only when it is used.
"""
