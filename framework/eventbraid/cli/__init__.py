"""The commands. Each is thin: it reads its arguments, calls the framework, and shows the answer."""

from eventbraid.cli.app import main

__all__ = ["main"]
