"""`voicetop` and `python -m voicetop`: the version at once, everything else by the command line's verbs."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; the exit code is 0, 1 (something failed while running) or 2 (could not start)."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from voicetop import __version__  # noqa: PLC0415 - nothing else is needed for this

        sys.stdout.write(f"voicetop {__version__}\n")
        return 0
    from voicetop.cli import run  # noqa: PLC0415 - keeps --version fast

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
