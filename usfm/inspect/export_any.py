"""Hand a run's encoder or a store's frames and labels to other programs."""

from pathlib import Path

from usfm.config import Request
from usfm.errors import RequestError
from usfm.inspect.export_config import OF_STORES, Config

_HDF5 = b"\x89HDF\r\n\x1a\n"


def run(config: Config, request: Request) -> dict:
    """Export a store or a run, as ``--to`` says; see `export_store` and `export`.

    Args:
        config: how to export; `to` decides which of the two.
        request: common options; `inputs` names the store or run, `out` the result.

    Returns:
        The summary.

    Raises:
        RequestError: The format does not fit what was given.
    """
    if config.to in OF_STORES:
        from usfm.inspect import export_store

        return export_store.run(config, request)
    if config.to == "splits":
        from usfm.inspect import export_splits

        return export_splits.run(request)
    for path in request.inputs:
        if _is_store(Path(path)):
            raise RequestError(
                f"{path}: is a store, and --to {config.to} takes a run; use --to {', '.join(OF_STORES)}."
            )
    from usfm.inspect import export, export_run

    if config.to == "onnx" and len(request.inputs) == 1 and export_run.is_run(Path(request.inputs[0])):
        return export_run.run(config, request)
    return export.run(config, request)


def _is_store(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_HDF5)) == _HDF5
    except (OSError, ValueError):
        return False
