"""From a settings dataclass to a command line: every flag, help text and default comes from its one line."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import click
import typer
import typer.core

from usfm import config as settings_of
from usfm import console
from usfm.cli import closing
from usfm.cli.table import Command
from usfm.errors import GateError

ALWAYS = (
    ("config", str, "--config", "TOML file; section = command, key = option; flags win", "Running"),
    ("json", bool, "--json", "one JSON object on stdout instead of the path", "Running"),
    ("quiet", bool, "--quiet,-q", "only warnings and errors", "Running"),
    ("verbose", bool, "--verbose,-v", "say more", "Running"),
)
SHORT = {"--in": "-i", "--out": "-o"}
"""Flags that have a letter too."""

STORES = "stores"
"""Name of the argument that takes stores by position, for commands with ``--in``."""

_ARGUMENT_HELP: dict[str, str] = {}


class Paneled(typer.core.TyperCommand):
    """Help whose options stand under the headings of their knobs, with examples below.

    Plain text: typer's rich panels import markdown and syntax highlighting, which doubles the time of ``--help``.
    """

    examples: tuple[str, ...] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments and, panel by panel, the options; then the examples.

        Args:
            ctx: click's context of the command.
            formatter: takes the lines.
        """
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Argument):  # typer's own record escapes for rich
                text = _ARGUMENT_HELP.get(str(parameter.name), "")  # click 8.5 loses the one that typer 0.20 gives it
                panels.setdefault("Arguments", []).append((parameter.make_metavar(ctx), text))
            elif (record := parameter.get_help_record(ctx)) is not None:
                panels.setdefault(getattr(parameter, "rich_help_panel", None) or "Running", []).append(record)
        for heading in sorted(panels, key=lambda each: (each == "Running", each != "Arguments")):
            with formatter.section(heading):
                formatter.write_dl(panels[heading], col_max=34)
        with formatter.section("Examples"):
            formatter.write("".join(f"  {line}\n" for line in self.examples))  # unwrapped, to be copied


def paneled(command: Command) -> type[Paneled]:
    """The help of one command."""
    return type("Paneled", (Paneled,), {"examples": command.examples})


def _help(setting: settings_of.Setting, *, required: bool = False) -> str:
    knob = setting.knob
    notes = []
    if knob.choices:
        notes.append("|".join(knob.choices))
    if setting.default not in (None, (), False, "") or (setting.default is False and not knob.flag):
        value = {True: "on", False: "off"}[setting.default] if setting.kind is bool else setting.default
        shown = ",".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else value
        notes.append(f"default {shown}{' ' + knob.unit if knob.unit else ''}")
    elif knob.unit:
        notes.append(knob.unit)
    return knob.help + (f" ({'; '.join(notes)})" if notes else "") + (" [required]" if required else "")


def _completed(setting: settings_of.Setting) -> Callable[[str], list[str]] | None:
    """What the shell offers for a setting; None where it is to offer files."""
    offers = setting.knob.offers

    def complete(incomplete: str) -> list[str]:
        words = setting.knob.choices if offers is None else offers()
        return [word for word in words if word.startswith(incomplete)]

    return complete if setting.knob.choices or offers is not None else None


def _keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _argument(setting: settings_of.Setting, shown: str) -> inspect.Parameter:
    text = _ARGUMENT_HELP[setting.name] = _help(setting)
    kind: Any = list[setting.kind] if setting.many else setting.kind  # type: ignore[name-defined]
    extra: Any = typer.Argument(metavar=shown, help=text, show_default=False, autocompletion=_completed(setting))
    if not shown.startswith("[") and not setting.optional and setting.default in ("", (), None):
        return _keyword(setting.name, Annotated[kind, extra], inspect.Parameter.empty)
    return _keyword(setting.name, Annotated[kind | None, extra])


def _option(setting: settings_of.Setting, flag: str, *, required: bool) -> inspect.Parameter:
    if setting.kind is bool and not setting.knob.flag:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    kind: Any = list[setting.kind] if setting.many else setting.kind  # type: ignore[name-defined]
    extra = typer.Option(
        *[flag, *([SHORT[flag]] if flag in SHORT else [])],
        help=_help(setting, required=required),
        rich_help_panel=setting.knob.panel,
        show_default=False,
        metavar=setting.knob.metavar or None,
        autocompletion=_completed(setting),
    )
    return _keyword(setting.name, Annotated[kind | None, extra])


