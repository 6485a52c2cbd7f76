"""Models in this process: onnxruntime on the CPU behind the client's interface."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, Unpack

from eventbraid.errors import RequestError, ServerError, ServerTimeout, nearest
from eventbraid.inference.account import Account
from eventbraid.inference.client import RequestOptions
from eventbraid.inference.gathering import together
from eventbraid.inference.pieces import pieces, rejoin, rows_of_a_piece
from eventbraid.inference.retry import failure
from eventbraid.kserve import ModelMetadata, Tensors, check_inputs, check_names, check_response
from eventbraid.kserve.rows import rows
from eventbraid.serving.backends.session import Session
from eventbraid.serving.repository.building import builder_hint
from eventbraid.serving.repository.layout import Repository

__all__ = ["LocalClient"]

SERVER = "in this process"


class LocalClient:
    """Runs the models of some repositories in `threads` threads: the CPU baseline, and a fallback."""

    def __init__(self, models: Sequence[str | Path], *, threads: int = 1) -> None:
        self._entries = {entry.name: entry for entry in Repository.open(models).models}
        self._sessions: dict[str, Session] = {}
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="inference")
        self._accounts: dict[str, Account] = {}
        self._began = monotonic()
        self._closed = False

    def __repr__(self) -> str:
        return f"LocalClient({', '.join(self._entries)})"

    async def metadata(self, model: str, version: str = "", *, timeout: float = 5.0) -> ModelMetadata:  # noqa: ASYNC109
        """See `InferenceClient.metadata`; the model is loaded then, so that no request waits for that."""
        entry = self._entries.get(model)
        if entry is None:
            message = f"there is no model {model!r}: {builder_hint(model) or nearest(model, self._entries)}"
            raise RequestError(message, server=SERVER, model=model)
        if entry.backend != "onnxruntime":
            raise RequestError("it is written in Python, which a server executes", server=SERVER, model=model)
        if version not in ("", entry.version):
            raise RequestError(
                f"there is no version {version}, there is version {entry.version}", server=SERVER, model=model
            )
        if model not in self._sessions and not self._closed:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._session, model)
        return entry.metadata

    def configs(self, model: str, version: str = "") -> Mapping[str, Any]:
        """See `InferenceClient.configs`."""
        return {SERVER: self._entries[model].config} if model in self._entries else {}

    async def infer(self, model: str, inputs: Tensors, **options: Unpack[RequestOptions]) -> Tensors:
        """See `InferenceClient.infer`; a computation that has begun is not interrupted."""
        metadata = await self.metadata(model, options.get("version", ""))
        outputs = options.get("outputs", ())
        check_inputs(metadata, inputs, SERVER)
        check_names(metadata, outputs, SERVER)
        names = tuple(outputs) or tuple(spec.name for spec in metadata.outputs)
        parts = pieces(inputs, rows_of_a_piece(metadata, options.get("batch_size", 0)), model)
        try:
            async with asyncio.timeout(options.get("timeout", 30.0)):
                answers = await together([self._run(model, part, names) for part in parts])
        except TimeoutError:
            raise ServerTimeout("no answer before the deadline", server=SERVER, model=model) from None
        answer = rejoin(answers, [rows(part) for part in parts], SERVER, model)
        check_response(metadata, answer, names, SERVER)
        return answer

    async def _run(self, model: str, inputs: Tensors, names: Sequence[str]) -> Tensors:
        closed = ServerError("this client is closed", server=SERVER, model=model)
        if self._closed:
            raise closed
        account = self._accounts.setdefault(model, Account())
        account.tries += 1
        began = monotonic()
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, self._compute, model, inputs, names)
        except ServerError as error:
            account.failures[failure(error)] += 1
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise closed from None  # before it began
        account.latency.add(monotonic() - began)
        account.requests += 1
        account.rows += rows(inputs)
        return answer

    def _compute(self, model: str, inputs: Tensors, names: Sequence[str]) -> Tensors:
        session = self._session(model)
        try:
            answer = session.run(inputs, names)
        except Exception as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise ServerError(f"the model failed: {first}", server=SERVER, model=model) from error
        for array in answer.values():
            array.flags.writeable = False
        return answer

    def _session(self, model: str) -> Session:
        if model not in self._sessions:
            self._sessions[model] = Session(self._entries[model].file)
        return self._sessions[model]

    async def report(self) -> dict[str, Any]:
        """See `InferenceClient.report`; the times are those of the computation."""
        seconds = monotonic() - self._began
        models = [
            {"model": model, "version": "", "server": SERVER} | account.to_dict(seconds, None)
            for model, account in self._accounts.items()
        ]
        return {"models": models, "servers": []}

    async def aclose(self) -> None:
        """Wait for what is being computed, then give up the threads; no request is taken from here on."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)
        self._sessions.clear()
