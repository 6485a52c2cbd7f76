"""PEM files of certificates and keys: read, and what is wrong with them in words."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from eventbraid.errors import ConfigurationError, Fault

__all__ = ["load_certificates"]

File = str | Path | None

CERTIFICATE: Final = b"-----BEGIN CERTIFICATE"
KEY: Final = b"PRIVATE KEY-----"


def load_certificates(
    context: ssl.SSLContext, *, roots: File = None, certificate: File = None, key: File = None, subject: str = "tls"
) -> ssl.SSLContext:
    """The context with the authorities to trust and the own certificate, whose file may hold its key too.

    Raises `ConfigurationError` with every fault of the files.
    """
    marks = {"roots": [CERTIFICATE], "certificate": [CERTIFICATE] if key else [CERTIFICATE, KEY], "key": [KEY]}
    given = {"roots": roots, "certificate": certificate, "key": key}
    faults = [
        f"{what} {str(file)!r} {fault}"
        for what, file in given.items()
        if file is not None and (fault := _fault(Path(file), marks[what]))
    ]
    if not faults and roots is not None:
        try:
            context.load_verify_locations(roots)
        except ssl.SSLError as error:
            faults.append(f"roots {str(roots)!r} cannot be used: {error.reason}")
    if not faults and certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except ssl.SSLError as error:
            which = f"key {str(key or certificate)!r}", f"certificate {str(certificate)!r}"
            wrong = error.reason == "KEY_VALUES_MISMATCH"
            faults.append(" is not that of ".join(which) if wrong else f"{which[1]} cannot be used: {error.reason}")
    if faults:
        raise ConfigurationError([Fault(subject, fault) for fault in faults], subject)
    return context


def _fault(file: Path, marks: list[bytes]) -> str:
    try:
        text = file.read_bytes()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    missing = ["certificate" if mark == CERTIFICATE else "key" for mark in marks if mark not in text]
    if missing:
        return f"holds no {' and no '.join(missing)} in PEM"
    return "is encrypted: give a key without a password" if KEY in marks and b"ENCRYPTED" in text else ""
