"""Proton collisions made by Pythia 8, as a source of events."""

from eventbraid_modules.collisions.particles import Particles
from eventbraid_modules.collisions.source import CollisionSource
from eventbraid_modules.collisions.tops import Tops

__all__ = ["CollisionSource", "Particles", "Tops"]
