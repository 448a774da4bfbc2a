"""What went wrong with a connection, as a message, and whether another try may help."""

from __future__ import annotations

import asyncio
import errno
import ssl
from pathlib import Path

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from voicetop.connection.connect import connect_to
from voicetop.connection.refusals import BROKEN, FAILURES, closed_failure, failure_of
from voicetop.errors import FeedLost, FeedRefused
from voicetop.hub import Hub, HubConfig

URL = "ws://hub:1"
CERT = Path(__file__).parents[1] / "hub" / "localhost-cert.pem"


def answered(status: int, body: str = "", kind: str = "text/plain; charset=utf-8") -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers({"Content-Type": kind}), body.encode()))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_gateway_whose_hub_is_away_is_worth_another_try(status: int) -> None:
    failure = failure_of(answered(status), URL, has_token=True)
    hint = ": a proxy answers, but no hub behind it" if status in (502, 503, 504) else ""
    assert (type(failure), str(failure)) == (FeedLost, f"HTTP status {status}{hint}")


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
    for url in (URL, "wss://hub:1"):
        failure = failure_of(error, url, has_token=True, has_answered=url == URL)
        assert (type(failure), str(failure)) == (FeedLost, "it closed the connection before its welcome")


async def failure_at(url: str) -> FeedLost | FeedRefused:
    try:
        async with asyncio.timeout(60), connect_to(url, "secret", None):
            raise AssertionError("connected")
    except FAILURES as error:
        return failure_of(error, url, has_token=True)


async def failure_after(answer: bytes) -> str:
    """What connecting says, in the words for a URL `ws://hub/publish`, about a server that sends this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        failure = await failure_at(f"ws://{host}/publish")
        assert isinstance(failure, FeedRefused)
        return str(failure).replace(host, "hub")


@pytest.mark.parametrize(
    ("location", "use"),
    [
        ("https://hub/publish", "wss://hub/publish"),
        ("http://other.example.com/login?x=1", "ws://other.example.com/login?x=1"),
        ("wss://127.0.0.1:1/", "wss://127.0.0.1:1/"),
        ("/publish/", "ws://hub/publish/"),
        ("//hub2/", "ws://hub2/"),
    ],
)
async def test_a_redirect_says_which_url_to_use_and_gets_no_token(location: str, use: str) -> None:
    answer = f"HTTP/1.1 301 Moved\r\nLocation: {location}\r\n\r\n".encode()
    assert await failure_after(answer) == f"ws://hub/publish redirects: use {use}"


def test_a_redirect_never_leads_from_an_encrypted_hub_to_a_plain_one() -> None:
    response = Response(301, "", Headers({"Location": "http://hub/publish"}), b"")
    failure = failure_of(InvalidStatus(response), "wss://hub/publish", has_token=True)
    assert isinstance(failure, FeedRefused)
    assert "redirects to ws://hub/publish, which isn't encrypted: is the address right?" in str(failure)


async def test_a_redirect_to_nonsense_is_one_line_too() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: //[\r\n\r\n"
    assert await failure_after(answer) == "ws://hub/publish is not a voicetop hub: it redirects to '//['"
    assert "HTTP status 302" in await failure_after(b"HTTP/1.1 302 Found\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n<html>The plain HTTP request was sent to HTTPS port</html>",
    ],
)
async def test_a_gateway_with_tls_says_that_the_url_begins_with_wss(answer: bytes) -> None:
    assert await failure_after(answer) == "ws://hub/publish is encrypted: use wss://hub/publish"


async def test_a_hub_with_tls_that_is_spoken_to_in_plain_hints_at_wss() -> None:
    hub = Hub(HubConfig(port=0, cert=str(CERT), key=str(CERT.with_name("localhost-key.pem"))))
    await hub.start()
    port = hub.port
    try:
        failure = await failure_at(f"ws://127.0.0.1:{port}/publish")
    finally:
        await hub.close()
    assert isinstance(failure, FeedLost)
    assert str(failure) == (
        f"it closed the connection before its welcome: if it has TLS, use wss://127.0.0.1:{port}/publish"
    )


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
    assert "isn't trusted (self-signed certificate); add its CA with --cafile or SSL_CERT_FILE" in str(
        failure
    )


def test_a_close_without_a_frame_is_a_broken_connection() -> None:
    for code in (None, 1006):
        assert str(closed_failure(URL, code, "")) == BROKEN
    assert isinstance(closed_failure(URL, 1008, "no"), FeedRefused)
