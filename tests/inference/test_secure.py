"""Connections to servers with TLS and tokens: who is let in, and what the others are told."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from certificates import Authority, Pair
from real_triton import triton

from eventbraid import ServerError
from eventbraid.errors import AccessError
from eventbraid.inference import TLS, Server, TritonClient
from eventbraid.inference.pool.endpoint import Connect
from eventbraid.inference.servers.security import handshake_fault, refusal
from eventbraid.inference.transport.base import TransportError
from eventbraid.serving import EmbeddedServer, Repository, ServerTLS
from eventbraid.serving.embedded.server import Options, serving

ROWS = np.ones((2, 3), np.float32)
PATIENCE = 20.0
"""Seconds that a request has; what a secure connection is refused for must be told long before."""
UNTRUSTED = "the server's certificate is not trusted: no authority that is known here signed it (tls.roots)"
OTHER_NAME = "the server's certificate is for another name than its address (tls.name says which to expect)"
EXPIRED = "the server's certificate has expired"
PLAIN = "the server does not speak TLS: leave out tls, or use another port"
SPEAKS = "the server speaks TLS: give it tls=True, or tls=TLS(roots=...)"
WANTS = "the server wants a certificate of the client: give tls.certificate"
UNWANTED = "the server does not accept the certificate of this client"


@asynccontextmanager
async def served(models: Repository, **options: Any) -> AsyncIterator[int]:
    """An embedded server in this process; its port."""
    async with serving(models, Options(**options)) as where:
        yield where.port


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """That which everybody trusts."""
    return Authority(tmp_path_factory.mktemp("trusted") / "ca")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority."""
    return Authority(tmp_path_factory.mktemp("strange") / "ca")


@pytest.fixture(scope="module")
def own(authority: Authority) -> Pair:
    """The servers' certificate."""
    return authority.issue("127.0.0.1", "triton.example")


@pytest.fixture(scope="module")
def models(repository: Path) -> Repository:
    """The models of the embedded servers."""
    return Repository.open([repository])


@pytest.fixture(scope="module")
def triton_secure(repository: Path, own: Pair) -> Iterator[str]:
    """A Triton with a certificate, whose statistics are for those who have a key."""
    restricted = "--grpc-restricted-protocol=statistics:open=sesame"
    with triton(repository, tls=ServerTLS(own.certificate, own.key), options=[restricted]) as address:
        yield address


@pytest.fixture(scope="module")
def triton_mutual(repository: Path, own: Pair, authority: Authority) -> Iterator[str]:
    """A Triton that wants a certificate of its clients."""
    with triton(repository, tls=ServerTLS(own.certificate, own.key, clients=authority.roots)) as address:
        yield address


KINDS = ["embedded", pytest.param("triton", marks=pytest.mark.triton)]


@pytest.fixture(params=KINDS)
async def secure(request: pytest.FixtureRequest, models: Repository, own: Pair) -> AsyncIterator[str]:
    """The address of a server with a certificate."""
    if request.param == "triton":
        yield request.getfixturevalue("triton_secure")
    else:
        async with served(models, tls=ServerTLS(own.certificate, own.key)) as port:
            yield f"127.0.0.1:{port}"


@pytest.fixture(params=KINDS)
async def mutual(
    request: pytest.FixtureRequest, models: Repository, own: Pair, authority: Authority
) -> AsyncIterator[str]:
    """The address of one that wants a certificate of its clients too."""
    if request.param == "triton":
        yield request.getfixturevalue("triton_mutual")
    else:
        async with served(models, tls=ServerTLS(own.certificate, own.key, clients=authority.roots)) as port:
            yield f"127.0.0.1:{port}"


@pytest.fixture(params=KINDS)
async def plain(request: pytest.FixtureRequest, models: Repository) -> AsyncIterator[str]:
    """The address of one without TLS."""
    if request.param == "triton":
        yield request.getfixturevalue("triton_address")
    else:
        async with served(models) as port:
            yield f"127.0.0.1:{port}"


async def ask(server: Server, connect: Connect) -> float:
    """The sum of what a server answers."""
    client = TritonClient([server], connect=connect)
    try:
        return float((await client.infer("sum", {"x": ROWS}, timeout=PATIENCE))["total"].sum())
    finally:
        await client.aclose()


async def refused(server: Server, connect: Connect) -> str:
    """What a server's client is told, at once and not at its deadline."""
    began = monotonic()
    with pytest.raises(AccessError) as raised:
        await ask(server, connect)
    assert monotonic() - began < PATIENCE / 2
    return str(raised.value)


async def test_a_server_of_a_trusted_authority_is_asked(secure: str, authority: Authority, connect: Connect) -> None:
    assert await ask(Server(secure, tls=TLS(authority.roots)), connect) == 6


