"""What went wrong with a connection, as a message, and whether another try may help."""

from __future__ import annotations

import errno
import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from voicetop.connection.refusals import BROKEN, closed_failure, failure_of
from voicetop.errors import FeedLost, FeedRefused

URL = "ws://hub:1"


def answered(status: int, body: str = "", kind: str = "text/plain; charset=utf-8") -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers({"Content-Type": kind}), body.encode()))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_gateway_whose_hub_is_away_is_worth_another_try(status: int) -> None:
    failure = failure_of(answered(status), URL, has_token=True)
    assert (type(failure), str(failure)) == (FeedLost, f"HTTP status {status}")


@pytest.mark.parametrize(
    ("error", "has_token", "message"),
    [
        (answered(401, "this hub wants a token\n"), True, f"{URL} refused: this hub wants a token"),
        (answered(401, "no"), False, f"{URL} refused: no (set VOICETOP_TOKEN)"),
        (answered(403, "<html>", "text/html"), True, f"{URL} refused: HTTP status 403"),
        (answered(404, "a\x1b[31mb"), True, f"{URL} refused: a[31mb"),
        (answered(302), True, f"{URL} is not a voicetop hub: HTTP status 302"),
        (InvalidHandshake("odd"), True, f"{URL} is not a voicetop hub: odd"),
        (ConnectionClosedError(Close(1008, "no role"), None), True, f"{URL} refused: no role"),
    ],
)
def test_a_refusal_is_final_and_has_a_reason(error: Exception, has_token: bool, message: str) -> None:
    failure = failure_of(error, URL, has_token=has_token)
    assert (type(failure), str(failure)) == (FeedRefused, message)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "nothing listens there"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no route to host"),
        (TimeoutError("timed out during opening handshake"), "timed out during opening handshake"),
        (EOFError(), BROKEN),
        (ConnectionClosedError(None, None), BROKEN),
        (ConnectionClosedError(Close(1001, "the hub is shutting down"), None), "the hub is shutting down"),
        (ConnectionClosedError(Close(1011, ""), None), "closed with code 1011"),
    ],
)
def test_temporary_failures_are_lost_and_not_refused(error: Exception, message: str) -> None:
    failure = failure_of(error, URL, has_token=True)
    assert (type(failure), str(failure)) == (FeedLost, message)


def test_a_server_that_hangs_up_before_its_answer_may_be_starting() -> None:
    error = InvalidMessage("did not receive a valid HTTP response")
    error.__cause__ = EOFError()
    assert str(failure_of(error, URL, has_token=True)) == "it closed the connection before its welcome"


def test_a_reset_while_encrypting_hints_at_ws_unless_a_hub_was_there() -> None:
    reset = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    assert "should the URL be ws://?" in str(failure_of(reset, "wss://hub", has_token=True))
    assert "should the URL" not in str(failure_of(reset, "wss://hub", has_token=True, has_answered=True))
    assert "should the URL" not in str(failure_of(reset, URL, has_token=True))


def test_an_untrusted_certificate_is_refused() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    failure = failure_of(error, "wss://hub", has_token=True)
    assert isinstance(failure, FeedRefused)
    assert "isn't trusted (self-signed certificate); add its CA with --cafile" in str(failure)


def test_a_close_without_a_frame_is_a_broken_connection() -> None:
    for code in (None, 1006):
        assert str(closed_failure(URL, code, "")) == BROKEN
    assert isinstance(closed_failure(URL, 1008, "no"), FeedRefused)
