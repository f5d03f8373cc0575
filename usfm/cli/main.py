"""``usfm``: the table of commands, and how an error becomes one sentence and an exit code."""

import errno
import os
import sys

import click
import typer

from usfm import __version__, console
from usfm.cli import shortage
from usfm.cli.options import function_of, paneled
from usfm.cli.table import COMMANDS
from usfm.config import did_you_mean
from usfm.errors import Interrupted, RequestError, UsfmError, WorkError


def _version(asked: bool) -> None:
    if asked:
        console.text(f"usfm {__version__}")
        raise typer.Exit


def build(only: str = "") -> click.Command:
    """Build the command line; imports the commands' settings, nothing heavy.

    Args:
        only: The one command that will be called; the others need not be built then, which halves the start-up.
    """
    app = typer.Typer(
        help="From piles of raw ultrasound to a foundation model and the evidence that it is good.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )

    @app.callback()
    def _top(
        version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
    ) -> None:
        pass

    for name in [only] if only in COMMANDS else COMMANDS:
        command = COMMANDS[name]
        app.command(name, help=command.sentence, cls=paneled(command))(function_of(command, tuple(COMMANDS)))
    return typer.main.get_command(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code that the contract gives (0, 1, 2, 3, 130)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        _stand_somewhere()
        if arguments and arguments[0] in COMMANDS and arguments[0] != "info" and not {"-h", "--help"} & {*arguments}:
            shortage.check_limit()
        code = build(only=arguments[0] if arguments else "").main(
            args=arguments, prog_name="usfm", standalone_mode=False
        )
        if code == Interrupted.exit_code:  # typer makes this of a KeyboardInterrupt that no room has caught
            raise KeyboardInterrupt
    except UsfmError as error:
        if debug:
            raise
        console.error(str(error))
        code = error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.UsageError as error:
        console.error(_usage_sentence(error, arguments))
        code = 2
    except (KeyboardInterrupt, click.Abort):
        console.error("interrupted; type the same command again to go on.")
        code = Interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more at exit
        code = WorkError.exit_code
    except Exception as error:
        sentence, code = _system_sentence(error)
        if debug or not sentence:
            raise
        console.error(sentence)
    sys.exit(code if isinstance(code, int) else 0)


def _stand_somewhere() -> None:
    try:
        os.getcwd()
    except OSError:
        raise RequestError("the working folder is not there any more; change to one that is (cd).") from None


def _system_sentence(error: Exception) -> tuple[str, int]:
    """What the system lacks or refuses, and the exit code for it; "" for what is a fault of ours."""
    if sentence := shortage.sentence_of(error):
        return sentence, WorkError.exit_code
    if not isinstance(error, OSError):
        return "", 1
    failed = error.errno in (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
    return _os_sentence(error), WorkError.exit_code if failed else RequestError.exit_code


def _os_sentence(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}the disk is full; free some space and type the same command again."
    if error.errno == errno.EFBIG:
        return f"{where}the file would pass the size limit of this system; raise it and type the same command again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where}no permission to do this; choose another --out or mend the permission."
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return f"{where}a file is in the way of a folder, or a folder of a file; choose another --out."
    if error.errno == errno.ENAMETOOLONG:
        return f"{where}the name is too long for this file system; choose another --out."
    if error.errno == errno.EIO:
        return f"{where}the disk gave a read or write error; check the disk, then type the same command again."
    if error.errno == errno.ENOENT:
        return f"{where}there is no such file or folder, or it went away meanwhile; check the path."
    if error.errno == errno.ELOOP:
        return f"{where}the link leads back to itself; remove it or give another path."
    why = " ".join((error.strerror or str(error) or type(error).__name__).split()).rstrip(".").lower()
    return f"{where}the system refused this ({why}); check the path and the disk, or add --debug to see where it was."


def _usage_sentence(error: click.UsageError, arguments: list[str]) -> str:
    """One sentence of what click says, with one guess at what was meant."""
    command = arguments[0] if arguments and arguments[0] in COMMANDS else ""
    help_of = f"usfm {command} --help" if command else "usfm --help"
    if isinstance(error, click.NoSuchOption):  # its own sentence lists guesses, and is another in each version
        known = [name for each in (error.ctx.command.params if error.ctx else []) for name in each.opts]
        near = _began(error.option_name, known) or did_you_mean(error.option_name, known)
        message = f"no such option '{error.option_name}'{near}".rstrip("?")
    elif (message := " ".join(error.format_message().split()).rstrip(".")).startswith("No such command"):
        message = f"no such command '{arguments[0]}'{did_you_mean(arguments[0], COMMANDS)}".rstrip("?")
    return f"{message}; see '{help_of}'."


def _began(typed: str, known: list[str]) -> str:
    """The option that what was typed goes on from, such as --in for --input.

    Examples:
        >>> _began("--input", ["--in", "--inpaint", "-i"]), _began("--inn", ["--out"])
        ("; did you mean '--in'?", '')
    """
    found = [name for name in known if name.startswith("--") and typed.startswith(name)]
    return f"; did you mean '{max(found, key=len)}'?" if found else ""
