"""A model API that says what time it is: `python -m bench.model RATE PIECES` prints its port.

Each answer has its pieces at a fixed schedule, and each piece is the time when it was handed to the
socket, of the system's monotonic clock in nanoseconds.
"""

import asyncio
import sys
import time

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
PIECE = b'data: {"choices":[{"index":0,"delta":{"content":"<%d> "}}]}\n\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


async def serve(rate: float, pieces: int) -> None:
    """Until it is killed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(pieces):
            await asyncio.sleep(began + (number + 1) / rate - loop.time())
            writer.write(PIECE % time.monotonic_ns())
        writer.write(END)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(float(sys.argv[1]), int(sys.argv[2])))
