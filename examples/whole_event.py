"""A whole event: hadron calorimeter, electrons and top quarks of the same collisions, three networks as services.

The network for electrons is not shipped: `eventbraid models build deepcalo` trains it once. Each model may have a
server of its own: `--server HOST:PORT` for each.
"""

from eventbraid import Job
from eventbraid.outputs import ParquetOutput
from eventbraid_modules import deepcalo, hlt, toptag
from eventbraid_modules.collisions import CollisionSource

calorimeter = {
    "hcalDigis": hlt.HcalDigitizer(),
    "energies": hlt.FacileEnergies(model="facile"),  # or on the CPU, by rule: hlt.TemplateEnergies()
    "towers": hlt.TowerMaker(),
    "jets": hlt.JetFinder(),
    "missing": hlt.MissingMomentum(),
}
truth = {
    "trueEnergies": hlt.TrueEnergies(),
    "trueTowers": hlt.TowerMaker(energies="trueEnergies"),
    "trueJets": hlt.JetFinder(towers="trueTowers"),
    "trueMissing": hlt.MissingMomentum(towers="trueTowers"),
}
electrons = {
    "electrons": deepcalo.ElectronCandidates(),
    "cells": deepcalo.ShowerSimulator(),
    "images": deepcalo.ImageMaker(),
    "electronEnergies": deepcalo.DeepCaloEnergies(model="deepcalo"),  # or deepcalo.SummedEnergies()
    "sums": deepcalo.SummedEnergies(),
}
tops = {
    "fatJets": toptag.FatJetFinder(),
    "jetImages": toptag.JetImageMaker(),
    "topScores": toptag.ResNetTagger(model="toptag"),  # or toptag.ShapeTagger()
    "shapeScores": toptag.ShapeTagger(),
}
filters = {
    "fourJets": hlt.JetFilter(count=4, pt=40),
    "largeMissing": hlt.MissingFilter(pt=70),
    "oneElectron": deepcalo.ElectronFilter(energies="electronEnergies", pt=40),
    "oneTop": toptag.TopFilter(scores="topScores", score=0.5),
}
performance = {
    "energyResolution": hlt.EnergyResolution(),
    "jetPerformance": hlt.JetPerformance(),
    "electronResolution": deepcalo.EnergyResolution(energies="electronEnergies"),
    "resolutionOfSums": deepcalo.EnergyResolution(energies="sums"),
    "tagging": toptag.TaggingPerformance(scores="topScores"),
    "taggingByShape": toptag.TaggingPerformance(scores="shapeScores"),
}

job = Job(
    "whole event",
    source=CollisionSource(events=100, seed=1, pileup=0, hard_pt=500),
    modules={**calorimeter, **truth, **electrons, **tops, **filters, **performance},
    paths={"jets": ["fourJets"], "missing": ["largeMissing"], "electron": ["oneElectron"], "top": ["oneTop"]},
    outputs=[ParquetOutput("whole_event.parquet", keep=["jets", "missing", "electronEnergies", "topScores"])],
    streams=16,
)
