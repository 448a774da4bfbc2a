"""A desktop's notification service for a test: owns org.freedesktop.Notifications and writes down what it gets.

    dbus-run-session -- python notification_service.py LOG [hang] -- COMMAND ...

Runs COMMAND once it owns the name and ends with it. With "hang" it takes calls and never answers.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

from jeepney import HeaderFields, Message, MessageType, message_bus, new_method_return
from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection

NAME = "org.freedesktop.Notifications"
ANSWERS: dict[str, tuple[str, tuple[object, ...]]] = {
    "GetCapabilities": ("as", (["body"],)),
    "GetServerInformation": ("ssss", ("a test", "voicetop", "1", "1.2")),
    "Notify": ("u", (1,)),
    "CloseNotification": ("", ()),
}


def serve(connection: DBusConnection, log: Path, *, hang: bool) -> None:
    while True:
        call: Message = connection.receive()
        if call.header.message_type is not MessageType.method_call:
            continue
        member = call.header.fields[HeaderFields.member]
        if member == "Notify":
            app, _, _, summary, body, *_ = call.body
            with log.open("a") as file:
                file.write(json.dumps({"app": app, "summary": summary, "body": body}) + "\n")
        if not hang:
            signature, values = ANSWERS.get(member, ("", ()))
            connection.send(new_method_return(call, signature, values))


def main() -> int:
    words, command = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    connection = open_dbus_connection(bus="SESSION")
    Proxy(message_bus, connection).RequestName(NAME)
    serving = threading.Thread(
        target=serve, args=(connection, Path(words[0])), kwargs={"hang": "hang" in words}, daemon=True
    )
    serving.start()
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
