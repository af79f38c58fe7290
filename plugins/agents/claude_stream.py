"""What Claude Code's stream of events means: progress while it goes on, a result or an error at its end.

The exit code says too little: a run that failed has `subtype` "success" with `is_error`, and a run
that was asked for structured output may succeed without any.
"""

import time
from collections.abc import Iterator
from typing import Any, NoReturn, cast

from holdfast.eventlog import Usage

from ..errors import (
    Crashed,
    NoOutput,
    NotLoggedIn,
    OutputInvalid,
    RateLimited,
    Refused,
    SessionLost,
    WorkError,
)
from ..types import AgentResult, AgentTask, Emit, Progress
from .cli import Ending, Json

PATIENCE_S = 60  # a longer wait is the engine's: it costs nothing there and survives a restart
SILENT = {"status", "thinking_tokens"}  # kinds of system events that come by the dozen
LOGIN = {"authentication_failed", "oauth_org_not_allowed", "cloud_credential_error"}
BUSY = {"rate_limit", "overloaded"}
DECLINED = {"account_on_hold", "billing_error", "verification_required"}
NO_SESSION = ("No conversation found", "Error: --resume requires a valid session")


class Stream:
    """Takes the events of one run."""

    def __init__(self, task: AgentTask, emit: Emit) -> None:
        self._task, self._emit = task, emit
        self._session = ""
        self._result: Json | None = None
        self._failure = ""  # kind of the last API error
        self._resets_at = 0

    def feed(self, event: Json) -> None:
        """Take one event and show what it says."""
        match event:
            case {"type": "system", "subtype": "init", "session_id": str(session)}:
                self._open(session, event)
            case {"type": "system", "subtype": "api_retry"}:
                self._retry(event)
            case {"type": "system", "subtype": str(kind)} if kind in SILENT:
                pass
            case {"type": "assistant", "error": str(kind)}:
                self._failure = kind
            case {"type": "assistant" | "user", "message": {"content": list()}}:
                for progress in _said(event):
                    self._emit(progress)
            case {
                "type": "rate_limit_event",
                "rate_limit_info": {"status": "rejected", "resetsAt": int(seconds)},
            }:
                self._resets_at = seconds * 1_000_000_000
            case {"type": "result"}:
                self._result = event
            case _:
                self._emit(Progress("raw", str(event.get("content", "")), event))

    def result(self, ending: Ending) -> AgentResult:
        """Return what came of the run, or raise what went wrong."""
        result = self._result
        if result is None:
            raise self._error(Crashed, f"claude ended with {ending}", detail=ending.stderr)
        if result.get("is_error") or result.get("subtype") != "success":
            self._fail(result, ending)
        text = str(result.get("result") or "")
        output = result.get("structured_output")
        if self._task.schema is not None and output is None:
            raise self._error(
                OutputInvalid,
                "claude gave no structured output, though it was asked twice. It said: "
                f"{text[-300:]!r}",
                detail=text,
            )
        if not text.strip() and output is None:
            raise self._error(NoOutput, "claude ended well and said nothing")
        return AgentResult(text=text, output=output, usage=self._usage(), session=self._session)

    def _open(self, session: str, event: Json) -> None:
        if session == self._session:
            return
        self._session = session
        known = {"model": event.get("model"), "version": event.get("claude_code_version")}
        self._emit(Progress("session", session, known))

    def _retry(self, event: Json) -> None:
        kind, status = str(event.get("error", "unknown")), event.get("error_status")
        delay_s = float(event.get("retry_delay_ms") or 0) / 1000
        said = f"{kind} ({status}): attempt {event.get('attempt')}, again in {delay_s:.1f} s"
        self._emit(Progress("retry", said, {"status": status, "delay_s": delay_s}))
        if kind in BUSY and delay_s > PATIENCE_S:
            raise RateLimited(
                f"the server asks claude to wait for {delay_s:.0f} s ({kind})",
                until=time.time_ns() + int(delay_s * 1e9),
                session=self._session,
            )

    def _fail(self, result: Json, ending: Ending) -> NoReturn:
        errors = [str(error) for error in result.get("errors") or ()]
        said = str(result.get("result") or "; ".join(errors) or result.get("subtype"))
        status, kind = result.get("api_error_status"), self._failure
        if any(error.startswith(NO_SESSION) for error in errors):
            raise SessionLost(f"claude does not know the session {self._task.session!r}: {said}")
        if status in (401, 403) or kind in LOGIN:
            hint = "Log in with: claude, then /login - or set ANTHROPIC_API_KEY."
            raise self._error(NotLoggedIn, f"claude is not logged in: {said}. {hint}")
        if status in (429, 529) or kind in BUSY:
            raise RateLimited(
                f"the server sends claude away: {said}",
                until=self._resets_at,
                usage=self._usage(),
                session=self._session,
            )
        if result.get("stop_reason") == "refusal" or kind in DECLINED:
            raise self._error(Refused, f"claude's provider declines: {said}")
        reason = result.get("terminal_reason") or result.get("subtype")
        raise self._error(Crashed, f"claude failed ({reason}): {said}", detail=ending.stderr)

    def _error(self, kind: type[WorkError], message: str, *, detail: str = "") -> WorkError:
        return kind(message, detail=detail, usage=self._usage(), session=self._session)

    def _usage(self) -> Usage | None:
        """Return what this run alone used; the totals beside it count the session's earlier runs."""
        if self._result is None:
            return None
        models = self._result.get("model_usage_since_last_result")
        if isinstance(models, dict):
            return _sum(list(cast(dict[str, Json], models).values()))
        cost = 0.0 if self._task.session else float(self._result.get("total_cost_usd") or 0)
        return _older_usage(self._result.get("usage") or {}, cost)


