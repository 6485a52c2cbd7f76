"""The setups of two papers, as studies: what they say, and what had to be inferred because they do not say it.

A: Wang et al. 2021, arXiv:2009.04509. B: Krupa et al. 2021, arXiv:2007.10359. The times of the GPUs are those of the
presets in `eventbraid.serving.emulation`. The spread of the CPU times is in neither paper: 20 % from event to event,
which docs/reproduction.md varies.
"""

from __future__ import annotations

from typing import Final, Literal

from eventbraid.serving.embedded.models.batching import Batching
from eventbraid.serving.emulation import parse_device
from eventbraid.studies.simulation.closed_form import ClosedForm
from eventbraid.studies.simulation.study import ALONE, Ask, Client, Model, Network, Server, Study, Work

__all__ = [
    "CHANNEL",
    "HLT_SECONDS",
    "IMAGE",
    "OTHER_MODULES",
    "PICTURE",
    "PREPROCESSING",
    "SONIC_SECONDS",
    "deepcalo",
    "facile",
    "hlt",
    "protodune",
    "protodune_scaling",
    "resnet50",
]

PING: Final = 0.012
"""Seconds from Fermilab to the servers in Iowa and back: A 3.4."""
LINK: Final = 1e9
"""Bits a second of a client: A 3.3."""
SPREAD: Final = 0.2
FLOAT: Final = 4

OTHER_MODULES, PREPROCESSING = 110.0, 7.0
"""Seconds an event: A Table 2 and 3.1; 330 s less the 220 s of the module that asks, of which 7 s stay."""
REQUESTS: Final = {235: 235, 1693: 32}
"""An event's requests by their rows: A 3.4."""
PATCH: Final = 48 * 48 * FLOAT

HLT_SECONDS, HCAL_SECONDS, SONIC_SECONDS = 0.5, 0.06, 0.007
"""CPU time of the trigger an event, of what FACILE replaces in it, and of what takes its place: B 4.1 and 5.1."""
CHANNEL: Final = 15 * FLOAT
"""Bytes of FACILE's inputs: B 4.1; 16,000 of them are the 7.7 Mb of Table 2."""
IMAGE: Final = 56 * 11 * 4 * FLOAT
"""Of DeepCalo's: B 4.2; five are the 0.4 Mb of Table 2."""
PICTURE: Final = 224 * 224 * 3 * FLOAT
"""Of ResNet-50's: ten are the 48.2 Mb of Table 2."""
DYNAMIC: Final = Batching(500, (250, 500))
"""B 5.3.1 and Fig. 6: "to prefer a batch of 250 or 500", with five executions at once."""


def protodune(
    rows: Literal[235, 1693], clients: int, *, gpus: int = 4, dynamic: bool = False, events: int = 20
) -> Study:
    """Hits of ProtoDUNE-SP on T4s: A 3.4, Fig. 5. Blocking clients, each with a link of 1 Gb/s."""
    ask = Ask("emtrackmichelid", rows, REQUESTS[rows], PREPROCESSING / REQUESTS[rows])
    batching = Batching(5358) if dynamic else ALONE  # Fig. 4: combined up to 5358
    server = Server(
        "t4",
        parse_device(f"emulated:t4,gpus={gpus}"),
        {"emtrackmichelid": Model(batching, row_bytes=PATCH)},
        Network(PING, client=LINK),
    )
    ideal = protodune_scaling(rows).ideal
    client = Client((Work(OTHER_MODULES), ask), events, spread=SPREAD, stagger=ideal)
    return Study(client, clients, (server,))


def protodune_scaling(rows: Literal[235, 1693]) -> ClosedForm:
    """The same in the closed form, Eq. 4."""
    requests = REQUESTS[rows]
    gpu = requests * parse_device("emulated:t4").service("emtrackmichelid").seconds(rows)
    transmission = requests * rows * PATCH * 8 / LINK
    return ClosedForm(OTHER_MODULES, PREPROCESSING + transmission + requests * PING, gpu)


def hlt(clients: int, *, gpus: int = 1, events: int = 100) -> Study:
    """The trigger with FACILE on V100s: B 5.1, Fig. 3. 4,500 rows an event, clients and server at one site."""
    client = Client(
        (Ask("facile", 4500, before=SONIC_SECONDS), Work(HLT_SECONDS - HCAL_SECONDS)),
        events,
        spread=SPREAD,
        stagger=HLT_SECONDS,
    )
    server = _v100(gpus, "facile", Model(row_bytes=CHANNEL), Network(0.001, client=2e9))
    return Study(client, clients, (server,))


def facile(gpus: int, clients: int, *, events: int = 100, bandwidth: float | None = None) -> Study:
    """FACILE offline, 16,000 rows an event, on V100s: B 5.2.1, Fig. 5.

    One GPU is loaded by 50 clients, so an event takes 50 / 500 s. `bandwidth` is that of all clients together.
    """
    client = _offline("facile", 16_000, 50 / 500, 0.002, 16_000 * CHANNEL, events)
    server = _v100(gpus, "facile", Model(row_bytes=CHANNEL), Network(PING, client=LINK, server=bandwidth))
    return Study(client, clients, (server,))


def deepcalo(
    clients: int, *, dynamic: bool, events: int = 400, bandwidth: float | None = None, instances: int = 5
) -> Study:
    """DeepCalo, 5 rows an event, on one V100: B 5.2.2 and 5.3.1, Fig. 6.

    Without dynamic batching it is loaded by 20 to 50 clients, 32 in the middle of the logarithms, so an event takes
    32 / 680 s.
    """
    client = _offline("deepcalo", 5, 32 / 680, 1 / 680, 5 * IMAGE, events)
    model = Model(DYNAMIC, instances, row_bytes=IMAGE) if dynamic else Model(row_bytes=IMAGE)
    server = _v100(1, "deepcalo", model, Network(PING, client=LINK, server=bandwidth))
    return Study(client, clients, (server,))


def resnet50(gpus: int, clients: int, *, events: int = 40) -> Study:
    """ResNet-50, 10 rows an event, on T4s: B 5.2.3, Fig. 7. One GPU is loaded by 10 clients."""
    client = _offline("resnet50", 10, 10 / 25, 1 / 25, 10 * PICTURE, events)
    model = Model(row_bytes=PICTURE)
    device = parse_device(f"emulated:t4,gpus={gpus}")
    return Study(client, clients, (Server("t4", device, {"resnet50": model}, Network(PING, client=LINK)),))


def _offline(model: str, rows: int, cycle: float, gpu: float, size: int, events: int) -> Client:
    """A job of which an event takes `cycle` seconds where the server is idle: what is left of it is CPU time."""
    left = cycle - gpu - PING - size * 8 / LINK
    return Client((Work(left / 2), Ask(model, rows), Work(left / 2)), events, spread=SPREAD, stagger=cycle)


def _v100(gpus: int, name: str, model: Model, network: Network) -> Server:
    return Server("v100", parse_device(f"emulated:v100,gpus={gpus}"), {name: model}, network)
