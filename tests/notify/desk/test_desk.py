"""Desktop pop-ups, tested with a real session bus and a service that receives what plyer sends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from voicetop.notify.desk import desktop
from voicetop.notify.targets.base import DeliveryFailed

SERVICE = Path(__file__).with_name("notification_service.py")
needs_a_bus = [
    pytest.mark.debian,
    pytest.mark.skipif(
        not (shutil.which("dbus-run-session") and shutil.which("notify-send") and find_spec("jeepney")),
        reason="needs dbus, libnotify-bin and jeepney",
    ),
]


def shown(log: Path, script: str, *words: str) -> tuple[list[dict[str, str]], str]:
    """What the service received, and what was written to the screen."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("SSH_", "DBUS_"))}
    done = subprocess.run(
        [
            "dbus-run-session",
            "--",
            sys.executable,
            str(SERVICE),
            str(log),
            *words,
            "--",
            sys.executable,
            "-c",
            script,
        ],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines() if log.exists() else []
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("dbus-daemon[")]
    return [json.loads(line) for line in lines], "\n".join(said)


class TestOnABus:
    pytestmark = needs_a_bus

    def test_it_arrives_and_hostile_text_arrives_harmless(self, tmp_path: Path) -> None:
        script = (
            "from voicetop.notify.desk import desktop\n"
            "desktop.show('■ CRITICAL · LLM errors 41 %', '82 % in LLM · billing × es')\n"
            "desktop.show('-h --help', '<b>bold</b>\\x1b]0;pwned\\x07 and\\nmore')\n"
        )
        got, over_the_screen = shown(tmp_path / "log", script)
        assert got == [
            {
                "app": "voicetop",
                "summary": "■ CRITICAL · LLM errors 41 %",
                "body": "82 % in LLM · billing × es",
            },
            {"app": "voicetop", "summary": "· -h --help", "body": "‹b›bold‹/b›]0;pwned and more"},
        ]
        assert over_the_screen == ""

    def test_a_service_that_hangs_costs_a_few_seconds_and_leaves_no_process(self, tmp_path: Path) -> None:
        script = (
            "import os, subprocess, time\n"
            "from voicetop.notify.desk import desktop\n"
            "from voicetop.notify.targets.base import DeliveryFailed\n"
            "began = time.monotonic()\n"
            "try:\n"
            "    desktop.show('a', 'b', limit_s=1.5)\n"
            "except DeliveryFailed as failure:\n"
            "    assert 'no response from the desktop within 1.5 s' in str(failure), failure\n"
            "    assert time.monotonic() - began < 5\n"
            "else:\n"
            "    raise SystemExit('it did not hang')\n"
            "time.sleep(0.2)\n"
            "assert not subprocess.run(['pgrep', '-P', str(os.getpid())], capture_output=True).stdout.split()[1:]\n"
        )
        _, over_the_screen = shown(tmp_path / "log", script, "hang")
        assert over_the_screen == ""

    def test_a_bus_without_a_notification_service_is_said(self, tmp_path: Path) -> None:
        script = (
            "from voicetop.notify.desk import desktop\n"
            "from voicetop.notify.targets.base import DeliveryFailed\n"
            "try:\n"
            "    desktop.show('a', 'b')\n"
            "except DeliveryFailed as failure:\n"
            "    assert 'this desktop has no notification service' in str(failure), failure\n"
            "else:\n"
            "    raise SystemExit('it says that it was shown')\n"
        )
        config = tmp_path / "session.conf"
        config.write_text(
            f"<busconfig><type>session</type><listen>unix:tmpdir={tmp_path}</listen>"
            '<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>'
            '<allow own="*"/></policy></busconfig>'
        )
        env = {key: value for key, value in os.environ.items() if not key.startswith(("SSH_", "DBUS_"))}
        done = subprocess.run(
            ["dbus-run-session", "--config-file", str(config), "--", sys.executable, "-c", script],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_there_is_no_desktop_over_ssh_or_without_a_bus(tmp_path: Path) -> None:
    bus = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus"}
    assert desktop.why_not(bus, "linux") == ""
    assert "another machine (SSH)" in desktop.why_not(
        {**bus, "SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}, "linux"
    )
    assert "no session bus" in desktop.why_not({}, "linux")
    assert "no session bus" in desktop.why_not({"XDG_RUNTIME_DIR": str(tmp_path)}, "linux")
    (tmp_path / "bus").touch()
    assert desktop.why_not({"XDG_RUNTIME_DIR": str(tmp_path)}, "linux") == ""
    assert desktop.why_not({}, "darwin") == ""


def test_a_machine_without_notifier_says_what_to_install(tmp_path: Path) -> None:
    if find_spec("dbus"):
        pytest.skip("dbus-python is installed here")
    began = time.monotonic()
    with pytest.raises(DeliveryFailed, match="install notify-send"):
        desktop.show("a", "b", {**os.environ, "PATH": str(tmp_path)})
    assert time.monotonic() - began < 5
