"""Workspaces: snapshots, worktrees and merges over plain git. Nothing here knows of events."""

from holdfast.reducer import Conflict, ConflictedFile, Hunk, Merged
from holdfast.reducer import FileSide as Side

from .bounds import Bounds
from .committing import commit_work, reset_branch
from .errors import (
    BareRepository,
    BranchTaken,
    CheckoutBehind,
    FolderTaken,
    GitFailed,
    GitMissing,
    GitTooOld,
    GitUnsafe,
    NestedRepository,
    NoCommits,
    NoPortsLeft,
    NoSuchCommit,
    NoSuchFile,
    NotARepository,
    NoTarget,
    RepositoryBusy,
    StateUnwritable,
    TargetBusy,
    TargetDirty,
    TargetMissing,
    TargetMoved,
    TooMuchUntracked,
    Unreadable,
    UnrelatedHistories,
    Unremovable,
    Unresolved,
    UntrustedRepository,
    WorkspaceError,
    WorktreeExists,
    WorktreeHoldsWork,
    WorktreeMissing,
    WouldOverwrite,
)
from .git import MINIMUM_GIT, Git, check_git
from .homes import homes
from .include import Included
from .index import LeftOut
from .listing import Status, Swept, forget, gc, list_worktrees
from .merging import finish_moves, merge, merge_worktree, remember_merged, take_back
from .names import safe_name
from .orphans import GRACE_S, Orphan, disk_bytes, remove_ref, snapshot_refs, without_run
from .places import Repository, Workspace
from .reading import Change, File, changes, content, diff, extract, files
from .records import Worktree
from .removing import remove_merged, remove_worktree
from .resolving import begin_resolving, finish_resolving
from .restoring import Restored, restore
from .snapshots import Snapshot, snapshot
from .worktrees import Made, add_worktree, open_worktree

__all__ = [
    "GRACE_S",
    "MINIMUM_GIT",
    "BareRepository",
    "Bounds",
    "BranchTaken",
    "Change",
    "CheckoutBehind",
    "Conflict",
    "ConflictedFile",
    "File",
    "FolderTaken",
    "Git",
    "GitFailed",
    "GitMissing",
    "GitTooOld",
    "GitUnsafe",
    "Hunk",
    "Included",
    "LeftOut",
    "Made",
    "Merged",
    "NestedRepository",
    "NoCommits",
    "NoPortsLeft",
    "NoSuchCommit",
    "NoSuchFile",
    "NoTarget",
    "NotARepository",
    "Orphan",
    "Repository",
    "RepositoryBusy",
    "Restored",
    "Side",
    "Snapshot",
    "StateUnwritable",
    "Status",
    "Swept",
    "TargetBusy",
    "TargetDirty",
    "TargetMissing",
    "TargetMoved",
    "TooMuchUntracked",
    "Unreadable",
    "UnrelatedHistories",
    "Unremovable",
    "Unresolved",
    "UntrustedRepository",
    "Workspace",
    "WorkspaceError",
    "Worktree",
    "WorktreeExists",
    "WorktreeHoldsWork",
    "WorktreeMissing",
    "WouldOverwrite",
    "add_worktree",
    "begin_resolving",
    "changes",
    "check_git",
    "commit_work",
    "content",
    "diff",
    "disk_bytes",
    "extract",
    "files",
    "finish_moves",
    "finish_resolving",
    "forget",
    "gc",
    "homes",
    "list_worktrees",
    "merge",
    "merge_worktree",
    "open_worktree",
    "remember_merged",
    "remove_merged",
    "remove_ref",
    "remove_worktree",
    "reset_branch",
    "restore",
    "safe_name",
    "snapshot",
    "snapshot_refs",
    "take_back",
    "without_run",
]
