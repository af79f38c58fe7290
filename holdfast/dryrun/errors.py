"""Errors of a dry run.

HoldfastError
  DryRunError
    CannotSample       no sample can be made of a type
    SampleInvalid      a sample that was given does not fit where it is used
    Unending      the workflow computes without an end
"""

from holdfast.eventlog import HoldfastError


class DryRunError(HoldfastError):
    code = "dry_run"
    exit_status = 2


class CannotSample(DryRunError):
    code = "cannot_sample"

    def __init__(self, where: str, reason: str, hint: str) -> None:
        super().__init__(f"no sample can be made for {where}: {reason}. Give one with {hint}")
        self.where, self.reason = where, reason


class SampleInvalid(DryRunError):
    code = "sample_invalid"

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(
            f"the sample for {key!r} does not fit it: {reason}. Give one that does: "
            f"--sample '{key}=JSON'"
        )
        self.key, self.reason = key, reason


class Unending(BaseException):
    """Raised within a workflow that computes without an end, so that its handlers do not take it."""

    code = "unending"
