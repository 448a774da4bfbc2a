"""`voicetop simulate`: what a person may type, and what is said of what they can't."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from voicetop.cli import parse as parse_words
from voicetop.cli import run
from voicetop.cli.fleet import fleet_config, parse_segment
from voicetop.errors import UsageError
from voicetop.simulator import SimulatedIncident


def parse(*words: str) -> argparse.Namespace:
    return parse_words(["simulate", *words])


def config_of(*words: str) -> object:
    return fleet_config(parse(*words), 1_800_000_000.0)


def test_options_describe_a_fleet() -> None:
    config = fleet_config(parse("--calls", "12,000", "--seed", "9", "--speed", "2", "--history", "24"), 1.8e9)
    assert (config.calls, config.seed, config.speed, config.history) == (12_000, 9, 2.0, 86_400.0)
    assert config.start == 1.8e9


def test_options_after_an_incident_belong_to_it() -> None:
    words = (
        "--incident llm_outage --at 30 --for 120 --incident seg_latency --segment intent=billing,language=es"
    )
    config = fleet_config(parse("ws://hub:1", *words.split(), "--magnitude", "2"), 1.8e9)
    assert config.incidents == (
        SimulatedIncident("llm_outage", 30.0, 120.0),
        SimulatedIncident("seg_latency", 30.0, None, {"intent": "billing", "language": "es"}, 2.0),
    )


def test_a_segment_needs_names_and_values() -> None:
    assert parse_segment(" intent = billing , tier=smb") == {"intent": "billing", "tier": "smb"}
    with pytest.raises(UsageError, match="'billing' is not NAME=VALUE"):
        parse_segment("billing")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--calls many", "--calls many: give a whole number from 1 to 200,000"),
        ("--calls 2.5", "--calls 2.5: give a whole number"),
        ("--speed 0", "--speed 0: give a number from 0.01 to 100"),
        ("--history nan", "--history nan: give a number"),
        ("--incident tts_slow --for -1", "--for -1: give a number from 0 up"),
        ("--incident tts_slow --at soon", "--at soon: give a number"),
    ],
)
def test_a_bad_value_is_named_with_what_to_type(words: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        fleet_config(parse(*words.split()), 1.8e9)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--incidnet tts_slow", "unknown option --incidnet; did you mean '--incident'?"),
        ("--at 30", "--at 30 has to follow an --incident NAME"),
        ("--incident", "--incident needs a value; see voicetop simulate --help"),
    ],
)
def test_a_bad_option_is_one_line_and_exit_2(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", *words.split()]) == 2
    assert capsys.readouterr() == ("", f"voicetop: {said}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--incident llm_outag", "there is no incident 'llm_outag'; did you mean 'llm_outage'?"),
        ("--incident tts_slow --segment intent=biling", "no intent 'biling'; did you mean 'billing'?"),
        ("ws://127.0.0.1:9", "no hub at ws://127.0.0.1:9 (nothing listens there)"),
        ("127.0.0.1:8377", "did you mean ws://127.0.0.1:8377 ?"),
    ],
)
def test_what_cannot_work_ends_with_one_clear_line(words: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "voicetop", "simulate", *words.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_help_lists_the_incidents(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    shown = capsys.readouterr().out
    assert "llm_outage" in shown
    assert "eval_lag" in shown
