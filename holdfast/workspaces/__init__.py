"""Workspaces: snapshots, worktrees and merges over plain git. Nothing here knows of events or runs."""

from .errors import (
    BareRepository,
    GitFailed,
    GitMissing,
    GitTooOld,
    NestedRepository,
    NoSuchCommit,
    NoSuchFile,
    NotARepository,
    RepositoryBusy,
    StateUnwritable,
    TooMuchUntracked,
    Unreadable,
    UntrustedRepository,
    WorkspaceError,
    WouldOverwrite,
)
from .git import MINIMUM_GIT, Git, check_git
from .index import Bounds, LeftOut
from .places import Repository, Workspace
from .reading import Change, File, changes, content, diff, extract, files
from .restore import Restored, restore
from .snapshot import Snapshot, snapshot

__all__ = [
    "MINIMUM_GIT",
    "BareRepository",
    "Bounds",
    "Change",
    "File",
    "Git",
    "GitFailed",
    "GitMissing",
    "GitTooOld",
    "LeftOut",
    "NestedRepository",
    "NoSuchCommit",
    "NoSuchFile",
    "NotARepository",
    "Repository",
    "RepositoryBusy",
    "Restored",
    "Snapshot",
    "StateUnwritable",
    "TooMuchUntracked",
    "Unreadable",
    "UntrustedRepository",
    "Workspace",
    "WorkspaceError",
    "WouldOverwrite",
    "changes",
    "check_git",
    "content",
    "diff",
    "extract",
    "files",
    "restore",
    "snapshot",
]
