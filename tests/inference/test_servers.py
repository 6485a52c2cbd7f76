"""What a user says of servers: objects, addresses, files, the environment; and what is wrong with it."""

from __future__ import annotations

import pickle
import re
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from certificates import Authority

from eventbraid import ConfigurationError
from eventbraid.address import is_here
from eventbraid.inference import TLS, Server
from eventbraid.inference.servers.file import read_servers
from eventbraid.inference.servers.given import servers_of
from eventbraid.inference.servers.replicas import addresses_of, members, resolved
from eventbraid.inference.servers.security import context_of

NOTHING: dict[str, str] = {}
PAGE = Path(__file__).parents[2] / "docs/inference.md"


def faults(make: Any) -> list[str]:
    """What making something says, a line a fault."""
    with pytest.raises(ConfigurationError) as raised:
        make()
    return [str(fault) for fault in raised.value.faults]


def written(folder: Path, text: str) -> Path:
    file = folder / "servers.toml"
    file.write_text(text)
    return file


# One server.


def test_a_server_is_called_by_its_address_where_it_has_no_name() -> None:
    assert Server("gpu1:8001").name == "gpu1:8001"
    assert Server("gpu1:8001", name="first").name == "first"


def test_every_fault_of_a_server_is_told_at_once() -> None:
    wrong: dict[str, Any] = {"name": 3, "tls": "yes", "max_requests": 0, "max_bytes": True, "replicas": None}
    assert faults(lambda: Server("gpu1:8001", shared_memory="no", **wrong)) == [
        "server 'gpu1:8001': name must be a text, not 3",
        "server 'gpu1:8001': tls must be true, false or TLS(...), not 'yes'",
        "server 'gpu1:8001': shared_memory must be true or false, not 'no'",
        "server 'gpu1:8001': max_requests must be a whole number of at least 1, not 0",
        "server 'gpu1:8001': max_bytes must be a whole number of at least 1, not True",
        "server 'gpu1:8001': replicas must be true or false, not None",
    ]


def test_a_token_and_headers_go_with_every_call() -> None:
    server = Server("localhost:1", token="abc", headers={"Triton-GRPC-Protocol-Key": "v"})
    assert server.metadata() == (("triton-grpc-protocol-key", "v"), ("authorization", "Bearer abc"))
    assert Server("localhost:1").metadata() == ()


def test_secrets_are_not_shown() -> None:
    server = Server("localhost:1", token="abcdef", headers={"triton-grpc-protocol-key": "ghijkl"})
    assert "abcdef" not in repr(server)
    assert "ghijkl" not in repr(server)
    wrong: Any = b"abcdef"
    assert faults(lambda: Server("localhost:1", token=wrong)) == ["server 'localhost:1': token must be a text"]


@pytest.mark.parametrize(
    "allowed", [{"tls": True}, {"insecure_token": True}, {"tls": TLS(name="triton")}, {"address": "127.0.0.1:8001"}]
)
def test_a_token_is_sent_where_nobody_can_read_it_or_where_that_is_wished(allowed: dict[str, Any]) -> None:
    assert Server(**{"address": "gpu1:8001", "token": "abc", **allowed}).token == "abc"


def test_a_token_is_not_sent_in_the_clear() -> None:
    told = "a token over a connection without TLS can be read on its way: give tls too, or insecure_token=True"
    assert faults(lambda: Server("gpu1:8001", token="abc")) == [f"server 'gpu1:8001': {told}"]


def test_a_token_that_cannot_be_sent_says_what_is_expected() -> None:
    told = "the token has characters that cannot be sent: expected ASCII letters, digits and signs, no spaces"
    assert faults(lambda: Server("localhost:1", token="a b")) == [f"server 'localhost:1': {told}"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"grpc-timeout": "1"}, "header 'grpc-timeout' cannot be sent"),
        ({"a b": "1"}, "header 'a b' cannot be sent"),
        ({"key-bin": "1"}, "header 'key-bin' cannot be sent"),
        ({"Host": "1"}, "header 'host' cannot be sent"),
        ({"a": "1", "A": "2"}, "header 'a' is given twice"),
        ({"authorization": "Basic x"}, "header 'authorization' is given twice"),
        ({"a": "é"}, "header 'a' has a value that cannot be sent: expected ASCII"),
        ({"a": 1}, "headers must be texts by their names"),
        (["a"], "headers must be texts by their names"),
    ],
)
def test_headers_that_cannot_be_sent_are_faults(headers: Any, told: str) -> None:
    assert told in "\n".join(faults(lambda: Server("localhost:1", token="t", headers=headers)))


