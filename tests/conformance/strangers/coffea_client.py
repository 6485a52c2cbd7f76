"""coffea's triton_wrapper with the model of a server: prints the totals of some rows."""

import json
import sys

import awkward
import numpy as np
from coffea.ml_tools.triton_wrapper import triton_wrapper


class Totals(triton_wrapper):
    def prepare_awkward(self, rows):
        return [["total"], {"x": rows}], {}

    def postprocess_awkward(self, answer, rows):
        return answer["total"]


address, model = sys.argv[1:]
wrapper = Totals(f"triton+grpc://{address}/{model}/1", client_args={"ssl": False})
rows = awkward.from_numpy(np.arange(60, dtype=np.float32).reshape(20, 3))
print(json.dumps(awkward.to_list(wrapper(rows))))
