"""Errors of the git layer: what a repository, a worktree or a merge cannot do.

HoldfastError
  WorkspaceError
    GitMissing            there is no git program
    GitTooOld             git lacks what is needed here
    GitFailed             git ended with an error that has no name of its own
    RepositoryBusy        another git process holds a lock of git's
    GitUnsafe             a link lies where git writes, and would lead it elsewhere
    NotARepository        the folder is in no git repository
    UntrustedRepository   git refuses a repository that belongs to somebody else
    BareRepository        there are no files to take a snapshot of
    NoCommits             nothing was committed yet, so there is no base
    NoSuchCommit          no commit, branch or tree has this name
    NoSuchFile            the snapshot has no such file
    StateUnwritable       our own files in the git folder cannot be written
    TooMuchUntracked      an untracked folder is too large to be kept with every step
    Unreadable            a file cannot be read, so the snapshot would lack it
    WouldOverwrite        the files are not the ones that the caller knows of
    NestedRepository      a repository of its own lies where files are to be written
    WorktreeExists        this name is taken, by a worktree of another base
    WorktreeMissing       the worktree's folder is gone
    WorktreeHoldsWork     removing it would lose work
    Unremovable           something in a worktree's folder cannot be deleted
    FolderTaken           something else lies where the worktree is to be
    BranchTaken           a branch of the user's has the name that ours needs
    NoPortsLeft           every port base is taken by a live worktree
    Unresolved            conflict markers are left in files
    NoTarget              nobody said which branch to merge into
    TargetMissing         the branch to merge into does not exist
    TargetMoved           the branch to merge into is not where the caller saw it
    TargetDirty           the branch is checked out, with changes that a merge would touch
    TargetBusy            the checkout of the branch is in the middle of something
    CheckoutBehind        the branch was moved, but its checkout could not follow
    UnrelatedHistories    the two sides have no commit in common
"""

from collections.abc import Sequence

from holdfast.eventlog import HoldfastError

MOST_PATHS = 5


def some(paths: Sequence[str]) -> str:
    """Name the first few of many paths."""
    named = ", ".join(map(repr, paths[:MOST_PATHS]))
    more = len(paths) - MOST_PATHS
    return f"{named} and {more} more" if more > 0 else named


def short(ref: str) -> str:
    """Return a branch's name as people say it."""
    return ref.removeprefix("refs/heads/")


class WorkspaceError(HoldfastError):
    code = "workspace"


class GitMissing(WorkspaceError):
    code = "git_missing"
    exit_status = 2

    def __init__(self, minimum: str) -> None:
        super().__init__(
            f"there is no git program on the PATH. Workspaces need git {minimum} or newer: install it"
        )
        self.minimum = minimum


class GitTooOld(WorkspaceError):
    code = "git_too_old"
    exit_status = 2

    def __init__(self, found: str, minimum: str) -> None:
        super().__init__(
            f"git is {found!r}; workspaces need git {minimum} or newer, which can merge without a "
            "checkout. Install a newer git, or put it first on the PATH"
        )
        self.found, self.minimum = found, minimum


class GitFailed(WorkspaceError):
    code = "git_failed"

    def __init__(
        self, command: Sequence[str], folder: str, status: int, stderr: str, stdout: str = ""
    ) -> None:
        lines = [line for line in stderr.strip().splitlines() if not line.startswith("hint:")]
        why = "; ".join(lines[-3:]) or "it said nothing"
        super().__init__(
            f"git {' '.join(command)} ended with status {status} in {folder!r}: {why}. "
            "Mend what git names, then try again: nothing that was committed is lost"
        )
        self.command, self.folder, self.status, self.stderr = list(command), folder, status, stderr
        self.stdout = stdout


class RepositoryBusy(WorkspaceError):
    code = "repository_busy"

    def __init__(self, folder: str, lock: str) -> None:
        super().__init__(
            f"another git process holds {lock!r} in {folder!r}. Wait for it to end, then try again; "
            "if none is running, one was killed: remove that file"
        )
        self.folder, self.lock = folder, lock


class GitUnsafe(WorkspaceError):
    code = "git_unsafe"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path!r} is a link or a special file, by which git would write elsewhere. A program in a "
            "sandbox may have left it. Look where it leads, remove it, then resume"
        )
        self.path = path