async def test_a_large_request_and_its_answer_go_over_a_secure_connection(
    secure: str, authority: Authority, connect: Connect
) -> None:
    client = TritonClient([Server(secure, tls=TLS(authority.roots), shared_memory=False)], connect=connect)
    words = np.array([b"x" * 5_000_000, b"y"], object)
    try:
        answers = await asyncio.gather(*(client.infer("text", {"words": words}) for _ in range(4)))
    finally:
        await client.aclose()
    assert all(answer["same"].tolist() == words.tolist() for answer in answers)


async def test_a_secure_server_that_was_away_is_found_again(
    models: Repository, own: Pair, authority: Authority, connect: Connect
) -> None:
    began, tls = monotonic(), ServerTLS(own.certificate, own.key)
    async with served(models, tls=tls) as port:
        client = TritonClient([Server(f"127.0.0.1:{port}", tls=TLS(authority.roots))], connect=connect)
        await client.metadata("sum")
    asking = asyncio.create_task(client.infer("sum", {"x": ROWS}, timeout=PATIENCE))
    async with served(models, port=port, tls=tls):
        assert float((await asking)["total"].sum()) == 6
        await client.aclose()
    assert monotonic() - began < PATIENCE / 2  # nor did it wait for its client when it ended


async def test_a_server_of_another_authority_is_not_trusted(secure: str, stranger: Authority, connect: Connect) -> None:
    assert await refused(Server(secure, tls=TLS(stranger.roots)), connect) == f"{secure}: {UNTRUSTED}"


async def test_a_server_of_an_authority_of_its_own_is_not_trusted_by_default(secure: str, connect: Connect) -> None:
    assert await refused(Server(secure, tls=True), connect) == f"{secure}: {UNTRUSTED}"


async def test_a_certificate_for_another_name_is_refused(secure: str, authority: Authority, connect: Connect) -> None:
    server = Server(secure, tls=TLS(authority.roots, name="other.example"))
    assert await refused(server, connect) == f"{secure}: {OTHER_NAME}"


async def test_a_certificate_may_have_a_name_that_is_not_the_address(
    secure: str, authority: Authority, connect: Connect
) -> None:
    assert await ask(Server(secure, tls=TLS(authority.roots, name="triton.example")), connect) == 6


async def test_a_client_without_tls_is_told_that_the_server_speaks_it(secure: str, connect: Connect) -> None:
    assert await refused(Server(secure), connect) == f"{secure}: {SPEAKS}"


async def test_a_client_with_tls_is_told_that_the_server_does_not(
    plain: str, authority: Authority, connect: Connect
) -> None:
    assert await refused(Server(plain, tls=TLS(authority.roots)), connect) == f"{plain}: {PLAIN}"


async def test_an_expired_certificate_is_refused(models: Repository, authority: Authority, connect: Connect) -> None:
    old = authority.issue("127.0.0.1", expired=True)
    async with served(models, tls=ServerTLS(old.certificate, old.key)) as port:
        server = Server(f"127.0.0.1:{port}", tls=TLS(authority.roots))
        assert await refused(server, connect) == f"{server.name}: {EXPIRED}"


async def test_a_client_with_a_certificate_is_let_in(mutual: str, authority: Authority, connect: Connect) -> None:
    me = authority.issue("me@example.org")
    assert await ask(Server(mutual, tls=TLS(authority.roots, me.certificate, me.key)), connect) == 6


async def test_the_key_may_stand_in_the_file_of_the_certificate(
    mutual: str, authority: Authority, connect: Connect, tmp_path: Path
) -> None:
    me, both = authority.issue("me@example.org"), tmp_path / "proxy.pem"
    both.write_bytes(me.certificate.read_bytes() + me.key.read_bytes())
    assert await ask(Server(mutual, tls=TLS(authority.roots, both)), connect) == 6


async def test_a_client_without_a_certificate_is_told_to_have_one(
    mutual: str, authority: Authority, connect: Connect
) -> None:
    assert await refused(Server(mutual, tls=TLS(authority.roots)), connect) == f"{mutual}: {WANTS}"


async def test_a_client_with_a_certificate_of_another_authority_is_told_so(
    mutual: str, authority: Authority, stranger: Authority, connect: Connect
) -> None:
    me = stranger.issue("me@example.org")
    server = Server(mutual, tls=TLS(authority.roots, me.certificate, me.key))
    assert await refused(server, connect) == f"{mutual}: {UNWANTED}"


async def test_a_client_with_an_expired_certificate_is_told_so(
    mutual: str, authority: Authority, connect: Connect
) -> None:
    me = authority.issue("me@example.org", expired=True)
    server = Server(mutual, tls=TLS(authority.roots, me.certificate, me.key))
    assert await refused(server, connect) == f"{mutual}: {UNWANTED}"


