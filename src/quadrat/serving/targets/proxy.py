"""A proxy of this process through which vendors' libraries reach the network: it connects to checked addresses only.

The libraries resolve names themselves, each in its own way, so a name that was looked at before could lead elsewhere
when they ask again. Through the proxy they hand over the name, and the connection goes to the address that was
looked at.
"""

import asyncio
import secrets
from base64 import b64encode
from urllib.parse import urlsplit

import structlog

from quadrat.serving.targets.base import CONNECT_S, RefusedError, UnreachableError
from quadrat.serving.targets.guard import Guard

_log = structlog.get_logger(__name__)
_MOST_HEADER_BYTES = 64 * 1024
_BLOCK_BYTES = 64 * 1024


class GuardedProxy:
    """Listens on this machine and wants a password, so that nothing else uses it.

    Args:
        guard: Says which addresses may be reached.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._password = secrets.token_urlsafe(24)
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self.refusals: dict[str, str] = {}
        """Hosts that were refused, with the reason: libraries only know that the proxy said no."""

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_MOST_HEADER_BYTES)

    async def stop(self) -> None:
        """Cut all connections."""
        if self._server is not None:
            self._server.close()
        for link in list(self._links):
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    @property
    def url(self) -> str:
        """Address with the password in it."""
        assert self._server is not None  # noqa: S101 - started
        port = self._server.sockets[0].getsockname()[1]
        return f"http://quadrat:{self._password}@127.0.0.1:{port}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._serve(reader, writer), name="connector-proxy")
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._relay(head, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError):
            _log.debug("proxy.link_lost")
        finally:
            writer.close()

    async def _relay(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, _, rest = head.partition(b"\r\n")
        method, url, version = first.decode("latin-1").split(" ")
        lines = rest.split(b"\r\n")
        expected = b"Basic " + b64encode(f"quadrat:{self._password}".encode())
        given = [line.partition(b":")[2].strip() for line in lines if line.lower().startswith(b"proxy-authorization:")]
        if not given or not secrets.compare_digest(given[0], expected):
            await _say(writer, "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=quadrat")
            return
        parts = urlsplit(f"//{url}" if method == "CONNECT" else url)
        host, port = parts.hostname or "", parts.port or (443 if method == "CONNECT" else 80)
        try:
            far_reader, far_writer = await self._connect(host, port)
        except (RefusedError, UnreachableError) as error:
            self.refusals[host] = str(error)
            await _say(writer, f"{'403 Forbidden' if isinstance(error, RefusedError) else '502 Bad Gateway'}")
            return
        self.refusals.pop(host, None)
        if method == "CONNECT":
            await _say(writer, "200 Connection established", close=False)
        else:
            path = parts.path or "/"
            target = f"{path}?{parts.query}" if parts.query else path
            kept = [line for line in lines if not line.lower().startswith((b"proxy-", b"connection:"))]
            request = f"{method} {target} {version}\r\nConnection: close\r\n".encode("latin-1")
            far_writer.write(request + b"\r\n".join(kept))
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.close()

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for address in await self._guard.resolve(host, port):
            try:
                async with asyncio.timeout(CONNECT_S):
                    return await asyncio.open_connection(address, port)
            except (OSError, TimeoutError):
                continue
        raise UnreachableError(f"No connection to {host}:{port}.")


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while block := await source.read(_BLOCK_BYTES):
        sink.write(block)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()


async def _say(writer: asyncio.StreamWriter, status: str, *, close: bool = True) -> None:
    ending = "Content-Length: 0\r\nConnection: close\r\n\r\n" if close else "\r\n"
    writer.write(f"HTTP/1.1 {status}\r\n{ending}".encode("latin-1"))
    await writer.drain()
