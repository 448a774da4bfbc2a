from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from voicetop.alerts.rules import metrics
from voicetop.alerts.rules.rule_files import PRESETS, files_in, parse, read
from voicetop.alerts.signals import Family
from voicetop.engine.config import Policy, ThresholdPair

RULE = """
[rules.slow_llm]
metric = "p95_llm"
where = { language = "es", intent = "billing" }
window = "30m"
min_n = 50
fire = "1.5 × normal"
clear = "1.3x"
for = "2m"
keep_firing_for = "10m"
tier = "critical"
runbook = "slow_llm"
links = ["https://status.example"]
"""


def test_a_rule_says_all_that_it_can_say() -> None:
    book = parse(RULE)
    (rule,) = book.rules
    assert book.mistakes == ()
    assert (rule.name, rule.metric, rule.tier, rule.window, rule.min_n) == (
        "slow_llm",
        "p95_llm",
        "critical",
        "30m",
        50,
    )
    assert rule.where == (("intent", "billing"), ("language", "es"))
    assert (rule.fire, rule.clear) == (ThresholdPair(1.5, times=True), ThresholdPair(1.3, times=True))
    assert (rule.for_s, rule.keep_s, rule.below) == (120, 600, False)
    assert (rule.runbook, rule.links) == ("slow_llm", ("https://status.example",))


def test_a_short_rule_takes_the_rest_from_its_metric() -> None:
    (slow, low) = parse(
        '[rules.a]\nmetric = "p95_e2e"\nfire = 2700\n[rules.b]\nmetric = "success"\nfire = "80 %"\n'
    ).rules
    assert (slow.for_s, slow.below, slow.window, slow.runbook, slow.clear) == (
        60,
        False,
        "5m",
        "latency",
        slow.fire,
    )
    assert (low.for_s, low.below, low.window, low.runbook, low.fire) == (
        0,
        True,
        "30m",
        "success",
        ThresholdPair(0.8),
    )


