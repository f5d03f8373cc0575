"""What --perturb asks for, and one map for all frames of a clip."""

import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.evaluate import robust
from usfm.evaluate.robust import Dose
from usfm.imaging.acoustic import PERTURBATIONS
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.writer import PartWriter


def test_a_name_alone_means_its_ladder():
    asked = robust.doses("depth=0.5,shadow=0.3,gain,speckle,blur")
    assert asked[:2] == [Dose("depth", 0.5), Dose("shadow", 0.3)]
    assert [dose.strength for dose in asked if dose.name == "gain"] == list(PERTURBATIONS["gain"].ladder)
    assert robust.doses("gain=-6") == [Dose("gain", -6)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dept", "did you mean 'depth'"),
        ("depth=much", "'much' is no number"),
        ("depth=", "is no number"),
        ("shadow=2", "from 0 to 1"),
        ("depth=nan", "from 0 to 10"),
        ("blur,blur=1", "asked for twice"),
        (" , ", "names none"),
    ],
)
def test_what_is_wrong_is_one_sentence(text, said):
    with pytest.raises(RequestError, match=said) as caught:
        robust.doses(text)
    assert "\n" not in str(caught.value)


@pytest.fixture
def store(tmp_path):
    part = PartWriter()
    for clip in range(2):
        source = part.source(path=f"{clip}.mp4", sha256=f"{clip:064x}", kind="video")
        for k in range(3):
            part.frame(np.full((40, 48), 120, np.uint8), frame_id=f"{clip}:{k}", source=source, index=k, time_s=0.0)
    (tmp_path / "part").write_bytes(part.to_bytes())
    assemble(tmp_path / "s.h5", [("part", tmp_path / "part")], step={"command": "test"})
    return Store.open(str(tmp_path / "s.h5"))


def test_frames_of_a_clip_share_a_map_and_clips_do_not(store):
    rows = np.arange(6)
    frames = store.frames(rows)
    changed = robust.changer(store, Dose("shadow", 0.8), 0)(frames, rows)
    assert all(np.array_equal(changed[0], each) for each in changed[1:3])
    assert not np.array_equal(changed[0], changed[3])
    # Whatever the batches and the order are.
    backwards = robust.changer(store, Dose("shadow", 0.8), 0)(frames[::-1], rows[::-1])
    assert all(np.array_equal(a, b) for a, b in zip(changed, backwards[::-1], strict=True))
    assert not np.array_equal(changed[0], robust.changer(store, Dose("shadow", 0.8), 1)(frames, rows)[0])
    # The same shadow, only darker.
    mild = robust.changer(store, Dose("shadow", 0.4), 0)(frames, rows)[0]
    assert np.unravel_index(mild.argmin(), mild.shape)[1] == pytest.approx(
        np.unravel_index(changed[0].argmin(), mild.shape)[1], abs=1
    )
    assert robust.without_sector(store, rows) == 6
