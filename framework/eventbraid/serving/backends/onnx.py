"""ONNX networks, executed by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence

from eventbraid.kserve.rows import join, split
from eventbraid.serving.backends.base import Reply, Request
from eventbraid.serving.backends.session import Session

__all__ = ["OnnxInstance"]


class OnnxInstance:
    """One of the copies of a network, which share one session: onnxruntime executes it for several threads at once."""

    def __init__(self, session: Session, outputs: Sequence[str], *, batched: bool) -> None:
        self._session = session
        self._outputs = list(outputs)
        self._batched = batched

    def execute(self, requests: Sequence[Request]) -> Sequence[Reply]:
        """The outputs that are asked for, of all requests in one execution; requests without a batch come alone.

        Where that fails each is executed alone, and what fails then is its own error.
        """
        try:
            return self._run(requests)
        except Exception as error:  # noqa: BLE001  # whose fault it is shows when each is run alone
            if len(requests) == 1:
                return [Reply(error=error)]
        return [reply for each in requests for reply in self.execute([each])]

    def _run(self, requests: Sequence[Request]) -> Sequence[Reply]:
        wanted = {name for each in requests for name in each.wanted or self._outputs}
        names = [name for name in self._outputs if name in wanted]
        outputs = self._session.run(join([each.inputs for each in requests]), names)
        if not self._batched:
            return [Reply(outputs)]
        return [Reply(each) for each in split(outputs, [each.rows for each in requests])]

    def close(self) -> None:
        """Nothing is to be done: the session goes with its last copy."""
