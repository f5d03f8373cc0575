"""What went wrong while a video was decoded, and what a person should know of it."""

from usfm.errors import MediaError


class Faults:
    """What went wrong on the way, so that the good frames come first and the complaint last.

    Args:
        cut: Whether the file is cut short.

    Attributes:
        through: Whether the source was read to its end.
        lead: How many frames at the beginning lean on a key frame that is not there.
        lead_s: Seconds until the first good frame.
        corrupt: Time stamps of packets of which bytes are missing.
        gone: Time stamps of packets that failed, until ``soundness`` has drawn its conclusion.
        marks: Whether the container marks key frames at all; None until somebody has to know.
    """

    def __init__(self, cut: bool = False):
        self.cut = cut
        self.packets = 0
        self.first_s: float | None = None
        self.detail = ""
        self.through = False
        self.lead = 0
        self.lead_s = 0.0
        self.corrupt: set[int] = set()
        self.gone: list[int | None] = []
        self.marks: bool | None = None

    def packet(self, time_s: float | None, detail: str) -> None:
        """Note a packet that could not be decoded.

        Args:
            time_s: Of the packet, s; None where it is not known.
            detail: What the decoder said, in a few words.
        """
        self.packets += 1
        if self.first_s is None and time_s is not None:
            self.first_s = time_s
        self.detail = self.detail or detail

    def begun(self, lead: int, lead_s: float) -> None:
        """Note that the first good frame has come after so many lost ones; what failed before it is among those.

        Args:
            lead: Frames lost before.
            lead_s: Time that they would have taken, s.
        """
        self.lead, self.lead_s = lead, lead_s
        if lead:
            self.packets, self.first_s = 0, None
            self.gone.clear()

    def told(self, frames: int, last_s: float) -> list[MediaError]:
        """Return what a person should know about this source.

        Args:
            frames: Frames that came out of it.
            last_s: Time of the last one, seconds.

        Returns:
            One for each thing.

        Raises:
            MediaError: If nothing came out of it.
        """
        if frames == 0:
            if self.lead:
                raise MediaError("no key frame", "none of its frames can be decoded rightly, for want of a key frame.")
            if self.cut:
                raise MediaError("truncated", "the file is cut short, and no frame comes out of what is left.")
            reason = "not decodable" if self.packets else "no frames"
            raise MediaError(reason, self.detail or "the container opens, but no frame comes out of it.")
        if not self.packets:
            return []
        where = last_s if self.first_s is None else self.first_s
        packets = "1 packet" if self.packets == 1 else f"{self.packets} packets"
        return [
            MediaError("damaged", f"{packets} could not be decoded, the first at {where:.2f} s; the rest was kept.")
        ]


def lead_fault(frames: int, seconds: float) -> MediaError:
    """Return what to say about frames that are lost at the beginning.

    Args:
        frames: How many are lost.
        seconds: Until the first good one.

    Returns:
        A row of ``/rejected``.
    """
    what = "its first frame leans" if frames == 1 else f"its first {frames} frames lean"
    return MediaError(
        "no first key frame",
        f"{what} on a key frame that is missing or broken, until {seconds:.2f} s; what comes then was kept.",
    )