class NotARepository(WorkspaceError):
    code = "not_a_repository"
    exit_status = 2

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"{folder!r} is in no git repository, so there is nothing to make worktrees of. "
            "Make one with: git init"
        )
        self.folder = folder


class UntrustedRepository(WorkspaceError):
    code = "untrusted_repository"
    exit_status = 2

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"git does not trust the repository in {folder!r}, because another user owns it. If you "
            f"do, say: git config --global --add safe.directory {folder}"
        )
        self.folder = folder


class BareRepository(WorkspaceError):
    code = "bare_repository"
    exit_status = 2

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"{folder!r} is a bare repository: it has no files to work on. Let the run make a "
            "worktree of it, or work in a clone"
        )
        self.folder = folder


class NoCommits(WorkspaceError):
    code = "no_commits"
    exit_status = 2

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"nothing has been committed in {folder!r} yet, so there is no base for a worktree. "
            "Commit something, or start from a snapshot of the files"
        )
        self.folder = folder


class NoSuchCommit(WorkspaceError):
    code = "no_such_commit"
    exit_status = 2

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(
            f"{name!r} is no commit, branch or snapshot in {folder!r}. It may have been removed by "
            "gc after its run was forgotten; see what there is with: git for-each-ref"
        )
        self.name, self.folder = name, folder


class NoSuchFile(WorkspaceError):
    code = "no_such_file"
    exit_status = 2

    def __init__(self, path: str, tree: str) -> None:
        super().__init__(
            f"there is no file {path!r} in the snapshot {tree[:12]!r}. List its files without a path"
        )
        self.path, self.tree = path, tree


class StateUnwritable(WorkspaceError):
    code = "state_unwritable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path!r} cannot be written: {reason}. Snapshots and worktrees need the repository's "
            "git folder: make room, or give write access to it"
        )
        self.path, self.reason = path, reason


class TooMuchUntracked(WorkspaceError):
    code = "too_much_untracked"
    exit_status = 2

    def __init__(self, folder: str, *, files: int, size_bytes: int) -> None:
        super().__init__(
            f"the folder {folder!r} has {files:,} untracked files with {size_bytes / 1e6:,.0f} MB, "
            "which is too much to keep with every step. If they can be made again, add the folder to "
            ".gitignore; if they belong to the work, commit them"
        )
        self.folder, self.files, self.size_bytes = folder, files, size_bytes


class Unreadable(WorkspaceError):
    code = "unreadable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path!r} cannot be taken into a snapshot: {reason}. Make it readable, or add it to "
            ".gitignore"
        )
        self.path, self.reason = path, reason


class WouldOverwrite(WorkspaceError):
    code = "would_overwrite"

    def __init__(self, folder: str, paths: Sequence[str]) -> None:
        super().__init__(
            f"files in {folder!r} are not as the run left them: {some(paths)}. Nothing was changed. "
            "Commit them, or restore without care: what is there now is kept in a snapshot first"
        )
        self.folder, self.paths = folder, list(paths)


class NestedRepository(WorkspaceError):
    code = "nested_repository"

    def __init__(self, folder: str, paths: Sequence[str]) -> None:
        super().__init__(
            f"git repositories of their own lie where files are to be restored in {folder!r}: "
            f"{some(paths)}. Nothing was changed. Move them away, then restore again"
        )
        self.folder, self.paths = folder, list(paths)


class WorktreeExists(WorkspaceError):
    code = "worktree_exists"
    exit_status = 2

    def __init__(self, run: str, name: str, folder: str, *, base: str, wanted: str) -> None:
        super().__init__(
            f"run {run!r} has a worktree {name!r} in {folder!r} already, made from {base[:12]!r} "
            f"and not from {wanted[:12]!r}. Choose another name, or remove that one first"
        )
        self.run, self.name, self.folder, self.base, self.wanted = run, name, folder, base, wanted


class WorktreeMissing(WorkspaceError):
    code = "worktree_missing"

    def __init__(self, run: str, name: str, folder: str) -> None:
        super().__init__(
            f"the worktree {name!r} of run {run!r} is gone from {folder!r}. Its last snapshot is "
            "kept: make it again from there"
        )
        self.run, self.name, self.folder = run, name, folder


