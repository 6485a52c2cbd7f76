from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusReply(_message.Message):
    __slots__ = ("job", "mode", "streams", "state", "stopping", "seconds", "events", "paths", "modules")
    JOB_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    job: str
    mode: str
    streams: int
    state: str
    stopping: str
    seconds: float
    events: Events
    paths: _containers.RepeatedCompositeFieldContainer[Path]
    modules: _containers.RepeatedCompositeFieldContainer[Module]
    def __init__(self, job: _Optional[str] = ..., mode: _Optional[str] = ..., streams: _Optional[int] = ..., state: _Optional[str] = ..., stopping: _Optional[str] = ..., seconds: _Optional[float] = ..., events: _Optional[_Union[Events, _Mapping]] = ..., paths: _Optional[_Iterable[_Union[Path, _Mapping]]] = ..., modules: _Optional[_Iterable[_Union[Module, _Mapping]]] = ...) -> None: ...

class Events(_message.Message):
    __slots__ = ("read", "in_flight", "passed", "failed", "not_selected", "per_second", "recent_per_second")
    READ_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    NOT_SELECTED_FIELD_NUMBER: _ClassVar[int]
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    RECENT_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    read: int
    in_flight: int
    passed: int
    failed: int
    not_selected: int
    per_second: float
    recent_per_second: float
    def __init__(self, read: _Optional[int] = ..., in_flight: _Optional[int] = ..., passed: _Optional[int] = ..., failed: _Optional[int] = ..., not_selected: _Optional[int] = ..., per_second: _Optional[float] = ..., recent_per_second: _Optional[float] = ...) -> None: ...

class Path(_message.Message):
    __slots__ = ("name", "fail", "exception", "not_run")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASS_FIELD_NUMBER: _ClassVar[int]
    FAIL_FIELD_NUMBER: _ClassVar[int]
    EXCEPTION_FIELD_NUMBER: _ClassVar[int]
    NOT_RUN_FIELD_NUMBER: _ClassVar[int]
    name: str
    fail: int
    exception: int
    not_run: int
    def __init__(self, name: _Optional[str] = ..., fail: _Optional[int] = ..., exception: _Optional[int] = ..., not_run: _Optional[int] = ..., **kwargs) -> None: ...

class Module(_message.Message):
    __slots__ = ("label", "calls", "cpu_seconds", "external_seconds")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    label: str
    calls: int
    cpu_seconds: float
    external_seconds: float
    def __init__(self, label: _Optional[str] = ..., calls: _Optional[int] = ..., cpu_seconds: _Optional[float] = ..., external_seconds: _Optional[float] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class StopReply(_message.Message):
    __slots__ = ("stopped", "reason")
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    stopped: bool
    reason: str
    def __init__(self, stopped: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...
