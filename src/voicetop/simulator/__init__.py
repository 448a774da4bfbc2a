"""A simulated fleet of voice agents: seeded, in simulated time, with incidents on request.

fleet = Fleet(FleetConfig(start=clock.time(), calls=400, incidents=(SimulatedIncident("llm_outage", at=30.0),)))
for events in history(fleet): ...         # the day before, if the config has one
events = fleet.until(clock.time())        # what happened since
"""

from __future__ import annotations

from voicetop.simulator.detail import BRIEF, Detail
from voicetop.simulator.fleet import Fleet, FleetConfig
from voicetop.simulator.history import history
from voicetop.simulator.incidents import SCENARIOS, SimulatedIncident
from voicetop.simulator.population import DIMENSIONS

__all__ = [
    "BRIEF",
    "DIMENSIONS",
    "SCENARIOS",
    "Detail",
    "Fleet",
    "FleetConfig",
    "SimulatedIncident",
    "history",
]
