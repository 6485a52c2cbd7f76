"""External work that is no inference: constants from a calibration service, asked for by gRPC for each event.

Without a server the job starts one; `python -m calibration_service --port 50061` in this folder is one of your own,
and `--set energies.server=127.0.0.1:50061` takes it.
"""

import numpy as np
from numpy.typing import NDArray

from calibration_service import CalibrationClient, Constants, GetConstantsRequest
from eventbraid import Event, ExternalProducer, Filter, Input, Job, Output, Parameter, Producer
from eventbraid.sources import EmptySource


class Charges(Producer):
    """Noise on a pedestal, and a few channels that were hit."""

    charges = Output[NDArray[np.float32]]()  # fC, shape (channels,)
    channels = Parameter(2592, gt=0, doc="how many channels are read out")

    def produce(self, event: Event) -> None:
        rng = event.random(self)
        charges = rng.normal(3.0, 0.9, self.channels).astype(np.float32)
        hit = rng.choice(self.channels, 20)
        charges[hit] += rng.exponential(50.0, 20).astype(np.float32)
        event[self.charges] = charges


class CalibratedEnergies(ExternalProducer[GetConstantsRequest, Constants]):
    """Turns charges into energies, with the constants of the event's luminosity section from the service."""

    kind = "shared"
    charges = Input[NDArray[np.float32]]("charges")
    energies = Output[NDArray[np.float32]]()  # GeV, shape (channels,)
    detector = Parameter("HB", doc="the detector whose channels these are")
    server = Parameter("", doc="host:port of the calibration service; the job starts one where empty")
    timeout = Parameter(2.0, gt=0, doc="seconds for an answer")

    async def begin_job(self) -> None:
        self.service = await CalibrationClient.open(self.server)

    async def end_job(self) -> None:
        await self.service.aclose()

    async def acquire(self, event: Event) -> GetConstantsRequest:
        return GetConstantsRequest(run=event.id.run, lumi=event.id.lumi, detector=self.detector)

    async def external_work(self, request: GetConstantsRequest) -> Constants:
        return await self.service.constants(request, self.timeout)

    async def produce(self, event: Event, constants: Constants) -> None:
        pedestals = np.array(constants.pedestals, np.float32)
        event[self.energies] = (event[self.charges] - pedestals) * np.array(constants.gains, np.float32)


class TotalEnergy(Filter):
    """Passes events with enough energy in the channels above the noise."""

    energies = Input[NDArray[np.float32]]("energies")
    noise = Parameter(1.0, ge=0, doc="channels below this are left out, GeV")
    total = Parameter(200.0, doc="threshold, GeV")

    def filter(self, event: Event) -> bool:
        energies = event[self.energies]
        return float(energies[energies > self.noise].sum()) > self.total


job = Job(
    "calibration",
    source=EmptySource(events=400, per_lumi=50),
    modules={"charges": Charges(), "energies": CalibratedEnergies(), "total": TotalEnergy()},
    paths={"energetic": ["total"]},
    streams=16,
)
