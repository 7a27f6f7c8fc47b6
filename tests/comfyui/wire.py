"""A proxy between Genlock and ComfyUI that can be cut: it forwards connections, drops some, and counts."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.comfyui.server import ComfyServer


@dataclass
class Wire:
    """Forward connections to a server.

    ``refuses`` is called with the first bytes of a connection, including its request line; ``loses`` with every request
    sent: the server gets it, and no client gets the answer.
    """

    server: ComfyServer
    refuses: Callable[[bytes], bool] = lambda head: False
    loses: Callable[[bytes], bool] = lambda head: False
    port: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])
    _running: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _open: set[tuple[bytes, asyncio.StreamWriter]] = field(default_factory=set[tuple[bytes, asyncio.StreamWriter]])

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self, path: bytes) -> int:
        """Cut the open connections whose first request was for ``path``; return their number."""
        writers = [writer for head, writer in self._open if head.split(b" ")[1].startswith(path)]
        for writer in writers:
            writer.transport.abort()
        return len(writers)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection in a separate task."""
        running = asyncio.create_task(self._forward(reader, writer))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def all_ended(self) -> None:
        """Cut everything, and return when nothing is forwarded any more."""
        self.cut(b"/")
        await asyncio.gather(*self._running)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(2**16)
        if not head or self.refuses(head):
            writer.close()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        connection = (head, writer)
        self._open.add(connection)
        lost = asyncio.Event()
        try:
            await asyncio.gather(
                self._send(head, reader, server_writer, lost), self._answer(server_reader, writer, lost)
            )
        finally:
            self._open.discard(connection)
            writer.close()
            server_writer.close()

    async def _send(
        self, chunk: bytes, reader: asyncio.StreamReader, back: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while chunk:
                self.requests.append(chunk)
                if self.loses(chunk):
                    lost.set()
                back.write(chunk)
                await back.drain()
                chunk = await reader.read(2**16)
        back.close()

    async def _answer(
        self, server_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while (chunk := await server_reader.read(2**16)) and not lost.is_set():
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort() if lost.is_set() else writer.close()


@asynccontextmanager
async def wired(server: ComfyServer, refuses: Callable[[bytes], bool] = lambda head: False) -> AsyncGenerator[Wire]:
    """Run a proxy in front of ``server`` for as long as the block lasts."""
    wire = Wire(server, refuses)
    listener = await asyncio.start_server(wire.take, "127.0.0.1", 0)
    wire.port = listener.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        listener.close()
        await wire.all_ended()
        await listener.wait_closed()
