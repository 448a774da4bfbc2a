from __future__ import annotations

from pathlib import Path

import pytest

from voicetop.cli import run
from voicetop.cli.backtest import Fired, Match, Result, matched, missed
from voicetop.cli.rules import summary
from voicetop.engine.snapshot import NAN
from voicetop.wire.events import Marker

CALL = Path(__file__).parents[2] / "recordings" / "pipecat-call.vtr"
RULES = """
[rules.errs]
metric = "errors"
fire = "2 %"
min_n = 1

[rules.many]
metric = "errors"
fire = "50 %"
min_n = 1
tier = "critical"

[rules.nobody]
metric = "p95_e2e"
where = { language = "klingon" }
fire = 100
runbook = "nope"
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "voicetop" / "rules"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(RULES, encoding="utf-8")
    return folder


def test_check_reads_a_persons_own_rules_and_misses_runbooks(
    rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rules", "check"]) == 0
    said = capsys.readouterr().out
    assert f"note: no runbook 'nope' yet: write {rules / 'nope.md'} (used by nobody)" in said
    assert "3 rules, no mistakes; see the notes" in said
    (rules / "nope.md").write_text("# Nope\n\n1. **Look.** [calls](panel:calls)\n", encoding="utf-8")
    assert run(["rules", "check"]) == 0
    assert "3 rules, no mistakes" in capsys.readouterr().out


def test_check_names_file_line_key_and_nearest_match(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rules / "bad.toml").write_text('[rules.x]\nmetric = "p95_e3e"\n', encoding="utf-8")
    assert run(["rules", "check"]) == 2
    assert capsys.readouterr().err == (
        f"voicetop: {rules / 'bad.toml'}, line 2: 'rules.x.metric' is not a metric; did you mean 'p95_e2e'?\n"
    )


def test_a_console_goes_on_with_the_rules_that_are_right(rules: Path) -> None:
    from voicetop import config

    assert [rule.name for rule in config.load().engine().rules] == ["errs", "many", "nobody"]
    (rules / "bad.toml").write_text("[rules.x]\n", encoding="utf-8")
    assert [rule.name for rule in config.load().engine().rules] == ["errs", "many", "nobody"]
    [mistake] = config.user_rules().mistakes
    assert "bad.toml, line 1: 'rules.x.metric'" in str(mistake)


def test_the_configs_check_knows_of_wrong_rules(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check"]) == 0
    (rules / "bad.toml").write_text("[rules.x]\n", encoding="utf-8")
    assert run(["config", "check"]) == 2
    assert "bad.toml, line 1: 'rules.x.metric'" in capsys.readouterr().err


def test_without_rules_there_is_nothing_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert run(["rules", "check"]) == 0
    assert "the built-in detectors need none" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["chek"], ["test"], ["test", "playbook"], ["test", "nowhere.toml", str(CALL)]]
)
def test_what_is_mistyped_is_a_line(
    words: list[str], rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rules", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("verb", "ways"),
    [
        ("rules", ("voicetop rules check", "voicetop rules test")),
        ("baseline", ("voicetop baseline learn", "voicetop baseline show", "voicetop baseline export")),
        ("notify", ("voicetop notify test",)),
    ],
)
def test_a_verb_alone_says_what_can_be_done(
    verb: str, ways: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb]) == 2
    assert capsys.readouterr().err == (
        f"voicetop: choose a command: {', '.join(ways)}; see voicetop {verb} --help\n"
    )


def test_rules_run_against_a_recording(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "test", str(rules / "mine.toml"), str(CALL)]) == 0
    said = capsys.readouterr().out
    assert "errs: fires once, " in said
    assert "many: fires once, " in said, "though live both would be one incident"
    assert "errors 100 %, over 2.0 % (n 1)" in said
    assert "nobody: does not fire" in said
    assert "rule 'nobody' matches nothing: no p95_e2e of language=klingon in the recording" in said


@pytest.mark.parametrize(
    ("segment", "near"),
    [('intnt = "billing"', "; did you mean 'intent'?"), ('intent = "boking"', "; did you mean 'booking'?")],
)
def test_check_against_a_recording_names_the_segment_that_was_meant(
    segment: str, near: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "r.toml"
    file.write_text(f'[rules.x]\nmetric = "errors"\nfire = 0.1\nmin_n = 1\nwhere = {{ {segment} }}\n')
    assert run(["rules", "check", str(file), "--with", str(CALL)]) == 0
    (note, _) = capsys.readouterr().out.splitlines()
    assert note.startswith(f"note: {file}, line 1: rule 'x' matches nothing")
    assert note.endswith(near)


# -- what a firing was about ---------------------------------------------------------------------------------------


def fired(rule: str, at: float, over: float = NAN, family: str = "errors", incident: str = "i1") -> Fired:
    return Fired(rule, incident, family, at, at - 30, over, rule)


def result(ours: list[Fired], truth: list[Fired], markers: list[Marker] | None = None) -> Result:
    return Result("x.vtr", 0, 100_000, ours, truth, markers or [], {})


def deploy(at: float, version: str) -> Marker:
    return Marker(ts=at, kind="deploy", label="release", version=version)


def test_fires_twice_11_min_earlier_1_false() -> None:
    one = result([fired("r", 10_000, 12_000), fired("r", 50_000, 50_300)], [fired("errors", 10_660, 11_000)])
    assert summary(matched(one, "r")) == "fires twice, 11 min earlier, 1 false"


def test_after_a_marker_it_is_not_false() -> None:
    one = result([fired("r", 10_000, 12_000)], [], [deploy(9_900, "v42"), deploy(1_000, "v41")])
    (match,) = matched(one, "r")
    assert (match.marker, match.false) == ("deploy v42", False)


def test_its_own_family_goes_before_what_merely_was_at_that_time() -> None:
    truth = [fired("latency", 10_001, family="latency"), fired("errors", 10_300)]
    (match,) = matched(result([fired("r", 10_000)], truth), "r")
    assert match.truth is truth[1]


def test_what_no_rule_said_is_missed() -> None:
    truth = [
        fired("errors", 10_000, 10_100),
        fired("errors", 60_000, 60_100),
        fired("cost", 60_000, family="cost"),
    ]
    assert missed(result([fired("r", 10_000, 10_200)], truth), ()) == [truth[1]]


def test_a_rule_that_stays_still_says_so() -> None:
    assert summary([]) == "does not fire"
    assert (
        summary([Match(fired("r", 1.0), fired("errors", 1.0), 0.0, "")])
        == "fires once, at the same time, 0 false"
    )
