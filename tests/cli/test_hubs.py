from __future__ import annotations

from pathlib import Path

import pytest

from voicetop.cli.hubs import hubs_of
from voicetop.config import Config, FeedConfig
from voicetop.errors import UsageError


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VOICETOP_URL", "VOICETOP_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def two(tmp_path: Path) -> Config:
    (tmp_path / "token").write_text("production-token\n")
    (tmp_path / "general").write_text("general-token\n")
    return Config(
        token_file=str(tmp_path / "general"),
        feeds={
            "production": FeedConfig("wss://hub.example.com", str(tmp_path / "token")),
            "staging": FeedConfig("ws://10.0.0.7:8377"),
        },
    )


def test_without_a_word_it_is_the_environment_then_the_config_then_this_machine(
    two: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [hub.url for hub in hubs_of([], Config())] == ["ws://127.0.0.1:8377"]
    assert [hub.name for hub in hubs_of([], two)] == ["production", "staging"]
    assert [hub.url for hub in hubs_of([], Config(url="ws://one"))] == ["ws://one"]
    monkeypatch.setenv("VOICETOP_URL", "ws://two")
    assert [hub.url for hub in hubs_of([], two)] == ["ws://two"]


def test_names_and_urls_may_be_mixed_and_several_urls_are_shortened(two: Config) -> None:
    hubs = hubs_of(["staging", "ws://10.0.0.9:1/"], two)
    assert [(hub.name, hub.url) for hub in hubs] == [
        ("staging", "ws://10.0.0.7:8377"),
        ("10.0.0.9:1", "ws://10.0.0.9:1/"),
    ]


def test_a_feed_s_own_token_goes_before_the_environment_and_that_before_the_general_one(
    two: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [hub.token for hub in hubs_of([], two)] == ["production-token", "general-token"]
    monkeypatch.setenv("VOICETOP_TOKEN", "told")
    assert [hub.token for hub in hubs_of([], two)] == ["production-token", "told"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stagign"], "neither a URL nor a feed in the config; did you mean 'staging'?"),
        (["staging", "staging"], "staging is named twice"),
        (["ws://x", "replay"], "put the command first: voicetop replay"),
    ],
)
def test_what_is_none_is_said_with_the_nearest(two: Config, words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        hubs_of(words, two)
