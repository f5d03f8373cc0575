"""From a settings dataclass to a command line: every flag, help text and default comes from its one line."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import click
import typer
import typer.core

from usfm import config as settings_of
from usfm import console
from usfm.errors import GateError

ALWAYS = (
    ("config", str, "--config", "TOML file; section = command, key = option; flags win", "Running"),
    ("json", bool, "--json", "one JSON object on stdout instead of the path", "Running"),
    ("quiet", bool, "--quiet,-q", "no progress, no messages", "Running"),
    ("verbose", bool, "--verbose,-v", "say more", "Running"),
)


@dataclass(frozen=True)
class Command:
    """One command as the front door knows it.

    Args:
        name: What the user types.
        sentence: The one sentence that says what it does.
        config: Settings dataclass of the room.
        run: Called with (config, request); returns the summary that ``--json`` prints.
        inputs: How the inputs are given: ``--in``, as arguments with this name, or not at all.
        arguments: Settings that are arguments instead of flags, with the name that help shows.
        without: Fields of ``Request`` that have no meaning here, so that the option is absent.
        out: "path" to print the path; "text" when the command has printed its result already.
        closing: Makes the last sentence on stderr out of the summary; default: how many frames went where.
    """

    name: str
    sentence: str
    config: type
    run: Callable[[Any, settings_of.Request], dict]
    inputs: str = "--in"
    arguments: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()
    out: Literal["path", "text"] = "path"
    closing: Callable[[dict], str] | None = None


_ARGUMENT_HELP: dict[str, str] = {}


class Paneled(typer.core.TyperCommand):
    """Help whose options stand under the headings of their knobs.

    Plain text: typer's rich panels import markdown and syntax highlighting, which doubles the time of ``--help``.
    """

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments and, panel by panel, the options."""
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


def _help(setting: settings_of.Setting) -> str:
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
    return knob.help + (f" ({'; '.join(notes)})" if notes else "")


def _parameter(setting: settings_of.Setting, argument: str | None, flag: str = "") -> inspect.Parameter:
    if argument is not None:
        _ARGUMENT_HELP[setting.name] = _help(setting)
        kind: Any = list[setting.kind] if setting.many else setting.kind  # type: ignore[name-defined]
        extra: Any = typer.Argument(metavar=argument, help=_help(setting), show_default=False)
        default = inspect.Parameter.empty if not setting.optional and setting.default in ("", (), None) else None
        annotation = Annotated[kind if default is inspect.Parameter.empty else kind | None, extra]
        return inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    flag = flag or setting.flag
    if setting.kind is bool and not setting.knob.flag:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    kind = list[setting.kind] if setting.many else setting.kind  # type: ignore[name-defined]
    extra = typer.Option(
        *flag.split(","),
        help=_help(setting),
        rich_help_panel=setting.knob.panel,
        show_default=False,
        metavar=setting.knob.metavar or None,
    )
    annotation = Annotated[kind | None, extra]
    return inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _parameters(command: Command) -> list[inspect.Parameter]:
    arguments = dict(command.arguments)
    parameters = []
    for setting in settings_of.describe(command.config):
        parameters.append(_parameter(setting, arguments.get(setting.name)))
    for setting in settings_of.describe(settings_of.Request):
        if setting.name in command.without or (setting.name == "inputs" and not command.inputs):
            continue
        if setting.name == "inputs":
            positional = None if command.inputs.startswith("-") else command.inputs
            parameters.append(_parameter(setting, positional, flag="--in"))
        else:
            parameters.append(_parameter(setting, None))
    for name, kind, flag, text, panel in ALWAYS:
        extra = typer.Option(*flag.split(","), help=text, rich_help_panel=panel, show_default=False)
        parameters.append(
            inspect.Parameter(
                f"_{name}", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, extra]
            )
        )
    # Arguments first, in the order of the table: typer takes the order of the signature for positionals.
    order = [*arguments, *(["inputs"] if command.inputs and not command.inputs.startswith("-") else [])]
    return sorted(parameters, key=lambda each: order.index(each.name) if each.name in order else len(order))


def function_of(command: Command, sections: tuple[str, ...]) -> Callable[..., None]:
    """Build the function that typer turns into this command.

    Args:
        command: What to build.
        sections: All commands' names: the sections that a ``--config`` file may have.
    """
    own = [setting.name for setting in settings_of.describe(command.config)]
    common = [setting.name for setting in settings_of.describe(settings_of.Request)]

    def call(**values: Any) -> None:
        console.configure(quiet=bool(values["_quiet"]), verbose=bool(values["_verbose"]), as_json=bool(values["_json"]))
        typed = {key: value for key, value in values.items() if value is not None and value != []}
        file = values["_config"]
        if file is not None:
            settings_of.read_section(command.name, file, sections)
        flags = {key: typed[key] for key in own if key in typed}
        config = settings_of.resolve(command.config, command.name, file, flags, beside=common)
        shared = {key: typed[key] for key in common if key in typed}
        request = settings_of.resolve(settings_of.Request, command.name, file, shared, beside=own)
        for one in (config, request):
            settings_of.refuse_empty(one, command.name, typed)
        summary = command.run(config, request)
        _finish(command, summary, strict=request.strict)

    call.__name__ = command.name
    call.__doc__ = command.sentence
    call.__signature__ = inspect.Signature(_parameters(command))  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in _parameters(command)}
    return call


def _finish(command: Command, summary: dict, *, strict: bool) -> None:
    if command.closing is not None and not summary.get("dry_run"):
        console.say(f"{command.name}: {command.closing(summary)} ({summary['seconds']:.1f} s)")
    elif summary.get("frames_in") is not None and not summary.get("dry_run"):
        console.say(
            f"{command.name}: {summary['frames_in']:,} frames in = {summary['frames_out']:,} out"
            f" + {summary['dropped']:,} dropped + {summary['rejected']:,} rejected"
            f" ({summary['seconds']:.1f} s)"
        )
    console.result(summary) if command.out == "path" or summary.get("json") else console.result(
        {**summary, "out": None}
    )
    if strict and (summary.get("rejected") or summary.get("sources_rejected") or summary.get("leaks")):
        raise GateError("the work is done, but --strict was asked for and inputs were rejected or leaks found.")
