"""The split that a frame belongs to: train, val, test."""

from usfm.store.dataset import Dataset
from usfm.store.labels.contract import Kind


class Split(Kind):
    """The name of a frame's split."""

    name, home = "split", "/labels/split"
    datasets = (Dataset("/labels/split", "str", "(N,)", "", "train, val, test or '' = not assigned", ""),)

    def checked(self, given: str, head: dict, shape: tuple[int, ...]) -> str | None:
        """See `Kind`."""
        return given or None

    def token(self, value: str, head: dict) -> str:
        """See `Kind`."""
        return f"s={value}"

    def columns(self, kept, frames: int, head: dict) -> dict:
        """See `Kind`."""
        return {self.home: [kept.get(row, "") for row in range(frames)]} if kept else {}

    def of_frame(self, file, row: int) -> str | None:
        """See `Kind`."""
        return file.column(self.home)[row] or None


SPLIT = Split()
