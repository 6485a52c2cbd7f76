"""RootSource: files that another machine has."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import uproot
from root_files import products_of, write_jets

from eventbraid.sources import RootSource


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a web server that gives parts of the files in a folder."""
    write_jets(tmp_path / "jets.root", 50)

    class Parts(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            file = tmp_path / self.path.strip("/")
            data = file.read_bytes() if file.is_file() else b""
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-"))
            assert wanted is not None
            first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
            part = data[first : last + 1]
            self.send_response(206 if data else 404)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(part)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *said: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Parts) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_a_file_of_another_machine_is_read_as_one_of_this(address: str, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    far, near = (
        products_of(RootSource(f"{place}/jets.root:Events", branches="Jet_pt", chunk=20), "Jet_pt")
        for place in (address, tmp_path)
    )
    assert len(far) == 50
    assert far == near


def test_a_file_that_another_machine_does_not_have_is_a_fault(address: str) -> None:
    pytest.importorskip("aiohttp")
    (fault,) = RootSource(f"{address}/other.root", branches="Jet_pt").faults()
    assert fault.what.startswith(f"{address}/other.root: cannot be read: FileNotFoundError")


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("https://example.org/a.root", "pip install aiohttp requests"),
        ("root://example.org//a.root", "pip install fsspec-xrootd"),
    ],
)
def test_what_is_needed_for_an_address_is_told_with_the_command(
    address: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(files: object) -> None:
        raise ImportError("it is not installed")

    monkeypatch.setattr(uproot, "open", without)
    (fault,) = RootSource(address, branches="x").faults()
    assert fault.what == f"{address}: cannot be read: ImportError: it is not installed"
    assert fault.hint == hint
