"""Which versions of a model are served: the numbered folders, by the policy of its configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventbraid.errors import ConfigurationError

__all__ = ["chosen", "versions_in"]


def versions_in(folder: Path) -> dict[int, Path]:
    """The folders of a model's versions, the oldest first; raises `ConfigurationError` where there is none."""
    found = {int(each.name): each for each in folder.iterdir() if each.is_dir() and re.fullmatch("[1-9][0-9]*", each.name)}
    if not found:
        others = ", ".join(sorted(each.name for each in folder.iterdir() if each.is_dir())) or "no folder"
        raise ConfigurationError(f"has no version: expected a folder 1, there is {others}", str(folder))
    return dict(sorted(found.items()))


def chosen(versions: Mapping[int, Path], policy: Any, where: str) -> dict[int, Path]:
    """Those that a ModelVersionPolicy names: the newest one where it says nothing."""
    if policy.HasField("all"):
        return dict(versions)
    if policy.HasField("specific"):
        wanted = sorted(policy.specific.versions)
        if missing := [each for each in wanted if each not in versions]:
            there = ", ".join(map(str, versions))
            raise ConfigurationError(f"version_policy names {missing[0]}, there are {there}", where)
        return {each: versions[each] for each in wanted}
    count = int(policy.latest.num_versions) or 1
    return dict(list(versions.items())[-count:])
