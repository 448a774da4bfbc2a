from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from notify.receivers import CERT, Receiver, receiving


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(CERT))
    with receiving() as receiver:
        yield receiver
    gc.collect()  # what the libraries left open, in the test that they left it in
