"""Which addresses connectors may reach."""

import asyncio
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from quadrat.serving.targets.base import RefusedError, UnreachableError
from quadrat.serving.targets.guard import Guard
from quadrat.serving.targets.proxy import GuardedProxy

pytestmark = pytest.mark.anyio

LINK_LOCAL = [
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
]
RESERVED = ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "fd00:ec2::254", "100.100.100.200"]
PRIVATE = ["127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "fc00::1", "100.64.0.1", "::ffff:10.0.0.1"]
PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"]


@pytest.mark.parametrize("address", [*LINK_LOCAL, *RESERVED])
@pytest.mark.parametrize("deny_private", [False, True])
def test_link_local_and_reserved_addresses_are_refused_always(address: str, deny_private: bool):
    with pytest.raises(RefusedError):
        Guard(deny_private=deny_private).check(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_when_asked_for(address: str):
    Guard().check(address)
    with pytest.raises(RefusedError):
        Guard(deny_private=True).check(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address: str):
    Guard(deny_private=True).check(address)


def test_sockets_count_as_private():
    Guard().check_socket("/run/postgresql")
    with pytest.raises(RefusedError):
        Guard(deny_private=True).check_socket("/run/postgresql")


async def test_name_that_leads_to_a_refused_address_is_refused():
    assert set(await Guard().resolve("localhost", 80)) <= {"127.0.0.1", "::1"}
    with pytest.raises(RefusedError):
        await Guard(deny_private=True).resolve("localhost", 80)
    # Spellings of an address that a check of the text would miss.
    for spelling in ("2852039166", "0xa9fea9fe", "[fe80::1]", "0251.0376.0251.0376"):
        with pytest.raises((RefusedError, UnreachableError)):
            await Guard().resolve(spelling, 80)


async def test_unknown_name_is_unreachable():
    with pytest.raises(UnreachableError):
        await Guard().resolve("no-such-host.invalid", 80)


class _TurningGuard(Guard):
    """As a name whose answer changes between looking and connecting: a second look would lead to a refused address."""

    asked: list[str]

    async def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return await Guard.resolve(self, "127.0.0.1" if len(self.asked) == 1 else "169.254.169.254", port)


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """Port of a server that answers with the head of the request that it got."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(head), head))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(proxy: GuardedProxy, request: str, *, password: bool = True) -> str:
    at = urlsplit(proxy.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    secret = b64encode(f"{at.username}:{at.password}".encode()).decode()
    credential = f"Proxy-Authorization: Basic {secret}\r\n" if password else ""
    writer.write(f"{request}\r\nHost: h\r\n{credential}\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer


async def test_proxy_reaches_what_may_be_reached(echo: int):
    proxy = GuardedProxy(Guard())
    await proxy.start()
    answer = await ask(proxy, f"GET http://127.0.0.1:{echo}/a?b=c HTTP/1.1")
    assert "200 OK" in answer
    assert "GET /a?b=c HTTP/1.1" in answer
    assert "Proxy-Authorization" not in answer
    await proxy.stop()


async def test_proxy_refuses_and_says_why(echo: int):
    proxy = GuardedProxy(Guard(deny_private=True))
    await proxy.start()
    for request in (f"GET http://127.0.0.1:{echo}/ HTTP/1.1", f"CONNECT 127.0.0.1:{echo} HTTP/1.1"):
        assert "403 Forbidden" in await ask(proxy, request)
    assert "private" in proxy.refusals["127.0.0.1"]
    assert "407" in await ask(proxy, f"GET http://127.0.0.1:{echo}/ HTTP/1.1", password=False)
    await proxy.stop()


async def test_proxy_connects_to_the_address_that_was_looked_at(echo: int):
    guard = _TurningGuard()
    object.__setattr__(guard, "asked", [])
    proxy = GuardedProxy(guard)
    await proxy.start()
    assert "200 OK" in await ask(proxy, f"GET http://rebinding.test:{echo}/ HTTP/1.1")
    # It was asked once: nothing resolves the name again behind the guard's back.
    assert guard.asked == ["rebinding.test"]
    assert "403" in await ask(proxy, f"GET http://rebinding.test:{echo}/ HTTP/1.1")
    await proxy.stop()


async def test_proxy_survives_nonsense():
    proxy = GuardedProxy(Guard())
    await proxy.start()
    at = urlsplit(proxy.url)
    for content in (b"\r\n\r\n", b"GET\r\n\r\n", b"\xff" * 100 + b"\r\n\r\n", b"x" * 70_000):
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        writer.write(content)
        await asyncio.wait_for(_drained(reader, writer), 10)
    with socket.socket() as probe:
        assert probe.connect_ex((at.hostname, at.port)) == 0
    await proxy.stop()


async def _drained(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await writer.drain()
        while await reader.read(1024):
            pass
    except ConnectionError:
        return
    finally:
        writer.close()
