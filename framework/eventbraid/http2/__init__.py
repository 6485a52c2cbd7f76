"""HTTP/2 as gRPC uses it: frames, header blocks and connections, of both sides."""
