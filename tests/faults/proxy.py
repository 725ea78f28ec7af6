"""A TCP proxy that a test can make slow, deaf, or rude."""

import asyncio
import socket
import struct
import threading
from random import Random

from churn.stack.ports import free_port

CHUNK_BYTES = 65_536
RETRANSMISSION_S = 0.3  # what TCP makes of a lost packet


class Proxy:
    """Passes bytes on between `port` and `target`, in a thread of its own; set the attributes at any time."""

    def __init__(self, target: int, seed: int = 0) -> None:
        self.port, self.target = free_port(), target
        self.delay_s = 0.0
        self.loss = 0.0  # share of chunks that are late by a retransmission
        self._random = Random(seed)
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        self._connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(5)

    def hold(self) -> None:
        """Pass nothing on, and keep the connections: a network that is parted."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def release(self) -> None:
        """Pass everything on again, what was held first."""
        self._loop.call_soon_threadsafe(self._passing.set)

    def cut(self) -> None:
        """Reset every connection."""
        self._loop.call_soon_threadsafe(self._reset)

    def close(self) -> None:
        """Reset every connection and take no more."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        self._passing.set()
        self._reset()
        await asyncio.gather(*self._tasks)
        await asyncio.sleep(0)  # transports close their sockets one turn later

    def _reset(self) -> None:
        for writer in self._connections:
            # With this, closing sends RST and not FIN.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self._connections.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        self._connections |= {writer, there_writer}
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = self._loop.create_task(self._pass(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await self._passing.wait()
                if wait_s := self.delay_s + RETRANSMISSION_S * (self._random.random() < self.loss):
                    await asyncio.sleep(wait_s)
                writer.write(chunk)
                await writer.drain()
        except OSError:
            return  # reset by one side: the other learns it by the close below
        finally:
            writer.close()
            self._connections.discard(writer)
