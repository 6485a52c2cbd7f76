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
    __slots__ = ("job", "mode", "streams", "state", "stopping", "seconds", "events", "paths", "modules", "where")
    JOB_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    job: str
    mode: str
    streams: int
    state: str
    stopping: str
    seconds: float
    events: Events
    paths: _containers.RepeatedCompositeFieldContainer[Path]
    modules: _containers.RepeatedCompositeFieldContainer[Module]
    where: _containers.RepeatedCompositeFieldContainer[Whereabouts]
    def __init__(self, job: _Optional[str] = ..., mode: _Optional[str] = ..., streams: _Optional[int] = ..., state: _Optional[str] = ..., stopping: _Optional[str] = ..., seconds: _Optional[float] = ..., events: _Optional[_Union[Events, _Mapping]] = ..., paths: _Optional[_Iterable[_Union[Path, _Mapping]]] = ..., modules: _Optional[_Iterable[_Union[Module, _Mapping]]] = ..., where: _Optional[_Iterable[_Union[Whereabouts, _Mapping]]] = ...) -> None: ...

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
    __slots__ = ("label", "calls", "cpu_seconds", "external_seconds", "waiting")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    label: str
    calls: int
    cpu_seconds: float
    external_seconds: float
    waiting: int
    def __init__(self, label: _Optional[str] = ..., calls: _Optional[int] = ..., cpu_seconds: _Optional[float] = ..., external_seconds: _Optional[float] = ..., waiting: _Optional[int] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("interval", "where")
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    interval: float
    where: int
    def __init__(self, interval: _Optional[float] = ..., where: _Optional[int] = ...) -> None: ...

class WhereRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class WhereReply(_message.Message):
    __slots__ = ("events", "total")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Whereabouts]
    total: int
    def __init__(self, events: _Optional[_Iterable[_Union[Whereabouts, _Mapping]]] = ..., total: _Optional[int] = ...) -> None: ...

class Whereabouts(_message.Message):
    __slots__ = ("event", "number", "label", "step", "seconds", "server")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    event: str
    number: int
    label: str
    step: str
    seconds: float
    server: str
    def __init__(self, event: _Optional[str] = ..., number: _Optional[int] = ..., label: _Optional[str] = ..., step: _Optional[str] = ..., seconds: _Optional[float] = ..., server: _Optional[str] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DrainReply(_message.Message):
    __slots__ = ("held", "state")
    HELD_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    held: bool
    state: str
    def __init__(self, held: _Optional[bool] = ..., state: _Optional[str] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumeReply(_message.Message):
    __slots__ = ("resumed", "state")
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    resumed: bool
    state: str
    def __init__(self, resumed: _Optional[bool] = ..., state: _Optional[str] = ...) -> None: ...

class SetStreamsRequest(_message.Message):
    __slots__ = ("streams",)
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    streams: int
    def __init__(self, streams: _Optional[int] = ...) -> None: ...

class SetStreamsReply(_message.Message):
    __slots__ = ("streams",)
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    streams: int
    def __init__(self, streams: _Optional[int] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("reason", "after_lumi", "cancel")
    REASON_FIELD_NUMBER: _ClassVar[int]
    AFTER_LUMI_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    reason: str
    after_lumi: bool
    cancel: bool
    def __init__(self, reason: _Optional[str] = ..., after_lumi: _Optional[bool] = ..., cancel: _Optional[bool] = ...) -> None: ...

class StopReply(_message.Message):
    __slots__ = ("stopped", "reason")
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    stopped: bool
    reason: str
    def __init__(self, stopped: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...
