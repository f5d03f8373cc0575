import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.finetune import plan
from usfm.tasks import TASKS


def _sides(made):
    return [(set(made.groups.code[f.train]), set(made.groups.code[f.held])) for f in made.folds]


def test_every_labelled_frame_is_held_out_once_and_no_patient_is_on_both_sides(make_store, cohort):
    store = make_store(cohort)
    made = plan.make(store, TASKS["classify"], {}, None, 1.0, 0)
    assert len(made.folds) == plan.DEFAULT_FOLDS
    held = np.concatenate([fold.held for fold in made.folds])
    assert sorted(held) == list(range(len(store)))
    assert all(not train & test for train, test in _sides(made))
    assert made.known.class_names == ("a", "b")


def test_folds_follow_the_seed(make_store, cohort):
    store = make_store(cohort)
    held = [
        [f.held.tolist() for f in plan.make(store, TASKS["classify"], {}, 3, 1.0, seed).folds] for seed in (0, 0, 1)
    ]
    assert held[0] == held[1] != held[2]


def test_the_stores_own_split_is_used_and_folds_win_over_it(make_store, cohort, capsys):
    parts = ["train"] * 12 + ["val"] * 4 + ["test"] * 6 + [""] * 2
    store = make_store([(p, k, split) for (p, k, _), split in zip(cohort, parts, strict=True)])
    made = plan.make(store, TASKS["classify"], {}, None, 1.0, 0)
    assert [fold.name for fold in made.folds] == ["split"]
    assert len(made.folds[0].train) == 48
    assert (made.folds[0].split == "test").sum() == 24
    assert (made.folds[0].split == "val").sum() == 16
    assert "8 labelled frames are in no part" in capsys.readouterr().err
    assert len(plan.make(store, TASKS["classify"], {}, 3, 1.0, 0).folds) == 3
    assert "split is not used" in capsys.readouterr().err


def test_a_split_that_shares_a_patient_is_refused(make_store, cohort):
    store = make_store([(p, k, "train" if n % 2 else "test") for n, (p, k, _) in enumerate(cohort)])
    with pytest.raises(RequestError, match="12 patients are on both sides"):
        plan.make(store, TASKS["classify"], {}, None, 1.0, 0)


def test_a_frame_without_a_class_is_left_out_and_unused_classes_vanish(make_store, cohort):
    store = make_store([*cohort, ("p99", None, ""), ("p98", None, "")])
    made = plan.make(store, TASKS["classify"], {}, None, 1.0, 0)
    assert made.known.unlabelled == 8
    assert len(made.rows) == 96


def test_without_patients_the_clip_stays_whole_and_it_is_said(make_store, cohort, capsys):
    store = make_store([("", kind, "") for _, kind, _ in cohort])
    made = plan.make(store, TASKS["classify"], {}, None, 1.0, 0)
    assert "96 of 96 frames have no patient" in capsys.readouterr().err
    assert len(made.groups.names) == 24
    assert all(not train & test for train, test in _sides(made))


def test_patients_with_the_same_pictures_are_kept_together_and_it_is_said(make_store, cohort, capsys):
    store = make_store(cohort, identical=(0, 7))
    made = plan.make(store, TASKS["classify"], {}, None, 1.0, 0)
    assert made.groups.joined == [("p00", "p03")]
    assert "p00, p03 hold identical frames" in capsys.readouterr().err


def test_blank_frames_join_nobody(make_store, cohort):
    made = plan.make(make_store(cohort, noise=0), TASKS["classify"], {}, None, 1.0, 0)
    assert made.groups.joined == []


@pytest.mark.parametrize(
    "clips, folds, says",
    [
        ([("p1", "a", ""), ("p2", "a", "")], None, "two classes are needed"),
        ([("p1", "a", ""), ("p1", "b", "")], None, "all labelled frames are of one patient"),
        ([("p1", "a", ""), ("p2", "b", "")], None, "every class has one patient only"),
        ([("p1", "a", ""), ("p2", "b", ""), ("p3", "b", "")], 4, "has only 3 patients"),
        ([("p1", None, "")], None, "no class labels"),
    ],
)
def test_what_cannot_be_learned_is_refused(make_store, clips, folds, says):
    with pytest.raises(RequestError, match=says):
        plan.make(make_store(clips), TASKS["classify"], {}, folds, 1.0, 0)


def test_a_class_of_one_patient_is_said(make_store, cohort, capsys):
    plan.make(make_store([*cohort, ("p99", "c", "")]), TASKS["classify"], {}, None, 1.0, 0)
    assert "class 'c' has one patient only" in capsys.readouterr().err


def test_a_fraction_takes_patients_off_training_only(make_store, cohort):
    store = make_store(cohort)
    whole, less = (plan.make(store, TASKS["classify"], {}, 3, fraction, 0) for fraction in (1.0, 0.5))
    for a, b in zip(whole.folds, less.folds, strict=True):
        assert np.array_equal(a.held, b.held)
        assert set(b.train) < set(a.train)
        assert len(set(less.groups.code[b.train])) == len(set(whole.groups.code[a.train])) // 2


def test_pictures_that_look_the_same_on_both_sides_are_listed_with_what_they_look_like(make_store, cohort):
    parts = ["train"] * 16 + ["test"] * 8
    clips = [(p, k, split) for (p, k, _), split in zip(cohort, parts, strict=True)]
    clean = make_store(clips)
    assert plan.leaks(clean, plan.make(clean, TASKS["classify"], {}, None, 1.0, 0)) == []
    doubled = make_store(clips, like={20: 1}, name="d.h5")
    found = plan.leaks(doubled, plan.make(doubled, TASKS["classify"], {}, None, 1.0, 0))
    assert [(line["source"], line["like_source"]) for line in found] == [("clip20.mp4", "clip01.mp4")] * 4
    assert [line["frame_id"][-1] for line in found] == [line["like_frame_id"][-1] for line in found]
    assert all(0.95 <= line["similarity"] <= 1 and line["patient"] != line["like_patient"] for line in found)
