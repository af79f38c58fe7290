"""What is raised to end a program or a task, and in a run ends no more than a step or the workflow.

A function that is called in a step may be the main function of a script, and that one calls sys.exit.
"""

from typing import cast


def is_exit(error: BaseException) -> bool:
    """Tell whether it is SystemExit, asyncio's CancelledError, or a group of them and of errors.

    Everything else that is no Exception means this very process, and nobody may keep it.
    """
    if isinstance(error, BaseExceptionGroup):
        leaves = cast(BaseExceptionGroup[BaseException], error).exceptions
        are_meant = all(isinstance(each, Exception) or is_exit(each) for each in leaves)
        return are_meant and not isinstance(error, Exception)
    return isinstance(error, SystemExit) or any(map(_is_asyncios, type(error).__mro__))


def _is_asyncios(kind: type) -> bool:
    # By its name: whoever never imported asyncio is not to pay for it.
    return kind.__module__ == "asyncio.exceptions" and kind.__name__ == "CancelledError"
