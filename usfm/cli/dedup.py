"""``usfm dedup``: Keep one frame of each group of near-duplicates."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.curate.dedup.config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.curate.dedup.run import run

    return run(config, request)


COMMAND = Command("dedup", "Keep one frame of each group of near-duplicates.", Config, _run)
