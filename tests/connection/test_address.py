"""URLs and tokens are accepted unchanged, or refused with what to type instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicetop.connection.address import (
    check_token,
    check_url,
    client_tls,
    is_local,
    is_loopback,
    publish_url,
)
from voicetop.errors import UsageError

CERTIFICATE = str(Path(__file__).parents[1] / "hub" / "localhost-cert.pem")


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:8377", "wss://hub.example.com", "ws://[::1]:8377/", "ws://h/x?y=1"]
)
def test_a_valid_url_is_unchanged(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:8377", "did you mean ws://127.0.0.1:8377 ?"),
        ("https://hub/x", "did you mean wss://hub/x ?"),
        ("localhost:8377", "did you mean ws://localhost:8377 ?"),
        ("hub.internal", "did you mean ws://hub.internal ?"),
        ("", "write it like"),
        ("ftp://hub", "begin with ws:// or wss://"),
        ("ws://", "names no host"),
        ("ws://hub:port", "is not a URL"),
        ("ws://hub:99999", "is not a URL"),
        ("ws://[::1", "is not a URL"),
        ("ws://me:secret@hub", "VOICETOP_TOKEN"),
        ("ws://hub/#top", "no #top"),
        ("ws://hub name", "spaces"),
    ],
)
def test_a_bad_url_says_what_to_type_instead(url: str, words: str) -> None:
    with pytest.raises(UsageError) as bad:
        check_url(url)
    assert words in str(bad.value)
    assert "secret" not in str(bad.value)


def test_a_token_that_does_not_fit_in_a_header_is_refused() -> None:
    assert check_token("") is None
    assert check_token("abc") == "abc"
    for token in ("two words", "line\nend", "töken"):
        with pytest.raises(UsageError, match="VOICETOP_TOKEN"):
            check_token(token)


@pytest.mark.parametrize(
    ("url", "cafile", "words"),
    [
        ("ws://hub", CERTIFICATE, "isn't encrypted"),
        ("wss://hub", "nowhere.pem", "no file nowhere.pem"),
        ("wss://hub", __file__, "no PEM certificates"),
    ],
)
def test_an_invalid_cafile_is_one_clear_line(url: str, cafile: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        client_tls(url, cafile)


def test_an_encrypted_url_gets_a_context_and_a_plain_one_none() -> None:
    assert client_tls("wss://hub", CERTIFICATE) is not None
    assert client_tls("ws://hub") is None


def test_publishers_go_to_publish_unless_the_url_has_a_path() -> None:
    assert publish_url("wss://hub.example") == "wss://hub.example/publish"
    assert publish_url("wss://hub.example/voice/publish?x=1") == "wss://hub.example/voice/publish?x=1"
    assert publish_url("ws://[::1]:8377/") == "ws://[::1]:8377/publish"
    with pytest.raises(UsageError, match="did you mean ws://h:1"):
        publish_url("http://h:1")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "::1", "[::1]"])
def test_loopback_stays_on_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "10.0.0.1", "localhost.evil.example", "::"])
def test_other_addresses_may_be_remote(host: str) -> None:
    assert not is_loopback(host)


def test_local_urls_use_no_proxy() -> None:
    assert is_local("ws://[::1]:8377/publish")
    assert is_local("wss://localhost")
    assert not is_local("ws://hub.example:8377")
