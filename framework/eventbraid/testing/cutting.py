"""Resets one connection of a server in this process, whoever holds it: gRPC has no call for that."""

from __future__ import annotations

import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote

__all__ = ["cut", "peer_of"]

DESCRIPTORS: Final = Path("/dev/fd")
"""Those of this process, on Linux and macOS."""
IN_IPV6: Final = "::ffff:"
"""Before an address of IPv4 on a socket for both."""
AT_ONCE: Final = struct.pack("ii", 1, 0)
"""What is not sent yet is thrown away, and the other side told of a reset."""


def peer_of(name: str) -> tuple[str, int]:
    """Host and port of a peer as gRPC names it, "ipv4:127.0.0.1:4711"."""
    host, _, port = unquote(name).partition(":")[2].rpartition(":")
    return host.strip("[]"), int(port)


def cut(peer: tuple[str, int]) -> bool:
    """Reset the connection with that peer; False where there is none."""
    for name in os.listdir(DESCRIPTORS):  # noqa: PTH208  # names are all that is needed
        try:
            mine = os.dup(int(name))  # ours, whatever its owner does meanwhile
        except OSError:
            continue
        try:
            if _ends(mine, peer):
                return True
        finally:
            os.close(mine)
    return False


def _ends(descriptor: int, peer: tuple[str, int]) -> bool:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    end = socket.socket(fileno=descriptor)
    try:
        with suppress(OSError):
            if end.family in (socket.AF_INET, socket.AF_INET6) and _plain(*end.getpeername()[:2]) == peer:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                end.shutdown(socket.SHUT_RDWR)
                return True
        return False
    finally:
        end.detach()


def _plain(host: str, port: int) -> tuple[str, int]:
    return host.removeprefix(IN_IPV6), port
