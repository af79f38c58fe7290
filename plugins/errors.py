"""Errors of adapters: each class tells the engine what to do about it.

HoldfastError
  PluginError             a plugin cannot be loaded or used
    UnknownAgent, UnknownModel, UnknownSandbox
    RedactionFailed       a plugin that hides secrets is broken: nothing is written
  WorkError               one attempt at a task came to nothing
    BadOptions            the options given to the adapter make no sense: no use trying again
    MissingBinary         the program is not installed: no use trying again
    MissingFolder         the folder to work in is not there: no use trying again
    CommandTooLong        an argument or the environment is above what the system takes
    NotLoggedIn           no key or a wrong one: no use trying again
    RateLimited           wait until `until` and try again: counts as no attempt
    Refused               the model or provider declines this request
    OutputInvalid         the answer does not fit the schema: ask again with the reason
    NoOutput              it ended well and said nothing
    SessionLost           the agent does not know the session: try again without it
    StillRunning          processes of the step survive even SIGKILL
    SandboxUnavailable    the sandbox cannot work here: nothing was started
    SandboxFailed         the sandbox could not be made around this step: nothing was started
    GitTampered           a program in the sandbox laid links for git outside: they were removed
    NotConfinable         the agent cannot do this in a sandbox: nothing was started
    LimitReached          it was not done within the turns, tokens or money that it was given
    Crashed               it ended badly, for a reason not known better
    AdapterBroken         the adapter does not keep to its protocol: its author has to mend it
  ToolFailed              a tool could not do what a model wanted: the model is told
"""

from collections.abc import Iterable

from holdfast.eventlog import HoldfastError, Usage


class PluginError(HoldfastError):
    code = "plugin"


def _broken(plugins: Iterable[str]) -> str:
    named = "; ".join(plugins)
    return f"Broken plugins, which may have had it: {named}. " if named else ""


class UnknownAgent(PluginError):
    code = "unknown_agent"
    exit_status = 2

    def __init__(self, name: str, known: Iterable[str], broken: Iterable[str] = ()) -> None:
        self.name, self.known = name, sorted(known)
        super().__init__(
            f"no agent is called {name!r}; there are: {', '.join(self.known) or 'none'}. "
            f"{_broken(broken)}See what is installed with: holdfast plugins"
        )


class UnknownModel(PluginError):
    code = "unknown_model"
    exit_status = 2

    def __init__(self, name: str, known: Iterable[str], broken: Iterable[str] = ()) -> None:
        self.name, self.known = name, sorted(known)
        super().__init__(
            f"no model back end answers for {name!r}; there are: {', '.join(self.known) or 'none'}. "
            f"{_broken(broken)}See what is installed with: holdfast plugins"
        )


class UnknownSandbox(PluginError):
    code = "unknown_sandbox"
    exit_status = 2

    def __init__(self, name: str, known: Iterable[str], broken: Iterable[str] = ()) -> None:
        self.name, self.known = name, sorted(known)
        super().__init__(
            f"no sandbox is called {name!r}; there are: {', '.join(['none', *self.known])}. "
            f"{_broken(broken)}See what is installed with: holdfast plugins"
        )


class RedactionFailed(PluginError):
    code = "redaction_failed"

    def __init__(self, plugin: str, distribution: str, reason: str) -> None:
        super().__init__(
            f"plugin {plugin!r} of {distribution!r} should hide secrets and failed: {reason}. "
            f"Nothing was written. Mend it, or remove it: pip uninstall {distribution}"
        )
        self.plugin, self.distribution, self.reason = plugin, distribution, reason


class WorkError(HoldfastError):
    """One attempt failed. `session` lets the next one continue; `usage` is what it cost all the same."""

    code = "work_failed"
    retryable = True

    def __init__(
        self, message: str, *, detail: str = "", usage: Usage | None = None, session: str = ""
    ) -> None:
        super().__init__(message)
        self.detail, self.usage, self.session = detail, usage, session


class BadOptions(WorkError):
    code = "bad_options"
    retryable = False


class MissingBinary(WorkError):
    code = "missing_binary"
    retryable = False


class MissingFolder(WorkError):
    code = "missing_folder"
    retryable = False

    def __init__(self, folder: str, *, program: str, reason: str) -> None:
        super().__init__(
            f"cannot run {program!r} in {folder!r}: {reason}. "
            "Make it, or give the step another workspace."
        )
        self.folder, self.program = folder, program


class CommandTooLong(WorkError):
    code = "command_too_long"
    retryable = False

    def __init__(self, program: str, *, longest_bytes: int) -> None:
        super().__init__(
            f"cannot start {program!r}: its longest argument has {longest_bytes} bytes, and the "
            "system takes about 128 KiB for one and 2 MiB for all with the environment. "
            "Put the text in a file, or hand it over on standard input."
        )
        self.program, self.longest_bytes = program, longest_bytes


class NotLoggedIn(WorkError):
    code = "not_logged_in"
    retryable = False


class RateLimited(WorkError):
    """`until` is in nanoseconds since 1970, UTC; 0 when the server did not say."""

    code = "rate_limited"

    def __init__(
        self,
        message: str,
        *,
        until: int = 0,
        detail: str = "",
        usage: Usage | None = None,
        session: str = "",
    ) -> None:
        super().__init__(message, detail=detail, usage=usage, session=session)
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


class LimitReached(WorkError):
    code = "limit_reached"
    retryable = False

    def __init__(self, option: str, limit: float, spent: float) -> None:
        self.option, self.limit, self.spent = option, limit, spent
        super().__init__(
            f"the agent is not done within {option}={limit:g} (it used {spent:g}). Give it more with "
            f'options={{"{option}": ...}}, or ask for less at once.'
        )


class SessionLost(WorkError):
    code = "session_lost"


class StillRunning(WorkError):
    code = "still_running"
    retryable = False

    def __init__(self, pids: Iterable[int]) -> None:
        self.pids = sorted(pids)
        super().__init__(
            f"processes {', '.join(map(str, self.pids))} of the step do not end, not even after "
            "SIGKILL. They wait for the kernel or run as another user; end them, then resume."
        )


class AdapterBroken(WorkError):
    """`owner` is the adapter with its plugin and distribution, `where` a line of its code."""

    code = "adapter_broken"
    retryable = False

    def __init__(self, owner: str, fault: str, where: str = "") -> None:
        super().__init__(
            f"{owner} {fault}{f' ({where})' if where else ''}. Tell its author, who can find this "
            "with holdfast.plugins.testing; or use another."
        )
        self.owner, self.fault, self.where = owner, fault, where


class SandboxUnavailable(WorkError):
    code = "sandbox_unavailable"
    retryable = False

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(
            f"the sandbox {name!r} cannot work here: {reason} Nothing was started. Mend that and "
            'retry the run, or decide to go without: sandbox="none"'
        )


class SandboxFailed(WorkError):
    code = "sandbox_failed"
    retryable = False


class GitTampered(WorkError):
    code = "git_tampered"
    retryable = False

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = sorted(paths)
        super().__init__(
            "a program in a sandbox put links or special files into git's folders, by which git outside "
            f"would have written elsewhere: {', '.join(map(repr, self.paths))}. They were removed. "
            "Look at what the step did before you let it go on."
        )


class NotConfinable(WorkError):
    code = "not_confinable"
    retryable = False


class ToolFailed(HoldfastError):
    """Raised by a tool, with words that help the model to mend its call."""

    code = "tool_failed"
