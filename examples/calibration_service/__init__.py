"""A calibration service of the example's own: its server, its client, and its messages, made from protos/."""

from calibration_service._pb.calibration_pb2 import Constants, GetConstantsRequest
from calibration_service.client import CalibrationClient

__all__ = ["CalibrationClient", "Constants", "GetConstantsRequest"]
