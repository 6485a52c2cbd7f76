"""A model of mlserver that doubles rows and gives words back."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Double(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        outputs = []
        for each in payload.inputs:
            if each.name == "x":
                outputs.append(NumpyCodec.encode_output("y", NumpyCodec.decode_input(each) * 2))
            else:
                outputs.append(StringCodec.encode_output("same", StringCodec.decode_input(each)))
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=outputs)