def test_a_key_needs_its_certificate() -> None:
    assert faults(lambda: TLS(key="me.key")) == ["tls: a key needs its certificate: give certificate too"]


def test_tls_takes_paths_and_nothing_else() -> None:
    wrong: Any = 3
    assert faults(lambda: TLS(roots=wrong, certificate="", name=wrong)) == [
        "tls: roots must be the path of a PEM file, not 3",
        "tls: certificate must be the path of a PEM file, not ''",
        "tls: name must be the name in the server's certificate, not 3",
    ]


@pytest.mark.parametrize(("tls", "security"), [(None, None), (False, None), (True, TLS()), (TLS("a"), TLS("a"))])
def test_a_secure_connection_is_made_where_tls_says_so(tls: TLS | bool | None, security: TLS | None) -> None:
    assert Server("gpu1:8001", tls=tls).security == security


def test_servers_are_values() -> None:
    server = Server("gpu1:8001", tls=TLS("roots.pem"), headers={"a": "b"}, token="t")
    assert pickle.loads(pickle.dumps(server)) == server
    assert len({server, Server("gpu1:8001", tls=TLS("roots.pem"), headers={"a": "b"}, token="t")}) == 1


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("localhost:1", True),
        ("LOCALHOST:1", True),
        ("127.0.0.1:1", True),
        ("127.1.2.3:1", True),
        ("[::1]:1", True),
        ("gpu1:8001", False),
        ("10.0.0.1:1", False),
        ("127.evil.example:1", False),
        ("[::2]:1", False),
    ],
)
def test_an_address_of_this_host_is_known(address: str, here: bool) -> None:
    assert is_here(address) is here


# Several.


def test_servers_are_given_as_objects_addresses_and_files(tmp_path: Path) -> None:
    file = written(tmp_path, '[[server]]\naddress = "c:1"\n')
    found = servers_of([Server("a:1", name="x"), "b:1", file], NOTHING)
    assert [each.name for each in found] == ["x", "b:1", "c:1"]
    assert servers_of([str(file)], NOTHING) == servers_of([file], NOTHING)


def test_a_name_in_grpcs_way_stands_for_replicas() -> None:
    assert servers_of(["dns:///triton.example:8001"], NOTHING) == (Server("triton.example:8001", replicas=True),)


def test_the_environment_names_servers_where_nobody_else_does(tmp_path: Path) -> None:
    file = written(tmp_path, '[[server]]\naddress = "c:1"\n')
    environment = {"EVENTBRAID_SERVERS": f"a:1, b:1,{file}"}
    assert [each.name for each in servers_of([], environment)] == ["a:1", "b:1", "c:1"]
    assert [each.name for each in servers_of(["d:1"], environment)] == ["d:1"]


@pytest.mark.parametrize("text", ["", " ", ","])
def test_an_empty_environment_names_none(text: str) -> None:
    assert servers_of([], {"EVENTBRAID_SERVERS": text}) == ()
    assert servers_of([], NOTHING) == ()


def test_a_server_named_twice_is_an_error_that_says_so() -> None:
    assert faults(lambda: servers_of(["gpu1:8001", Server("GPU1:8001", name="x")], NOTHING)) == [
        "servers: 'gpu1:8001' is named twice"
    ]
    assert faults(lambda: servers_of([], {"EVENTBRAID_SERVERS": "a:1,a:1"})) == [
        "EVENTBRAID_SERVERS: 'a:1' is named twice"
    ]


def test_a_name_for_two_servers_is_an_error_that_says_so() -> None:
    twice = [Server("a:1", name="gpu"), Server("b:1", name="gpu")]
    assert faults(lambda: servers_of(twice, NOTHING)) == ["servers: 'gpu' is the name of two servers"]


def test_faults_of_all_servers_are_told_at_once() -> None:
    found = faults(lambda: servers_of(["nowhere", "b:0", "missing.toml"], NOTHING))
    assert len(found) == 3
    assert found[0].startswith("server: 'nowhere' is no server address: expected")
    assert found[0].endswith("(or the path of a file.toml)")
    assert found[2] == "missing.toml: cannot be read: No such file or directory"


# Files.


