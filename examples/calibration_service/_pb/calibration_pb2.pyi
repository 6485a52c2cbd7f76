from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class GetConstantsRequest(_message.Message):
    __slots__ = ("run", "lumi", "detector")
    RUN_FIELD_NUMBER: _ClassVar[int]
    LUMI_FIELD_NUMBER: _ClassVar[int]
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    run: int
    lumi: int
    detector: str
    def __init__(self, run: _Optional[int] = ..., lumi: _Optional[int] = ..., detector: _Optional[str] = ...) -> None: ...

class Constants(_message.Message):
    __slots__ = ("gains", "pedestals")
    GAINS_FIELD_NUMBER: _ClassVar[int]
    PEDESTALS_FIELD_NUMBER: _ClassVar[int]
    gains: _containers.RepeatedScalarFieldContainer[float]
    pedestals: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, gains: _Optional[_Iterable[float]] = ..., pedestals: _Optional[_Iterable[float]] = ...) -> None: ...