def _sum(models: list[Json]) -> Usage:
    def total(name: str) -> Any:
        return sum(model.get(name) or 0 for model in models)

    cached = total("cacheReadInputTokens")
    return Usage(
        input_tokens=total("inputTokens") + cached + total("cacheCreationInputTokens"),
        output_tokens=total("outputTokens"),
        cached_tokens=cached,
        cost_usd=float(total("costUSD")),
    )


def _older_usage(usage: Json, cost_usd: float) -> Usage:
    """Read the counts as versions before 2.1.330 give them."""
    cached = usage.get("cache_read_input_tokens") or 0
    fresh = (usage.get("input_tokens") or 0) + (usage.get("cache_creation_input_tokens") or 0)
    return Usage(fresh + cached, usage.get("output_tokens") or 0, cached, cost_usd)


def _said(event: Json) -> Iterator[Progress]:
    by_agent = event["type"] == "assistant"
    for block in cast(list[Json], event["message"]["content"]):
        match block:
            case {"type": "text", "text": str(text)} if by_agent:
                yield Progress("text", text)
            case {"type": "thinking", "thinking": str(text)}:
                yield Progress("thinking", text)
            case {"type": "tool_use", "name": str(name), "input": given}:
                yield Progress("tool", name, {"name": name, "input": given, "id": block.get("id")})
            case {"type": "tool_result", "content": content}:
                failed = bool(block.get("is_error"))
                data = {"id": block.get("tool_use_id"), "failed": failed}
                yield Progress("tool_result", _text(content), data)
                yield from _changed(event)
            case _:
                yield Progress("raw", "", {"block": block})


def _changed(event: Json) -> Iterator[Progress]:
    result = event.get("tool_use_result")
    if isinstance(result, dict) and "structuredPatch" in result and "filePath" in result:
        path = str(cast(Json, result)["filePath"])
        yield Progress("file", path, {"path": path})


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(_text(part) for part in content)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(content, dict):
        return str(cast(Json, content).get("text", ""))
    return str(content)