class WorktreeHoldsWork(WorkspaceError):
    code = "worktree_holds_work"

    def __init__(self, folder: str, reason: str) -> None:
        super().__init__(
            f"the worktree {folder!r} is kept: {reason}. Merge it or move that away first"
        )
        self.folder, self.reason = folder, reason


class Unremovable(WorkspaceError):
    code = "unremovable"

    def __init__(self, folder: str, path: str, reason: str) -> None:
        super().__init__(
            f"the worktree {folder!r} is only partly removed: {path!r} cannot be: {reason}. All work in "
            "it was kept before. Remove that by hand, then try again"
        )
        self.folder, self.path, self.reason = folder, path, reason


class FolderTaken(WorkspaceError):
    code = "folder_taken"
    exit_status = 2

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"{folder!r} is not empty and no worktree that git knows, so none can be made there. "
            "If it was moved, say: git worktree repair; else move it away, or choose another name"
        )
        self.folder = folder


class BranchTaken(WorkspaceError):
    code = "branch_taken"
    exit_status = 2

    def __init__(self, branch: str, reason: str) -> None:
        super().__init__(
            f"the branch {branch!r} cannot be made for a worktree: {reason}. Rename or delete that "
            "branch with: git branch -m"
        )
        self.branch, self.reason = branch, reason


class NoPortsLeft(WorkspaceError):
    code = "no_ports_left"

    def __init__(self, taken: int) -> None:
        super().__init__(
            f"all {taken} port bases are taken by live worktrees. Remove worktrees of finished runs"
        )
        self.taken = taken


class Unresolved(WorkspaceError):
    code = "unresolved"

    def __init__(self, folder: str, paths: Sequence[str]) -> None:
        super().__init__(
            f"conflict markers are left in {folder!r}: {some(paths)}. Resolve them, then merge again"
        )
        self.folder, self.paths = folder, list(paths)


class NoTarget(WorkspaceError):
    code = "no_target"
    exit_status = 2

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the worktree {name!r} was made where no branch was checked out, so there is none to "
            "merge it into. Say which: into="
        )
        self.name = name


class TargetMissing(WorkspaceError):
    code = "target_missing"
    exit_status = 2

    def __init__(self, target: str, folder: str) -> None:
        super().__init__(
            f"there is no branch {target!r} to merge into in {folder!r}. Make it with: "
            f"git branch {target} COMMIT"
        )
        self.target, self.folder = target, folder


class TargetMoved(WorkspaceError):
    code = "target_moved"

    def __init__(self, target: str, *, expected: str, actual: str) -> None:
        super().__init__(
            f"the branch {short(target)!r} is at {actual[:12]!r}, not {expected[:12]!r}: somebody else "
            "committed to it. Look at what is new and merge again"
        )
        self.target, self.expected, self.actual = target, expected, actual


class TargetDirty(WorkspaceError):
    code = "target_dirty"

    def __init__(self, target: str, folder: str, paths: Sequence[str], reason: str) -> None:
        super().__init__(
            f"the branch {short(target)!r} is checked out in {folder!r} with {reason}: {some(paths)}. "
            "Nothing was changed. Commit or stash them there, then merge again"
        )
        self.target, self.folder, self.paths, self.reason = target, folder, list(paths), reason


class TargetBusy(WorkspaceError):
    code = "target_busy"

    def __init__(self, target: str, folder: str, reason: str) -> None:
        super().__init__(
            f"the branch {short(target)!r} is checked out in {folder!r}, {reason}. Nothing was changed. "
            "Let that end, then merge again"
        )
        self.target, self.folder, self.reason = target, folder, reason


class CheckoutBehind(WorkspaceError):
    code = "checkout_behind"

    def __init__(self, target: str, folder: str, reason: str) -> None:
        super().__init__(
            f"the branch {short(target)!r} was merged into, but its files in {folder!r} could not all be "
            f"written: {reason}. Mend that and merge again, which finishes it; commit nothing there "
            "before"
        )
        self.target, self.folder, self.reason = target, folder, reason


class UnrelatedHistories(WorkspaceError):
    code = "unrelated_histories"

    def __init__(self, target: str, source: str) -> None:
        super().__init__(
            f"{source!r} and the branch {short(target)!r} have no commit in common, so there is nothing to "
            f"compare them with. Join them by hand: git merge --allow-unrelated-histories {source}; then merge "
            "again, which finds that done"
        )
        self.target, self.source = target, source
