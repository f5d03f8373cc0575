"""The settings of an encoder that every command means in the same way, each once."""

from usfm.config import Knob

SPEC = (
    "run directory, checkpoint file, timm:NAME, timm:NAME@FILE, medclip:FILE, openclip:FILE, vectors:FILE.h5, "
    "random:RUN or random"
)
PANEL = "Encoder"


def encoder() -> Knob:
    """Which encoder."""
    return Knob(SPEC, panel=PANEL, metavar="SPEC", content=False)


def pool() -> Knob:
    """How its tokens become a vector."""
    return Knob("how tokens become one vector", choices=("mean", "cls", "meanstd"), panel=PANEL)


def tap() -> Knob:
    """Which block's tokens."""
    return Knob(
        "block of a transformer, from 1, whose tokens make the vector, each normed by itself (default: behind its last "
        "norm)",
        low=1,
        panel=PANEL,
    )


def resize(panel: str = PANEL) -> Knob:
    """How a frame gets the size that it takes."""
    text = "how a frame fits the encoder's square; auto: as the authors of its weights do, letterbox for ours"
    return Knob(text, choices=("auto", "letterbox", "stretch"), panel=panel, content=False)


def download(panel: str = PANEL) -> Knob:
    """Whether the hub may be asked for weights."""
    return Knob("let timm:NAME fetch weights from the hub", panel=panel, content=False, flag="--download")


def batch_size() -> Knob:
    """Frames that go through it at once."""
    return Knob("in one pass of the encoder", unit="frames", low=1, panel=PANEL, content=False)
