"""Simulates a study, or a study for several numbers of clients."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from time import process_time
from typing import Final

from eventbraid.errors import ConfigurationError
from eventbraid.garbage import passed_over
from eventbraid.studies.simulation.chance import beginnings, factors
from eventbraid.studies.simulation.engine import Engine
from eventbraid.studies.simulation.job import Job
from eventbraid.studies.simulation.log import Log
from eventbraid.studies.simulation.pool import Pool
from eventbraid.studies.simulation.result import Result, result_of
from eventbraid.studies.simulation.site import Site
from eventbraid.studies.simulation.study import Study

__all__ = ["SETTLE", "simulate", "sweep"]

SETTLE: Final = 0.3
"""The share of the clients' common time that does not count: all begin alike, and must drift apart first."""


def simulate(study: Study, *, settle: float = SETTLE) -> Result:
    """Let all clients process all their events."""
    if not 0 <= settle < 1:
        raise ConfigurationError(f"settle must be a share from 0 to below 1, not {settle!r}", "the study")
    began = process_time()
    log, seconds = run(study)
    return result_of(study, log, seconds, settle, process_time() - began)


def sweep(
    study: Study,
    clients: Iterable[int],
    *,
    settle: float = SETTLE,
    say: Callable[[Result], object] = lambda result: None,
) -> tuple[Result, ...]:
    """The same with so many clients each; `say` is told each result."""
    found: list[Result] = []
    for number in clients:
        found.append(simulate(replace(study, clients=number), settle=settle))
        say(found[-1])
    return tuple(found)


def run(study: Study) -> tuple[Log, float]:
    """What happens, and how long that takes in simulated seconds."""
    engine, log, draw = Engine(), Log(), random.Random(f"choices {study.seed}")
    sites = [Site(engine, each, log) for each in study.servers]
    client = study.client
    going = set[Job]()
    for beginning in beginnings(study):
        pool = Pool(engine, sites, draw, log, client, study.choice)
        job = Job(engine, client, pool, factors(client, beginning.seed), log, going.discard)
        going.add(job)
        engine.at(beginning.at, job.begin, None)
    with passed_over():
        engine.run(going)
    assert not going, "somebody waits for what never comes"
    return log, engine.now