def _parameters(command: Command) -> list[inspect.Parameter]:
    """Everything that a command takes, arguments first: typer takes the order of the signature for positionals."""
    arguments = dict(command.arguments)
    first, rest = [], []
    for setting in settings_of.describe(command.config):
        if setting.name in arguments:
            first.append(_argument(setting, arguments[setting.name]))
        else:
            rest.append(_option(setting, setting.flag, required=setting.name in command.required))
    for setting in settings_of.describe(settings_of.Request):
        if setting.name in command.without or (setting.name == "inputs" and not command.inputs):
            continue
        flag = "--in" if setting.name == "inputs" else setting.flag
        if setting.name == "inputs" and command.inputs != "--in":
            first.append(_argument(setting, command.inputs))
            continue
        if setting.name == "inputs":
            _ARGUMENT_HELP[STORES] = "the same as --in"
            extra = typer.Argument(metavar="[STORE]...", help=_ARGUMENT_HELP[STORES], show_default=False)
            first.append(_keyword(STORES, Annotated[list[str] | None, extra]))
        rest.append(_option(setting, flag, required=setting.name in (*command.required, "inputs")))
    for name, kind, flags, text, panel in ALWAYS:
        extra = typer.Option(*flags.split(","), help=text, rich_help_panel=panel, show_default=False)
        rest.append(_keyword(f"_{name}", Annotated[kind | None, extra]))
    return first + rest


def function_of(command: Command, sections: tuple[str, ...]) -> Callable[..., None]:
    """Build the function that typer turns into this command.

    Args:
        command: What to build.
        sections: All commands' names: the sections that a ``--config`` file may have.

    Returns:
        The function, whose signature holds every option of the command.
    """

    def call(**values: Any) -> None:
        console.configure(quiet=bool(values["_quiet"]), verbose=bool(values["_verbose"]), as_json=bool(values["_json"]))
        typed = {key: value for key, value in values.items() if value is not None and value != []}
        if STORES in typed:
            typed["inputs"] = [*typed.pop(STORES), *typed.get("inputs", [])]
        config, request = _settings(command, typed, sections)
        _finish(command, command.run(config, request), request)

    parameters = _parameters(command)
    call.__name__ = command.name
    call.__doc__ = command.sentence
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    return call


def _settings(command: Command, typed: dict[str, Any], sections: tuple[str, ...]) -> tuple[Any, settings_of.Request]:
    """The command's own settings and the shared ones, from the file and the flags."""
    file = typed.get("_config")
    if file is not None:
        settings_of.read_section(command.name, file, sections)
    own = [setting.name for setting in settings_of.describe(command.config)]
    common = [setting.name for setting in settings_of.describe(settings_of.Request)]
    flags = {key: typed[key] for key in own if key in typed}
    config = settings_of.resolve(command.config, command.name, file, flags, beside=common)
    shared = {key: typed[key] for key in common if key in typed}
    request = settings_of.resolve(settings_of.Request, command.name, file, shared, beside=own)
    for one in (config, request):
        settings_of.refuse_empty(one, command.name, typed)
    return config, request


def _finish(command: Command, summary: dict, request: settings_of.Request) -> None:
    """Say what was made and what to type next, and put the result on stdout."""
    if not summary.get("dry_run"):
        if sentence := closing.made(summary):
            console.say(f"{command.name}: {sentence} ({summary['seconds']:.1f} s)")
        if line := closing.following(summary, request.inputs):
            console.say(f"next: {line}")
            summary = {**summary, "next": line}
    gate = summary.pop("failed_gate", None)
    console.result(summary)
    if gate:
        raise GateError(gate)
    if not request.strict:
        return
    if summary.get("rejected") or summary.get("sources_rejected") or summary.get("leaks"):
        raise GateError("the work is done, but --strict was asked for and inputs were rejected or leaks found.")
    if summary.get("missing"):
        lacks = ", ".join(summary["missing"])
        raise GateError(f"the work is done, but --strict was asked for and files of the layout are missing: {lacks}.")
