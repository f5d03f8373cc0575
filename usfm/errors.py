"""Errors that a user can fix: each is one sentence saying what, where, and what to do."""


class UsfmError(Exception):
    """The work failed for a reason outside the program (exit code 1)."""

    exit_code = 1


class WorkError(UsfmError):
    """The request was right but the work could not be finished: full disk, no memory, nothing left (exit code 1)."""

    exit_code = 1


class RequestError(UsfmError):
    """The request was wrong: usage, missing file, not a store, output exists (exit code 2)."""

    exit_code = 2


def missing_extra(option: str, extra: str) -> RequestError:
    """The error for an option whose extra is not installed.

    Args:
        option: As the user typed it.
        extra: Name of the extra.

    Returns:
        The error, to be raised.

    Examples:
        >>> print(missing_extra("--log wandb", "log"))
        --log wandb needs the extra 'log'; in a clone of usfm type: pip install '.[log]'
    """
    return RequestError(f"{option} needs the extra '{extra}'; in a clone of usfm type: pip install '.[{extra}]'")


class GateError(UsfmError):
    """The work is done, but a gate that the user asked for failed (exit code 3)."""

    exit_code = 3


class Interrupted(UsfmError):
    """The user pressed Ctrl-C; what was finished is kept (exit code 130)."""

    exit_code = 130


class MediaError(Exception):
    """One source cannot be read; it becomes a row in ``/rejected`` and never ends a run.

    Args:
        reason: A short stable phrase, such as ``"truncated"``; summaries count by it.
        detail: A sentence for a person, without anything that names a patient.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)  # both in args, so that it survives pickling between processes
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason
