"""Servers for development: a laptop, a test, an example. Production is Triton."""

from eventbraid.serving.launcher import EmbeddedServer
from eventbraid.serving.repository import ModelEntry, Repository, known_repositories

__all__ = [
    "EmbeddedServer",
    "ModelEntry",
    "Repository",
    "known_repositories",
]
