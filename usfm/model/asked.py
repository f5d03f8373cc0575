"""The encoder that a command was asked for, by the settings that every command means in the same way."""

from typing import Protocol

from usfm.config import Request
from usfm.model import embedders


class Asked(Protocol):
    """The settings by which commands ask for an encoder; see `usfm.model.knobs`."""

    @property
    def encoder(self) -> str:
        """The SPEC."""
        ...

    @property
    def pool(self) -> str:
        """How its tokens become a vector."""
        ...

    @property
    def tap(self) -> int | None:
        """The block whose tokens make the vector, from 1."""
        ...

    @property
    def resize(self) -> str:
        """How a frame gets its size."""
        ...

    @property
    def download(self) -> bool:
        """Whether the hub may be asked."""
        ...


def asked_for(config: Asked, request: Request) -> embedders.Embedder:
    """Load the encoder that a command was asked for, and say what was found in its file.

    Args:
        config: names the encoder, and how frames enter it.
        request: common options; `device` and `seed` count.

    Returns:
        The encoder, ready to be called.
    """
    embedder = embedders.load(
        config.encoder,
        device=request.device,
        download=config.download,
        seed=request.seed,
        pool=config.pool,
        resize=config.resize,
        tap=config.tap or 0,
    )
    embedders.say(embedder)
    return embedder
