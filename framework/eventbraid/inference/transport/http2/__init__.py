"""gRPC over a bare HTTP/2 connection on asyncio: the calls that the client needs, and no more."""

from eventbraid.inference.transport.http2.transport import Http2Transport

__all__ = ["Http2Transport"]
