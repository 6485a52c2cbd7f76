"""kserve's own gRPC service with one model, on 127.0.0.1 and not on all addresses, to which its server binds."""

import asyncio
import sys

from grpc import aio
from kserve import InferOutput, InferResponse, Model, ModelRepository
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

TENSOR = {"datatype": "FP32", "shape": [-1, 3]}


class Double(Model):
    """Doubles rows."""

    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    async def get_input_types(self):
        return [{"name": "x", **TENSOR}]

    async def get_output_types(self):
        return [{"name": "y", **TENSOR}]

    def predict(self, payload, headers=None, response_headers=None):
        rows = payload.inputs[0].as_numpy() * 2
        output = InferOutput("y", list(rows.shape), "FP32")
        output.set_data_from_numpy(rows, binary_data=True)
        return InferResponse(payload.id, self.name, [output])


async def main() -> None:
    models = ModelRepository()
    models.update(Double("double"))
    servicer = InferenceServicer(DataPlane(models), ModelRepositoryExtension(models))
    server = aio.server(interceptors=[ExceptionToStatusInterceptor()])
    grpc_predict_v2_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    await server.start()
    await server.wait_for_termination()


asyncio.run(main())
