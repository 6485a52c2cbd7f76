"""Top quarks in fat jets by a residual network as a service, beside groomed mass and N-subjettiness.

The small network is shipped. One of the size of the paper's, with untrained weights, for timing:
`eventbraid models build resnet50`, then `--set scores.model=resnet50 --set jetImages.size=224`.
"""

from eventbraid import Job
from eventbraid.outputs import ParquetOutput
from eventbraid_modules.toptag import (
    CollisionSource,
    FatJetFinder,
    JetImageMaker,
    ResNetTagger,
    ShapeTagger,
    TaggingPerformance,
)

job = Job(
    "toptag",
    source=CollisionSource(events=200, seed=1, top_fraction=0.5, pileup=0, hard_pt=500),
    modules={
        "fatJets": FatJetFinder(),
        "jetImages": JetImageMaker(),
        "scores": ResNetTagger(model="toptag"),  # or on the CPU, by rule: ShapeTagger()
        "shapes": ShapeTagger(),
        "performance": TaggingPerformance(),
        "performanceOfShapes": TaggingPerformance(scores="shapes"),
    },
    outputs=[ParquetOutput("toptag.parquet", keep=["tops", "scores", "shapes"])],
    streams=16,
)