async def test_a_server_that_only_closes_connections_is_away_and_not_mistrusted(connect: Connect) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1")
    async with server:
        port = server.sockets[0].getsockname()[1]
        for tls in (None, True):
            transport = connect(Server(f"127.0.0.1:{port}", tls=tls))
            with pytest.raises(TransportError) as raised:
                await transport.call("ServerLive", [b""], timeout=PATIENCE)
            assert raised.value.code == "UNAVAILABLE"
            await transport.aclose()


async def test_nobody_at_the_address_is_no_question_of_trust() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for tls in (None, True):
        assert await refusal(Server(f"127.0.0.1:{port}", tls=tls)) == ""


async def test_a_token_opens_a_server_that_wants_one(models: Repository, connect: Connect) -> None:
    async with served(models, token="sesame") as port:
        assert await ask(Server(f"127.0.0.1:{port}", token="sesame"), connect) == 6


@pytest.mark.parametrize(("token", "given"), [("", "none"), ("simsim", "another")])
async def test_a_wrong_token_is_told_what_is_expected(
    models: Repository, connect: Connect, token: str, given: str
) -> None:
    async with served(models, token="sesame") as port:
        server = Server(f"127.0.0.1:{port}", token=token)
        told = f"{server.name}: this server wants a token (authorization: Bearer TOKEN), and {given} was given"
        assert await refused(server, connect) == told


async def test_a_token_goes_over_a_secure_connection(
    models: Repository, own: Pair, authority: Authority, connect: Connect
) -> None:
    async with served(models, tls=ServerTLS(own.certificate, own.key), token="sesame") as port:
        assert await ask(Server(f"127.0.0.1:{port}", tls=TLS(authority.roots), token="sesame"), connect) == 6


async def statistics(server: Server, connect: Connect) -> bytes:
    transport = connect(server)
    try:
        return await transport.call("ModelStatistics", [b""], timeout=PATIENCE)
    finally:
        await transport.aclose()


@pytest.mark.triton
async def test_a_header_opens_what_triton_restricts(triton_secure: str, authority: Authority, connect: Connect) -> None:
    tls, headers = TLS(authority.roots), {"Triton-GRPC-Protocol-Open": "sesame"}
    assert b"sum" in await statistics(Server(triton_secure, tls=tls, headers=headers), connect)
    with pytest.raises(TransportError) as raised:
        await statistics(Server(triton_secure, tls=tls), connect)
    assert raised.value.code == "UNAVAILABLE"


async def test_an_embedded_server_takes_certificates_and_a_token_into_its_process(
    repository: Path, own: Pair, authority: Authority, connect: Connect
) -> None:
    me = authority.issue("me@example.org")
    tls = ServerTLS(own.certificate, own.key, clients=authority.roots)
    async with EmbeddedServer([repository], tls=tls, token="sesame") as server:
        trusted = TLS(authority.roots, me.certificate, me.key)
        assert await ask(Server(server.address, tls=trusted, token="sesame"), connect) == 6


async def test_an_embedded_server_with_a_key_that_is_not_its_own_says_so(
    repository: Path, own: Pair, authority: Authority
) -> None:
    other = authority.issue("localhost")
    with pytest.raises(ServerError, match=rf"key '{other.key}' is not that of certificate '{own.certificate}'"):
        await EmbeddedServer([repository], tls=ServerTLS(own.certificate, other.key)).start()


def command_line(server: EmbeddedServer) -> str:
    return Path(f"/proc/{server.pid}/cmdline").read_text()


async def test_a_token_shows_in_no_command_line(repository: Path) -> None:
    async with EmbeddedServer([repository], token="sesame") as server:
        assert "sesame" not in command_line(server)


@pytest.mark.parametrize(
    ("details", "what"),
    [
        ("Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate: OK", UNTRUSTED),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)", UNTRUSTED),
        ("CERTIFICATE_VERIFY_FAILED: certificate has expired: OK", EXPIRED),
        ("Custom verification check failed with error: UNAUTHENTICATED: Hostname Verification Check failed.", OTHER_NAME),
        ("certificate verify failed: IP address mismatch, certificate is not valid for '127.0.0.1'.", OTHER_NAME),
        ("error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER: Invalid certificate", PLAIN),
        ("the connection was lost: [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required", f"{UNWANTED}, or wants one (tls.certificate)"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", f"{UNWANTED}, or wants one (tls.certificate)"),
        ("failed to connect to all addresses; last error: UNKNOWN: Connection refused", ""),
        ("failed to connect to all addresses; last error: UNAVAILABLE: Handshake read failed (Socket closed)", ""),
    ],
)  # fmt: skip
def test_what_a_failed_handshake_says_is_put_into_words(details: str, what: str) -> None:
    assert handshake_fault(details) == what
