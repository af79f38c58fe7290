"""Which HTTP status an error has. Pure."""

from holdfast.eventlog import HoldfastError

_STATUSES = {
    401: "token_missing",
    403: "foreign_host foreign_origin caller_gone caller_hides inside_run not_allowed in_sandbox",
    404: """
        no_such_route no_such_page no_such_run no_such_branch no_such_gate no_such_step no_such_frame no_such_offset
        no_files no_such_file no_such_schedule project
    """,
    409: """
        run_busy run_replaced run_ended run_exists branch_moved gate_closed gate_overdue gate_ambiguous
        already_decided run_cancelling not_paused subject_changed nothing_to_retry step_ambiguous
        files_edited schedule_exists log_in_use
    """,
    413: "body_too_large value_too_large",
    503: "log_busy",
    507: "log_unwritable",
}
STATUS_OF = {code: status for status, codes in _STATUSES.items() for code in codes.split()}


def status_of(error: HoldfastError) -> int:
    """Return the status of an error: what the caller did wrong is in the 400s, the rest in the 500s."""
    return STATUS_OF.get(error.code, 400 if error.exit_status == 2 else 500)