def test_a_file_says_all_that_a_server_can_have(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    me = authority.issue("me@example.org")
    (tmp_path / "token").write_text("from-file\n")
    file = written(
        tmp_path,
        """
        [[server]]
        address = "gpu1.example:8001"
        name = "first"
        tls = { roots = "ca/roots.pem", certificate = "ca/me@example.org.pem", key = "ca/me@example.org.key", name = "triton" }
        token_env = "TRITON_TOKEN"
        shared_memory = false
        max_requests = 8
        max_bytes = 100_000_000

        [[server]]
        address = "gpu2.example:8001"
        tls = true
        token_file = "token"
        replicas = true

        [[server]]
        address = "gpu3.example:8001"
        headers = { triton-grpc-protocol-key = "value" }
        """,
    )
    first, second, third = servers_of([file], {"TRITON_TOKEN": "from-environment"})
    tls = TLS(authority.roots, me.certificate, me.key, name="triton")
    assert first == Server(
        "gpu1.example:8001",
        name="first",
        tls=tls,
        token="from-environment",
        shared_memory=False,
        max_requests=8,
        max_bytes=100_000_000,
    )
    assert second == Server("gpu2.example:8001", tls=True, token="from-file", replicas=True)
    assert third.metadata() == (("triton-grpc-protocol-key", "value"),)


def test_every_fault_of_a_file_is_told_with_its_table(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
        servers = 1

        [[server]]
        adress = "gpu1:8001"

        [[server]]
        address = "gpu2:8001"
        name = "second"
        tls = { root = "x.pem", key = "k" }
        token_env = "NO_SUCH"
        max_requests = "8"

        [[server]]
        address = "gpu3:8001"
        tls = true
        token = "secret"

        [[server]]
        address = "gpu4:8001"
        tls = true
        token_file = "none"

        [[server]]
        address = "gpu5:8001"
        tls = true
        token_file = "none"
        token_env = "NONE"

        [[server]]
        address = "gpu6:8001"
        tls = true
        token_env = 7
        """,
    )
    expected = 'expected "host:port" with a port from 1 to 65535, as in "localhost:8001" or "[::1]:8001"'
    assert faults(lambda: servers_of([file], NOTHING)) == [
        f"{file}: there is no key servers (did you mean 'server'?)",
        f"{file}, server 1: there is no key adress (did you mean 'address'?)",
        f"{file}, server 1: '' is no server address: {expected}",
        f"{file}, server 2 'second': token_env: the environment has no variable NO_SUCH",
        f"{file}, server 2 'second': there is no key tls.root (did you mean 'roots'?)",
        f"{file}, server 2 'second': tls: a key needs its certificate: give certificate too",
        f"{file}, server 2 'second': max_requests must be a whole number of at least 1, not '8'",
        f"{file}, server 3 'gpu3:8001': a token does not belong in a file that is handed round (token_env or token_file)",
        f"{file}, server 4 'gpu4:8001': token_file '{tmp_path / 'none'}' cannot be read: No such file or directory",
        f"{file}, server 5 'gpu5:8001': has both token_env and token_file",
        f"{file}, server 6 'gpu6:8001': token_env must be the name of a variable, token_file a path",
    ]


@pytest.mark.parametrize("text", ["", "[server]\naddress = 'a:1'", "server = ['a:1']", "server = []"])
def test_a_file_without_servers_says_what_is_expected(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    assert faults(lambda: servers_of([file], NOTHING)) == [f"{file}: must name each server in a table [[server]]"]


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    file = written(tmp_path, "[[server]\n")
    (told,) = faults(lambda: servers_of([file], NOTHING))
    assert told.startswith(f"{file}: is no TOML: ")
    assert "line 1" in told


def test_a_file_of_bytes_is_no_toml(tmp_path: Path) -> None:
    file = tmp_path / "servers.toml"
    file.write_bytes(b"\xff\xfe")
    (told,) = faults(lambda: servers_of([file], NOTHING))
    assert told.startswith(f"{file}: is no TOML: ")


KEYS = st.sampled_from(
    ["address", "name", "tls", "token_env", "token_file", "headers", "max_bytes", "replicas", "else"]
)
VALUES = st.sampled_from(['"a:1"', '"x"', "1", "true", "[]", "{}", "{ roots = 1 }", '{ a = "b" }', "1.5", "2020-01-01"])


@given(st.lists(st.dictionaries(KEYS, VALUES), max_size=3))
def test_any_file_is_read_or_refused_with_reasons(tables: Sequence[dict[str, str]]) -> None:
    text = "".join("[[server]]\n" + "".join(f"{k} = {v}\n" for k, v in each.items()) for each in tables)
    with tempfile.TemporaryDirectory() as folder:
        file = written(Path(folder), text)
        try:
            found = servers_of([file], {"x": "token"})
        except ConfigurationError as error:
            assert all(str(file) in fault.where or fault.where == "servers" for fault in error.faults)
        else:
            assert len(found) == len(tables) > 0


# Certificates.


@pytest.mark.parametrize(
    ("tls", "told"),
    [
        ({"roots": "none"}, "roots 'none' cannot be read: No such file or directory"),
        ({"roots": "me.key"}, "roots 'me.key' holds no certificate in PEM"),
        ({"roots": "bad.pem"}, "roots 'bad.pem' cannot be used: "),
        ({"certificate": "me.pem"}, "certificate 'me.pem' holds no key in PEM"),
        ({"certificate": "empty"}, "certificate 'empty' holds no certificate and no key in PEM"),
        ({"certificate": "me.pem", "key": "me.pem"}, "key 'me.pem' holds no key in PEM"),
        ({"certificate": "me.pem", "key": "other.key"}, "key 'other.key' is not that of certificate 'me.pem'"),
        ({"certificate": "bad.pem", "key": "me.key"}, "certificate 'bad.pem' cannot be used: "),
        ({"certificate": "me.pem", "key": "locked.key"}, "key 'locked.key' is encrypted: give a key without a password"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_certificate_is_told_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: dict[str, str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    authority = Authority(tmp_path / "ca")
    for name in ("me", "other"):
        pair = authority.issue(f"{name}.example")
        pair.certificate.rename(f"{name}.pem")
        pair.key.rename(f"{name}.key")
    Path("bad.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    Path("empty").touch()
    Path("locked.key").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
    (found,) = faults(lambda: servers_of([Server("gpu1:8001", tls=TLS(**tls))], NOTHING))
    assert found.startswith(f"server 'gpu1:8001': tls: {told}")


def test_all_files_that_cannot_be_read_are_told_at_once() -> None:
    tls = TLS("no-roots", "no-certificate", "no-key")
    assert len(faults(lambda: context_of(tls))) == 3


# Replicas.


def test_members_are_servers_as_the_one_that_stands_for_them() -> None:
    server = Server("triton.example:8001", name="gpus", tls=True, token="t", max_requests=4, replicas=True)
    made = members(server, ["10.0.0.2:8001", "10.0.0.1:8001", "10.0.0.2:8001"])
    assert [each.address for each in made] == ["10.0.0.1:8001", "10.0.0.2:8001"]
    assert [each.name for each in made] == ["gpus at 10.0.0.1:8001", "gpus at 10.0.0.2:8001"]
    assert all(each.token == "t" and each.max_requests == 4 and not each.replicas for each in made)
    assert all(each.security == TLS(name="triton.example") for each in made)


def test_the_name_in_a_certificate_stays_as_it_was_said() -> None:
    server = Server("triton.example:8001", tls=TLS(name="other.example"), replicas=True)
    (made,) = members(server, ["10.0.0.1:8001"])
    assert made.security == TLS(name="other.example")


async def test_a_name_is_resolved_to_its_members_and_others_are_left() -> None:
    async def addresses(host: str, port: int) -> list[str]:
        assert (host, port) == ("triton.example", 8001)
        return ["10.0.0.1:8001", "10.0.0.2:8001"]

    given = [Server("a:1"), Server("triton.example:8001", replicas=True)]
    found = await resolved(given, addresses)
    assert [each.address for each in found] == ["a:1", "10.0.0.1:8001", "10.0.0.2:8001"]
    assert await resolved(found, addresses) == found


async def test_a_name_that_does_not_resolve_is_a_server_that_is_away() -> None:
    async def addresses(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    server = Server("triton.example:8001", replicas=True)
    assert await resolved([server], addresses) == (Server("triton.example:8001"),)


async def test_addresses_are_of_one_family() -> None:
    found = await addresses_of("localhost", 8001)
    assert set(found) in ({"127.0.0.1:8001"}, {"[::1]:8001"})
    assert await addresses_of("[::1]", 1) == ["[::1]:1"]


def test_the_file_of_the_page_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    found = read_servers(written(tmp_path, text), {"TRITON_TOKEN": "t"})
    assert [each.name for each in found] == ["third", "triton.example:8001"]


def test_the_page_has_every_field_of_a_server() -> None:
    told = PAGE.read_text()
    known = {*(each.name for each in fields(Server)), *(f"tls.{each.name}" for each in fields(TLS))}
    assert not [name for name in known if f"`{name}`" not in told]
