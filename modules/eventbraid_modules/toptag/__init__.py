"""Top quarks in fat jets: images of jets, and a residual network as a service that scores them.

After Krupa et al. 2021 (arXiv:2007.10359), sections 4.3 and 5.2.3.
"""

from eventbraid_modules.collisions import CollisionSource, Tops
from eventbraid_modules.toptag.images import JetImageMaker, JetImages
from eventbraid_modules.toptag.jets import FatJetFinder, FatJets
from eventbraid_modules.toptag.performance import TaggingPerformance
from eventbraid_modules.toptag.scores import ResNetTagger, TopFilter, TopScores
from eventbraid_modules.toptag.shape import ShapeTagger

__all__ = [
    "CollisionSource",
    "FatJetFinder",
    "FatJets",
    "JetImageMaker",
    "JetImages",
    "ResNetTagger",
    "ShapeTagger",
    "TaggingPerformance",
    "TopFilter",
    "TopScores",
    "Tops",
]
