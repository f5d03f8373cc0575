import io

import numpy as np
import pytest
from PIL import Image

from usfm.pictures import matrix


@pytest.mark.parametrize("classes", [1, 2, 5])
def test_a_confusion_matrix_of_any_size_is_drawn_even_with_an_empty_class(tmp_path, classes):
    counts = np.arange(classes * classes).reshape(classes, classes)
    counts[0] = 0
    png = matrix.confusion(
        tmp_path / "m.png", counts, [f"class number {k} of many" for k in range(classes)], title="run"
    )
    assert Image.open(io.BytesIO(png)).size[0] > 200
    assert (tmp_path / "m.png").exists()
