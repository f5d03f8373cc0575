"""The steps that a store has been through: one JSON object a step."""

import json
from collections.abc import Sequence

_KINDS = {"command": str, "options": dict, "inputs": list, "software": dict, "counts": dict, "figures": dict,
          "seconds": (int, float), "seed": int, "content_id": str}  # fmt: skip
"""What the entries of a step are."""


def step_of(text: str) -> dict:
    """One step of a history, from the JSON that is stored.

    Raises:
        ValueError: it is no step.

    Examples:
        >>> step_of('{"command": "clean"}')
        {'command': 'clean'}
    """
    try:
        step = json.loads(text)
    except RecursionError:
        raise ValueError("JSON within JSON without end") from None
    if not isinstance(step, dict):
        raise ValueError("a step that is no object")
    for name, kind in _KINDS.items():
        if name in step and not isinstance(step[name], kind):
            raise ValueError(f"a step whose {name} is of another type")
    if not all(value is None or isinstance(value, (int, float)) for value in step.get("counts", {}).values()):
        raise ValueError("a step whose counts are no numbers")
    return step


def joined(histories: Sequence[Sequence[dict]]) -> list[dict]:
    """Histories of several inputs as one, oldest first; steps that they share appear once."""
    steps: list[dict] = []
    for history in histories:
        steps += [step for step in history if step not in steps]
    return steps


def command_line(step: dict, out: str = "") -> str:
    """The command that made a step, with the input paths left for the user to fill in.

    Args:
        step: one entry of the history.
        out: path that it should write.

    Returns:
        One line, quoted for a shell.

    Examples:
        >>> command_line({"command": "clean", "options": {"text": "none", "gray_markers": False}}, "c.h5")
        'usfm clean --in INPUT --text none --no-gray-markers --out c.h5 --overwrite'
        >>> command_line({"command": "extract", "options": {"fps": "3", "manifest": "sha256:00ff"}})
        'usfm extract SRC --fps 3 --manifest FILE'
        >>> command_line({"command": "select", "inputs": ["ab"], "options": {"withdraw": "key:00ff"}})
        'usfm select --in INPUT --withdraw ID'
    """
    command = str(step.get("command", "?"))
    inputs = max(len(step.get("inputs", [])), 1)
    words = ["usfm", command] + (["SRC"] if command == "extract" else ["--in", "INPUT"] * inputs)
    for name, value in step.get("options", {}).items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, (list, tuple)):
            words += [word for one in value for word in (f"--{flag}", _shown(name, one))]
        elif value is not None and value != "":
            words += [f"--{flag}", _shown(name, value)]
    if step.get("seed"):
        words += ["--seed", str(step["seed"])]
    return " ".join(words + (["--out", _quoted(out), "--overwrite"] if out else []))


_STANDS = dict.fromkeys(("group", "label_regex", "mask_pattern"), "REGEX") | {"where": "EXPRESSION", "withdraw": "ID"}
"""What stands for a digest that is not of a file."""


def _shown(name: str, value: object) -> str:
    """A value as a person types it: of what the history hides, what the user has to fill in."""
    return _STANDS.get(name, "FILE") if str(value).startswith(("sha256:", "key:")) else _quoted(value)


def _quoted(value: object) -> str:
    import shlex

    return shlex.quote(str(value))
