"""Plays the data flow of another framework's job with stand-ins, to see what braiding would give it."""

from eventbraid.studies.replay.dataflow import Algorithm, Dataflow, read_dataflow, read_times
from eventbraid.studies.replay.offload import Offload
from eventbraid.studies.replay.replay import Replay, replay
from eventbraid.studies.replay.table import render

__all__ = ["Algorithm", "Dataflow", "Offload", "Replay", "read_dataflow", "read_times", "render", "replay"]
