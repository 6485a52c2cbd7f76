"""Some of the models of a repository, as one of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.serving.repository.building import builder_hint
from eventbraid.serving.repository.folders import contents

__all__ = ["only"]


@contextmanager
def only(names: Sequence[str], folders: Sequence[Path]) -> Generator[list[Path]]:
    """A folder with links to the named models, for as long as the context lasts; without names all folders.

    Raises `ConfigurationError` for names of models that no folder has.
    """
    if not names:
        yield [*folders]
        return
    models = {entry.name: entry for folder in folders for entry in contents(folder)[0]}
    faults = [
        Fault(name, "is no model of these folders", builder_hint(name) or nearest(name, models))
        for name in names
        if name not in models
    ]
    if faults:
        raise ConfigurationError(faults, "--only")
    with tempfile.TemporaryDirectory(prefix="eventbraid-models-") as chosen:
        for name in dict.fromkeys(names):
            (Path(chosen) / name).symlink_to(models[name].resolve(), target_is_directory=True)
        yield [Path(chosen)]
