"""A study as a job file with all that it needs beside it, and the job of one of its clients."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from eventbraid.job import Job
from eventbraid.module import Module
from eventbraid.studies.scale.crowd import CLIENT_VARIABLE
from eventbraid.studies.simulation.chance import beginnings
from eventbraid.studies.simulation.reality.models import write_models
from eventbraid.studies.simulation.reality.modules import Asks, ClientEvents, Works
from eventbraid.studies.simulation.study import Ask, Client, Study, Work

__all__ = ["client_job", "write_job"]

STUDY: Final = "study.json"
MODELS: Final = "models"
FILE: Final = f'''"""One client of the study in {STUDY} beside it: `eventbraid scale` gives each its number."""

from pathlib import Path

from eventbraid.studies.simulation.reality import client_job

job = client_job(Path(__file__).parent)
'''


def write_job(study: Study, folder: Path) -> Path:
    """Write a study's job file, itself and its models into a folder; gives the job file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STUDY).write_bytes(TypeAdapter(Study).dump_json(study, indent=1))
    for server in study.servers:
        write_models(server.models, study.client, folder / MODELS)
    file = folder / "job.py"
    file.write_text(FILE)
    return file


def client_job(folder: Path) -> Job:
    """The client of the study in a folder whose number the environment says, the first one where it says none."""
    study = TypeAdapter(Study).validate_json((folder / STUDY).read_bytes())
    number = int(os.environ.get(CLIENT_VARIABLE, "1"))
    begins = beginnings(replace(study, clients=number))[-1]  # those before have drawn before
    client = study.client
    modules = _modules(client)
    return Job(
        "client",
        source=ClientEvents(events=client.events, beginning=begins.at, spread=client.spread, seed=begins.seed),
        modules=modules,
        paths={"all": list(modules)},
        models=[folder / MODELS],
        streams=client.streams,
        on_error="skip",
    )


def _modules(client: Client) -> dict[str, Module]:
    """Its modules in a row; one that asks several times is several."""
    modules: dict[str, Module] = {}
    before = "factor"
    for label, each in _parts(client):
        if isinstance(each, Work):
            modules[label] = Works(before=before, seconds=each.seconds)
        else:
            modules[label] = Asks(
                before=before,
                model=each.model,
                rows=each.rows,
                seconds=each.before,
                timeout=client.timeout,
                tries=client.tries,
                preferred_server=client.preferred,
            )
        before = label
    return modules


def _parts(client: Client) -> Iterator[tuple[str, Work | Ask]]:
    for number, each in enumerate(client.modules):
        if isinstance(each, Work) or each.requests == 1:
            yield f"module{number}", each
        else:
            yield from ((f"module{number}_{request}", each) for request in range(each.requests))
