"""Settings of ``usfm select``."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob
from usfm.errors import RequestError

CAPS = ("dataset", "patient", "class")
WITHDRAW = "Withdrawal"


@dataclass(frozen=True)
class Config:
    """Which frames to take, and who has to go."""

    where: Annotated[
        str | None,
        Knob("condition on columns, such as \"dataset == 'pocus' and class in ['covid']\"", metavar="EXPRESSION"),
    ] = None
    cap: Annotated[int | None, Knob("keep at most so many of each --cap-by, by lot", unit="frames", low=1)] = None
    cap_by: Annotated[str, Knob("what --cap counts by", choices=CAPS)] = "patient"
    withdraw: Annotated[
        str | None,
        Knob("leave this patient out, by the id that the media had", panel=WITHDRAW, metavar="ID"),
    ] = None
    salt: Annotated[
        str | None,
        Knob(
            "key file of the pseudonyms that extract was given (default: USFM_SALT, else your own key file)",
            panel=WITHDRAW,
            metavar="FILE",
        ),
    ] = None
    search: Annotated[
        tuple[str, ...],
        Knob(
            "list the stores and runs below this folder that hold the patient; exit 3 if any does (may be repeated)",
            panel=WITHDRAW,
            metavar="DIR",
            content=False,
        ),
    ] = ()


def check(config: Config) -> None:
    """Refuse at once what has no meaning.

    Raises:
        RequestError: --salt or --search without --withdraw, or an expression that is none.
    """
    for flag, given in (("--salt", config.salt is not None), ("--search", bool(config.search))):
        if given and config.withdraw is None:
            raise RequestError(f"{flag} goes with --withdraw ID: say who is to be left out.")
    if config.withdraw is not None and not config.withdraw.strip():
        raise RequestError("--withdraw: the id is empty; give the one that the media had.")
    if config.where is not None:
        from usfm.inspect.select.expression import parsed

        parsed(config.where)
