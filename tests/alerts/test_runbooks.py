from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from voicetop.alerts.runbooks import PANELS, SHIPPED, RunbookLibrary, RunbookLink, mistakes, parse
from voicetop.alerts.signals import Family
from voicetop.engine.engine import Engine
from voicetop.views.call_filter import predicate

BOOK = """# Replies **fail**

What this
means.

1. **Provider status.** Is it `theirs`? [failing calls](panel:calls?filter=errors>0+language:es)
   See [the page](https://status.example).
2) No bold here. [where](panel:segments?by=version&everybody)
3. **Escalate.**

Not a step.
"""


def test_a_runbook_is_plain_markdown() -> None:
    book = parse(BOOK, "errors")
    assert (book.title, book.intro, book.why) == ("Replies fail", "What this means.", "")
    first, second, third = book.steps
    assert (first.number, first.title) == (1, "Provider status")
    assert first.text == "Is it theirs?  See the page (https://status.example)."
    assert first.door == RunbookLink("calls", "failing calls", filter="errors>0 language:es")
    assert second.door == RunbookLink("segments", "where", by="version", everybody=True)
    assert (second.title, second.text) == ("", "No bold here.")
    assert third.door is None


@pytest.mark.parametrize("family", get_args(Family))
def test_every_built_in_alert_has_five_steps_that_lead_somewhere(family: str) -> None:
    book = RunbookLibrary().find(family)
    assert [step.title for step in book.steps] == [
        "Provider status",
        "Stage latency",
        "Live calls against capacity",
        "Recent deploys",
        "Escalate if unresolved",
    ]
    assert mistakes(book) == []
    for step in book.steps:
        if step.door is not None:
            assert predicate(step.door.filter, Engine().waits)[1] == ""
            assert step.door.label


def test_nothing_else_is_shipped_than_what_an_alert_names() -> None:
    assert {path.stem for path in SHIPPED.glob("*.md")} == set(get_args(Family))


def test_a_persons_own_goes_before_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "errors.md").write_text("# Ours\n1. Call Ana.\n", encoding="utf-8")
    book = RunbookLibrary((tmp_path,)).find("errors")
    assert (book.title, [step.text for step in book.steps]) == ("Ours", ["Call Ana."])


def test_a_missing_runbook_is_one_line_that_says_what_to_write(tmp_path: Path) -> None:
    book = RunbookLibrary((tmp_path,)).find("payments")
    assert book.why == f"no runbook 'payments' yet: write {tmp_path / 'payments.md'}"
    assert mistakes(book) == [book.why]


def test_until_it_is_written_the_familys_takes_its_place(tmp_path: Path) -> None:
    shelf = RunbookLibrary((tmp_path,))
    book = shelf.find("payments", "errors")
    assert (
        book.why
        == f"no runbook 'payments' yet: write {tmp_path / 'payments.md'}; showing that of errors until then"
    )
    assert book.steps == shelf.find("errors").steps != ()
    (tmp_path / "own.md").write_text("just words", encoding="utf-8")
    assert shelf.find("own", "errors").steps == (), "what a person wrote is not replaced"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "", "a/b", "..", "x\x1b[2J"])
def test_a_name_is_no_path(name: str, tmp_path: Path) -> None:
    book = RunbookLibrary((tmp_path,)).find(name)
    assert book.steps == ()
    assert book.why.isprintable()


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("just words", encoding="utf-8")
    (tmp_path / "b.md").write_bytes(b"\xff\xfe1. x")
    (tmp_path / "c.md").write_text("1. go [there](panel:latancy)\n", encoding="utf-8")
    shelf = RunbookLibrary((tmp_path,))
    assert "has no items" in shelf.find("a").why
    assert shelf.find("b").why.endswith("cannot be read: it is not UTF-8")
    assert mistakes(shelf.find("c")) == [
        f"{tmp_path / 'c.md'}: item 1 leads to 'latancy'; did you mean 'latency'?"
    ]


def test_hostile_text_can_do_nothing(tmp_path: Path) -> None:
    text = "# \x1b]0;pwned\x07\n1. **\x9b31m** [x\u202e](panel:calls?filter=%1b[2J) [@click=app.quit]\n"
    book = parse(text, "x")
    (step,) = book.steps
    assert step.door is not None
    for said in (book.title, step.title, step.text, step.door.label, step.door.filter):
        assert said.isprintable()


def test_the_panel_of_sentiment_has_two_names() -> None:
    for name in ("sentiment", "mood"):
        (item,) = parse(f"1. [look](panel:{name})\n", "x").steps
        assert item.door is not None
        assert item.door.panel == "sentiment"


def test_a_huge_runbook_is_bounded() -> None:
    assert len(parse("1. step\n" * 10_000, "x").steps) == 99
    assert set(PANELS.values()) <= {"overview", "calls", "segments", "trends"}
