"""Errors of adapters: each class tells the engine what to do about it.

HoldfastError
  PluginError             a plugin cannot be loaded or used
    UnknownAgent, UnknownModel
  WorkError               one attempt at a task came to nothing
    MissingBinary         the program is not installed: no use trying again
    NotLoggedIn           no key or a wrong one: no use trying again
    RateLimited           wait until `until` and try again: counts as no attempt
    Refused               the model or provider declines this request
    OutputInvalid         the answer does not fit the schema: ask again with the reason
    NoOutput              it ended well and said nothing
    Crashed               it ended badly, for a reason not known better
"""

from collections.abc import Iterable

from holdfast.eventlog import HoldfastError, Usage


class PluginError(HoldfastError):
    code = "plugin"


class UnknownAgent(PluginError):
    code = "unknown_agent"
    exit_status = 2

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, sorted(known)
        super().__init__(
            f"no agent is called {name!r}; there are: {', '.join(self.known) or 'none'}. "
            "See what is installed with: holdfast plugins"
        )


class UnknownModel(PluginError):
    code = "unknown_model"
    exit_status = 2

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, sorted(known)
        super().__init__(
            f"no model back end answers for {name!r}; there are: {', '.join(self.known) or 'none'}. "
            "See what is installed with: holdfast plugins"
        )


class WorkError(HoldfastError):
    """One attempt failed. `session` lets the next one continue; `usage` is what it cost all the same."""

    code = "work_failed"
    retryable = True

    def __init__(
        self, message: str, *, detail: str = "", usage: Usage | None = None, session: str = ""
    ) -> None:
        super().__init__(message)
        self.detail, self.usage, self.session = detail, usage, session


class MissingBinary(WorkError):
    code = "missing_binary"
    retryable = False


class NotLoggedIn(WorkError):
    code = "not_logged_in"
    retryable = False


class RateLimited(WorkError):
    """`until` is in nanoseconds since 1970, UTC; 0 when the server did not say."""

    code = "rate_limited"

    def __init__(
        self, message: str, *, until: int = 0, detail: str = "", session: str = ""
    ) -> None:
        super().__init__(message, detail=detail, session=session)
        self.until = until


class Refused(WorkError):
    code = "refused"
    retryable = False


class OutputInvalid(WorkError):
    code = "output_invalid"


class NoOutput(WorkError):
    code = "no_output"


class Crashed(WorkError):
    code = "crashed"
