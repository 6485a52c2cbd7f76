"""Certificates for tests, of authorities made for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme

__all__ = ["Authority", "Pair"]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """An authority whose own certificate is the file `roots`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._authority = trustme.CA()
        self.roots = folder / "roots.pem"
        self._authority.cert_pem.write_to_path(str(self.roots))

    def issue(self, *names: str, expired: bool = False) -> Pair:
        """A certificate for these hosts, or for a person."""
        made = self._authority.issue_cert(*names, not_after=LONG_AGO if expired else None)
        stem = f"{names[0]}{'-expired' if expired else ''}"
        pair = Pair(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        pair.certificate.write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(pair.key))
        return pair
