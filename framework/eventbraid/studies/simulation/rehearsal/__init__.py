"""The same study with all of the real code: scheduler, client and batcher in virtual time.

It is what `simulate` is held against, and some ten times slower.
"""

from eventbraid.studies.simulation.rehearsal.rehearse import rehearse

__all__ = ["rehearse"]
