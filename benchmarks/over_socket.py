"""Socket → decode → engine on one core, against bare decode of the same frames on the same core, in one run.

    python benchmarks/over_socket.py [--rounds 5]

A sender on the other core pushes frames of 512 turn events over a loopback websocket as fast as they are taken.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import os
import statistics
import time
from multiprocessing.connection import Connection

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from engine import FRAME, Traffic
from voicetop.session import Session
from voicetop.wire.codec import _frame_decoder as frame_decoder

FRAMES = 300


def send(frames: list[bytes], pipe: Connection) -> None:
    """The sender's process: every client gets all the frames."""
    pin(1)

    async def handler(socket: ServerConnection) -> None:
        for frame in frames:
            await socket.send(frame, text=True)
        await socket.close()

    async def main() -> None:
        async with serve(handler, "127.0.0.1", 0, compression=None) as server:
            pipe.send(next(iter(server.sockets)).getsockname()[1])
            await asyncio.to_thread(pipe.recv)

    asyncio.run(main())


def pin(core: int) -> None:
    """Keep this process on one core, where the machine has it."""
    if core < (os.cpu_count() or 1):
        os.sched_setaffinity(0, {core})


async def receive(port: int, session: Session) -> float:
    """Seconds to take all frames from the socket and fold them."""
    async with connect(f"ws://127.0.0.1:{port}", compression=None, max_size=None) as socket:
        start = time.perf_counter()
        for _ in range(FRAMES):
            session.feed(await socket.recv(decode=False))
        return time.perf_counter() - start


def main(rounds: int) -> None:
    """Rounds of both, alternating, each with frames of its own."""
    pin(0)
    traffic = Traffic(mixed=False)
    session = Session()
    for frame in traffic.opening():
        session.feed(frame)
    stream = traffic.frames()
    ratios, rates = [], []
    for _ in range(rounds):
        frames = list(itertools.islice(stream, FRAMES))
        ours, theirs = multiprocessing.Pipe()
        sender = multiprocessing.Process(target=send, args=(frames, theirs))
        sender.start()
        whole = asyncio.run(receive(ours.recv(), session))
        ours.send("done")
        sender.join()
        start = time.perf_counter()
        for frame in frames:
            frame_decoder.decode(frame)
        bare = time.perf_counter() - start
        ratios.append(bare / whole)
        rates.append(FRAMES * FRAME / whole)
    print(
        f"socket → decode → engine: {statistics.median(rates):,.0f} events/s, "
        f"1/{1 / statistics.median(ratios):.2f} of bare decode's"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    main(parser.parse_args().rounds)
