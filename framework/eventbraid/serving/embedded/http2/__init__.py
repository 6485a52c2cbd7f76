"""gRPC over HTTP/2, from the server's side."""

from eventbraid.serving.embedded.http2.server import Http2Server

__all__ = ["Http2Server"]
