"""A watcher that is killed again and again in a storm of incidents, while its pagers fail.

    python benchmarks/storm.py [--incidents 500] [--kills 200] [--seconds 300] [--seed 1] [--watchers 2]

Hub, session, watcher, queue and the pagers' libraries are the real ones; PagerDuty and Slack are played by a local
server that fails one time in four (500, 429 with Retry-After, a reset before or after it took what it was sent). Goals:
nothing lost, no incident opened twice at PagerDuty; Slack has no key to drop a repeated message by: these are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.remove(str(Path(__file__).parent))  # its hub.py would hide tests/hub/
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from notify.storm import Report, storm


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--incidents", type=int, default=500)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long incidents keep coming")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--watchers", type=int, default=1, help="number of watchers: one is active, any of them may be killed"
    )
    args = parser.parse_args()
    report = asyncio.run(
        storm(args.incidents, args.kills, seed=args.seed, seconds=args.seconds, watchers=args.watchers)
    )
    print("\n".join(lines(report)))
    lost = report.lost_pages + report.lost_resolves + report.lost_messages
    return 1 if lost or report.duplicates else 0


def lines(report: Report) -> list[str]:
    return [
        f"{report.incidents} incidents, {report.kills} kills, {report.seconds:.0f} s",
        f"PagerDuty: lost {report.lost_pages} triggers and {report.lost_resolves} resolves (to reach: 0)",
        f"PagerDuty: incidents opened twice under one key: {report.duplicates} (to reach: 0)",
        f"Slack: lost {report.lost_messages} (to reach: 0), told twice {report.repeated_messages}",
        f"cut off while being sent, and told again: {report.maybe_repeated}, as the queue itself counts",
    ]


if __name__ == "__main__":
    sys.exit(main())
