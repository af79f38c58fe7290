"""Errors of setting a project up.

HoldfastError
  OnboardingError
    NoClients            no coding agent was found, so there is nobody to tell
    UnknownClient        nobody knows where an agent of this name looks
    NotMergeable         a file of people's cannot be added to without harm
    OutsideProject       a file's place leads out of the project
    FileUnusable         a file cannot be read or written
    ChangedMeanwhile     somebody wrote it after it was shown
    RecordDamaged        what init wrote down cannot be read
    NotConfirmed         nobody is there to say yes
"""

from collections.abc import Iterable
from pathlib import Path

from holdfast.eventlog import HoldfastError


class OnboardingError(HoldfastError):
    code = "init"
    exit_status = 2


class NoClients(OnboardingError):
    code = "no_agents"

    def __init__(self, known: Iterable[str]) -> None:
        super().__init__(
            "no coding agent was found in the PATH. Install one, or say which one will be used here: "
            f"holdfast init --agent NAME, which is one of {', '.join(known)}"
        )


class UnknownClient(OnboardingError):
    code = "unknown_client"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"where {name!r} looks for skills and tools is not known. Known are {', '.join(known)}. "
            "For others, print the skill and put it where they look: holdfast docs skill"
        )
        self.name = name


class NotMergeable(OnboardingError):
    code = "not_mergeable"

    def __init__(self, path: str, reason: str, by_hand: str) -> None:
        super().__init__(
            f"{path!r} cannot be added to: {reason}. Nothing was written. Mend it and run init again, "
            f"or leave its agent out with --agent and add by hand:\n{by_hand}"
        )
        self.path, self.by_hand = path, by_hand


class OutsideProject(OnboardingError):
    code = "outside_project"

    def __init__(self, path: str, leads_to: Path, root: Path) -> None:
        super().__init__(
            f"{path!r} leads to {str(leads_to)!r}, which is outside of the project {str(root)!r}. Nothing "
            "was written. Replace the link by a folder, or leave its agent out with --agent"
        )
        self.path = path


class FileUnusable(OnboardingError):
    code = "file_unusable"
    exit_status = 1

    def __init__(self, path: str, verb: str, reason: str) -> None:
        super().__init__(
            f"{path!r} cannot be {verb}: {reason}. The project's files are as they were before. Give access "
            "or move it out of the way, and do it again"
        )
        self.path = path


class ChangedMeanwhile(OnboardingError):
    code = "changed_meanwhile"
    exit_status = 1

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path!r} was changed after it was looked at. The project's files are as they were before. "
            "Do it again to see what would be changed now"
        )
        self.path = path


class RecordDamaged(OnboardingError):
    code = "init_record_damaged"
    exit_status = 1

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path!r}, where init wrote down what it did, cannot be read: {reason}. Remove it, and what "
            "init once wrote is taken for yours"
        )
        self.path = path


class NotConfirmed(OnboardingError):
    code = "not_confirmed"

    def __init__(self, command: str) -> None:
        super().__init__(
            f"nothing was written, for nobody is at a terminal to agree. To do it: {command}"
        )
