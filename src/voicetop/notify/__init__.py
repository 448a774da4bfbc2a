"""Notifications: the only package that contacts people about alerts.

A console notifies its own user (`desk`: desktop and terminal, grouped); `voicetop watch` notifies everybody else
(`targets`: PagerDuty, Slack, Apprise, through the `queue` on disk and `delivery`). Effects come in and nothing goes
back, so a replay cannot notify anyone. Only this package imports plyer or a pager's library, each on first use.
"""
