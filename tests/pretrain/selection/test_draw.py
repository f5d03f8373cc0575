"""Drawing tokens: counts, disjointness, the region first, and the right frequencies."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from usfm.pretrain import recipe as recipes
from usfm.pretrain.selection.draw import NOISES, Counts, choose_candidates, draw
from usfm.pretrain.selection.progressive import fractions, grow, rounds

POLAR, MAE = recipes.load("polarmae").selection, recipes.load("mae").selection


@pytest.mark.parametrize(
    "k,first,grown,targets", [(64, 8, 8, 16), (96, 12, 12, 24), (128, 16, 16, 32), (160, 20, 20, 40), (192, 24, 24, 48)]
)
def test_counts_of_the_papers_buckets(k, first, grown, targets):
    assert Counts.of(k, POLAR) == Counts(k, first, grown, targets)


def drawn(inside, k, settings=POLAR, seed=0, p=None, progress=0.0):
    torch.manual_seed(seed)
    b, total = inside.shape
    p = torch.rand(b, total) * inside if p is None else p
    p = p / p.sum(1, keepdim=True).clamp(min=1e-9)
    tokens = torch.randn(b, total, 8)
    counts = Counts.of(k, settings)
    return counts, draw(p, inside, counts, torch.rand(NOISES, b, total), settings, tokens=tokens, progress=progress)


@pytest.mark.parametrize("progress", [0.0, 0.48, 0.7, 0.98, 1.0])
@pytest.mark.parametrize("size", [30, 64, 100, 196])
def test_disjoint_unique_and_inside_first(size, progress):
    """Check 1, and the rule of the outside: only when no inside candidate is left."""
    inside = torch.zeros(16, 196, dtype=torch.bool)
    for i in range(16):
        inside[i, torch.randperm(196)[:size]] = True
    counts, (visible, target) = drawn(inside, 64, progress=progress)
    both = torch.cat([visible, target], 1)
    assert visible.shape == (16, counts.visible)
    assert target.shape == (16, counts.targets)
    assert all(len(set(row.tolist())) == both.shape[1] for row in both)
    used = inside.gather(1, both).sum(1)
    assert (used == min(size, both.shape[1])).all()
    seen = inside.gather(1, visible).sum(1)
    assert (seen == min(size, counts.visible)).all()


def test_the_full_grid_is_split_by_mae():
    counts, (visible, target) = drawn(torch.ones(4, 196, dtype=torch.bool), 196, MAE)
    assert (counts.visible, counts.targets) == (49, 147)
    assert torch.equal(torch.cat([visible, target], 1).sort(1).values, torch.arange(196).expand(4, -1))


def test_frequencies_follow_the_probabilities():
    """Check 4: how often a token is first drawn follows its weight."""
    weights = torch.linspace(0.1, 1, 40)
    p = (weights / weights.sum()).expand(4000, -1)
    settings = replace(POLAR, expansion="none", visible=0.25)
    _, (visible, _) = drawn(torch.ones(4000, 40, dtype=torch.bool), 40, settings, p=p)
    often = torch.bincount(visible.flatten(), minlength=40).float().numpy()
    assert np.corrcoef(often, weights.numpy())[0, 1] > 0.97
    one = replace(settings, visible=0.03)
    _, (visible, _) = drawn(torch.ones(4000, 40, dtype=torch.bool), 40, one, p=p)
    share = torch.bincount(visible.flatten(), minlength=40).float() / 4000
    assert torch.allclose(share, p[0], atol=0.012)


def test_candidates_differ_from_draw_to_draw_and_repeat_when_published():
    inside = torch.zeros(2, 50, dtype=torch.bool)
    inside[:, :20] = True
    a, b = (choose_candidates(inside, 10, torch.rand(2, 50)) for _ in range(2))
    assert not torch.equal(a.sort(1).values, b.sort(1).values)
    filled = choose_candidates(inside, 30, torch.rand(2, 50))
    assert all(len(set(row.tolist())) == 30 for row in filled)
    repeated = choose_candidates(inside, 30, torch.rand(2, 50), short="repeat")
    assert all(set(row.tolist()) == set(range(20)) for row in repeated)


@pytest.mark.parametrize("short", ["outside", "repeat"])
def test_nothing_is_asked_of_the_device(no_sync, short):
    settings = replace(POLAR, short=short)
    p, inside, uniform, tokens = (
        torch.rand(2, 196),
        torch.rand(2, 196) > 0.4,
        torch.rand(NOISES, 2, 196),
        torch.rand(2, 196, 8),
    )
    with no_sync:
        draw(p, inside, Counts.of(128, settings), uniform, settings, tokens=tokens, progress=0.99)


# ---------------------------------------------------------------- progressive growth


def test_stages_are_shares_of_the_run():
    """Check 10: with the paper's 600 epochs they are its 280, 300, 580 and 600."""
    stages = tuple(float(part) for part in POLAR.stages.split(","))
    assert [round(600 * end, -1) for end in stages] == [280, 300, 580, 600]
    for progress in np.linspace(0, 1, 101):
        assert sum(fractions(progress, stages)) == pytest.approx(1)
    assert fractions(0.2, stages) == (1, 0, 0)
    assert fractions(0.7, stages) == (0, 1, 0)
    near, far, _ = fractions(0.4835, stages)
    assert near == pytest.approx(far, abs=0.01)


def loop_grow(tokens, start, count, near):
    unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    chosen = list(start)
    for number in rounds(count):
        best = (unit @ unit[chosen].T).max(1)
        order = np.argsort(-best if near else best, kind="stable")
        chosen += [i for i in order if i not in chosen][:number]
    return set(chosen)


@pytest.mark.parametrize("near", [True, False])
def test_growth_equals_a_loop(near):
    torch.manual_seed(0)
    tokens, start = torch.randn(5, 30, 6), torch.stack([torch.randperm(30)[:4] for _ in range(5)])
    shares = (1.0, 0.0, 0.0) if near else (0.0, 1.0, 0.0)
    got = grow(tokens, start, 7, shares, torch.rand(5, 30), torch.ones(5, 30))
    for i in range(5):
        assert set(got[i].tolist()) == loop_grow(tokens[i].numpy(), start[i].tolist(), 7, near)


@pytest.mark.parametrize("valid, both", [(40, 0.93), (50, 0.71), (60, 0.31)])
def test_published_repeats_are_drawn_by_slot(valid, both):
    """A patch that fills two slots can be seen and asked at once, as often as in the public code (late stage, K = 64).

    The public code's shares were measured by running it; token similarity is random here, hence the tolerance.
    """
    published = recipes.load("polarmae-published").selection
    inside = torch.zeros(3000, 196, dtype=torch.bool)
    inside[:, :valid] = True
    _, (visible, target) = drawn(inside, 64, published, p=inside.float(), progress=0.8)
    share = (visible.unsqueeze(2) == target.unsqueeze(1)).any((1, 2)).float().mean().item()
    assert share == pytest.approx(both, abs=0.04)