@pytest.mark.parametrize(
    ("metric", "said", "line"),
    [
        ("p95_e2e", '"2.7 s"', ThresholdPair(2700)),
        ("p95_e2e", '"800 ms"', ThresholdPair(800)),
        ("p95_e2e", '"2.5×"', ThresholdPair(2.5, times=True)),
        ("p95_e2e", '"2 * normal"', ThresholdPair(2, times=True)),
        ("errors", '"5 %"', ThresholdPair(0.05)),
        ("errors.llm.timeout", "0.02", ThresholdPair(0.02)),
        ("cost", '"$0.20"', ThresholdPair(0.2)),
        ("stuck", "5", ThresholdPair(5)),
    ],
)
def test_a_threshold_is_written_as_people_write_it(metric: str, said: str, line: ThresholdPair) -> None:
    book = parse(f'[rules.x]\nmetric = "{metric}"\nfire = {said}\n')
    assert book.mistakes == ()
    assert book.rules[0].fire == pytest.approx(line) or book.rules[0].fire == line


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("[rules.x]\nmetrik = 1", ("line 2", "'rules.x.metrik'", "did you mean 'metric'?")),
        ('[rules.x]\nmetric = "p95_lm"\nfire = 1', ("line 2", "did you mean 'p95_llm'?")),
        ('[rules.x]\nmetric = "p95_e2e"', ("line 1", "'rules.x.fire'", "is missing")),
        ('[rules.x]\nmetric = "p95_e2e"\nfire = "fast"', ("line 3", "threshold in ms")),
        ('[rules.x]\nmetric = "p95_e2e"\nfire = -5', ("out of range",)),
        ('[rules.x]\nmetric = "p95_e2e"\nfire = "0.5 × normal"', ("would fire at normal values",)),
        ('[rules.x]\nmetric = "errors"\nfire = 5', ("out of range for errors", "choose 0 to 1", '"5 %"')),
        ('[rules.x]\nmetric = "errors"\nfire = "900 x"', ("out of range",)),
        ('[rules.x]\nmetric = "stuck"\nfire = "2 x"', ("has no learned normal",)),
        (
            '[rules.x]\nmetric = "success"\nfire = "3 x"',
            ("would fire at normal values", "less than 1 × normal"),
        ),
        ('[rules.x]\nmetric = "p95_e2e"\nfire = 0', ("makes no sense for P95 response", "would always fire")),
        ('[rules.x]\nmetric = "errors"\nfire = "100 %"', ("no value is above 1", "would never fire")),
        ('[rules.x]\nmetric = "sentiment"\nfire = 1', ("no value is below 1", "would never fire")),
        ('[rules.x]\nmetric = "errors"\nfire = nan', ("out of range",)),
        ('[rules.x]\nmetric = "errors"\nfire = 0.1\nclear = 0.2', ("line 4", "at or below fire")),
        ('[rules.x]\nmetric = "success"\nfire = 0.8\nclear = 0.7', ("line 4", "at or above fire")),
        ('[rules.x]\nmetric = "errors"\nfire = 0.1\nfor = "soon"', ("line 4", 'like "60s"')),
        ('[rules.x]\nmetric = "errors"\nfire = 0.1\nfor = "90h"', ("out of range", "a day")),
        ('[rules.x]\nmetric = "errors"\nfire = 0.1\ntier = "critcal"', ("did you mean 'critical'?",)),
        ('[rules.x]\nmetric = "errors"\nfire = 0.1\nwindow = "7m"', ("one of 5m, 30m, 24h",)),
        ('[rules.x]\nmetric = "errors"\nfire = 0.1\nmin_n = -1', ("whole number",)),
        ('[rules.x]\nmetric = "errors"\nfire = 0.1\nwhere = "es"', ("has to be segments",)),
        ('[rules.x]\nmetric = "errors"\nfire = 0.1\nlinks = ["javascript:x"]', ("addresses",)),
        ('[rules.x]\nmetric = "errors"\nfire = 0.1\nbelow = 3', ("true or false",)),
        ('[rules.errors]\nmetric = "errors"\nfire = 0.1', ("not a family's name",)),
        ("[families.latncy]\nfor = 1", ("did you mean 'latency'?",)),
        ("rules = 3", ("has to be tables",)),
        ('presets = ["playbok"]', ("did you mean 'playbook'?",)),
        ("[rule.x]\n", ("did you mean 'rules'?",)),
        ("[rules.x\n", ("not TOML",)),
    ],
)
def test_a_mistake_names_file_line_key_and_the_nearest_match(text: str, needed: tuple[str, ...]) -> None:
    book = parse(text, "my.toml")
    assert book.rules == ()
    said = str(book.mistakes[0])
    assert said.startswith("my.toml")
    for part in needed:
        assert part in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[rules.x]\nmetrik = "p95_llm"\nfire = 1',
            "'rules.x.metrik' is an unknown key; did you mean 'metric'?",
        ),
        (
            '[rules.x]\nmetric = "p95_llm"\nfires = 1',
            "'rules.x.fires' is an unknown key; did you mean 'fire'?",
        ),
        ("[rules.x]\nfire = 1", "'rules.x.metric' is missing: add a figure, like metric = \"p95_llm\""),
        ('[rules.x]\nmetric = "zzz"\nfire = 1', "is not a metric; valid: p50 p95 p99 with _e2e"),
    ],
)
def test_one_mistake_is_one_line(text: str, said: str) -> None:
    (mistake,) = parse(text, "my.toml").mistakes
    assert said in str(mistake)
    assert len(str(mistake)) < 300


def test_a_wrong_rule_is_left_out_and_the_others_are_kept() -> None:
    book = parse(f'[rules.bad]\nmetric = "x"\n{RULE}')
    assert [rule.name for rule in book.rules] == ["slow_llm"]
    assert len(book.mistakes) == 1


def test_two_files_may_not_have_one_name(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(RULE, encoding="utf-8")
    book = read(files_in(tmp_path))
    assert len(book.rules) == 1
    assert f"already exists, in {tmp_path / 'a.toml'}, line 2" in str(book.mistakes[0])


def test_families_can_be_made_more_patient() -> None:
    book = parse('[families.errors]\nfor = "30s"\n')
    assert book.policies == {"errors": Policy(30, 300)}


@pytest.mark.parametrize("preset", sorted(path.stem for path in PRESETS.glob("*.toml")))
def test_every_preset_is_right(preset: str) -> None:
    book = parse(f'presets = ["{preset}"]')
    assert book.mistakes == ()
    assert all(rule.name.startswith(f"{preset}_") for rule in book.rules)
    assert len(book.rules) > 1


def test_the_presets_are_those_that_are_promised_and_none_is_in_force_unasked() -> None:
    assert {path.stem for path in PRESETS.glob("*.toml")} == {"twilio", "hamming", "playbook"}
    assert parse("").rules == ()


def test_every_metric_belongs_to_a_family() -> None:
    for name in metrics.names():
        metric = metrics.find(name)
        assert metric is not None
        assert metric.family in get_args(Family)


def test_hostile_toml_makes_no_rule_and_no_crash() -> None:
    for text in ("x" * 100_000, "[" * 5_000, 'a = "\x1b"', "[rules]\nx = { y = { z = 1 } }"):
        assert parse(text).rules == ()
