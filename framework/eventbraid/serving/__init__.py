"""Servers for development: a laptop, a test, an example. Production is Triton, which can be started here too."""

from eventbraid.serving.embedded.launcher import EmbeddedServer
from eventbraid.serving.guarding import ServerTLS
from eventbraid.serving.repository.layout import ModelEntry, Repository, known_repositories
from eventbraid.serving.triton.server import TritonServer

__all__ = [
    "EmbeddedServer",
    "ModelEntry",
    "Repository",
    "ServerTLS",
    "TritonServer",
    "known_repositories",
]
