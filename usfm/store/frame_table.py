"""A store's columns as one table of pandas, a row a frame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from usfm.errors import RequestError
from usfm.store.schema import FRAMES

if TYPE_CHECKING:
    import pandas


def frame_table(store: Any, rows: Sequence[int] | None) -> "pandas.DataFrame":
    """Make what `Store.pandas` says.

    Args:
        store: a `reader.Store`.
        rows: frames to show, None for all.

    Returns:
        One row a frame.

    Raises:
        RequestError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise RequestError(
            "tables of pandas need pandas; install usfm-ultrasound with its extra 'tables', or read columns as arrays "
            "with Store.column."
        ) from None
    kept = slice(None) if rows is None else np.asarray(rows, np.int64)
    columns = {name: store.column(name)[kept] for name in FRAMES if not name.startswith("pixels_")}
    for name in store.source_columns:
        if name == "name_hashes":  # they stay in the store: a table goes to others
            continue
        columns[f"source_{name}" if name in FRAMES else name] = store.of_frames(name)[kept]
    columns["class"] = np.array([*store.class_names, ""], object)[store.labels_class()[kept]]
    columns["split"] = store.split()[kept]
    several = store.labels_multi()
    if several is not None:
        columns |= {f"multi/{name}": several[kept, k] for k, name in enumerate(store.multi_names)}
    columns |= {f"value/{name}": store.values(name)[kept] for name in store.value_names}
    columns |= {f"score/{name}": store.scores(name)[kept] for name in store.score_names}
    columns["has_mask"], columns["has_boxes"] = store.has_masks()[kept], store.has_boxes()[kept]
    return pandas.DataFrame(columns)
