"""Rules for every prior, and what each one means."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from usfm.pretrain import recipe as recipes
from usfm.pretrain.selection import SELECTIONS
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import prior
from usfm.pretrain.selection.polar import components, grid_coordinates
from usfm.pretrain.selection.texture import SCORES, texture_scores

GRID = (14, 14)
BASE = recipes.load("polarmae").selection


def fan(n=3, rows=14, columns=14):
    """Coverage of a fan that widens downwards, with soft edges."""
    m, c = np.indices((rows, columns))
    half = 2.5 + 0.35 * m
    coverage = np.clip(half + 0.5 - np.abs(c - (columns - 1) / 2), 0, 1) * (m >= 1) * (m <= 12)
    return torch.from_numpy(coverage.reshape(1, -1).astype(np.float32)).expand(n, -1).clone()


def view(n=3, seed=0, coverage=None):
    torch.manual_seed(seed)
    images = (
        torch.rand(n, 1, 224, 224) * 100 * torch.rand(n, 1, 14, 14).repeat_interleave(16, 2).repeat_interleave(16, 3)
    )
    coverage = fan(n) if coverage is None else coverage
    depth = torch.linspace(0, 1, 14).repeat_interleave(14).expand(n, -1)
    angle = torch.linspace(-0.9, 0.8, 14).repeat(14).expand(n, -1)  # not its own mirror image
    return View(images, coverage, GRID, depth, angle)


def finely(coverage, cells=4):
    """A coverage that is 0 or 1, for cells of each patch."""
    whole = coverage.view(-1, 1, *GRID)
    return whole.repeat_interleave(cells, 2).repeat_interleave(cells, 3)


def mirrored(v):
    def flip(x):
        return x.view(-1, *GRID).flip(2).flatten(1)

    angle = None if v.angle is None else -flip(v.angle)
    fine = None if v.fine is None else v.fine.flip(3)
    return replace(v, images=v.images.flip(3), coverage=flip(v.coverage), depth=flip(v.depth), angle=angle, fine=fine)


@pytest.mark.parametrize("name", SELECTIONS)
class TestContract:
    def test_probabilities(self, name):
        p = SELECTIONS[name](view(), BASE)
        assert p.shape == (3, 196)
        assert p.dtype == torch.float32
        assert (p >= 0).all()
        assert torch.allclose(p.sum(1), torch.ones(3), atol=1e-5)

    def test_nothing_outside(self, name):
        v = view()
        assert not SELECTIONS[name](v, BASE)[v.coverage < BASE.tau].any()

    @pytest.mark.parametrize("level", [0.0, 0.05])
    def test_an_empty_region_is_drawn_like_the_whole(self, name, level):
        p = SELECTIONS[name](view(coverage=torch.full((3, 196), level)), BASE)
        assert torch.isfinite(p).all()
        assert torch.allclose(p.sum(1), torch.ones(3), atol=1e-5)

    def test_with_fine_coverage(self, name):
        v = view(coverage=(fan() > 0.5).float())
        v = replace(v, fine=finely(v.coverage))
        p, q = SELECTIONS[name](v, BASE), SELECTIONS[name](mirrored(v), BASE)
        assert torch.allclose(p.sum(1), torch.ones(3), atol=1e-5)
        assert torch.allclose(p.view(-1, *GRID).flip(2).flatten(1), q, atol=1e-5)

    def test_black_and_white_images(self, name):
        for value in (0.0, 255.0):
            p = SELECTIONS[name](replace(view(), images=torch.full((3, 1, 224, 224), value)), BASE)
            assert torch.isfinite(p).all()

    def test_mirrored_with_the_view(self, name):
        v = view()
        p, q = SELECTIONS[name](v, BASE), SELECTIONS[name](mirrored(v), BASE)
        assert torch.allclose(p.view(-1, *GRID).flip(2).flatten(1), q, atol=1e-5)

    def test_images_do_not_touch_each_other(self, name):
        v = view()
        one = View(v.images[1:2], v.coverage[1:2], GRID, v.depth[1:2], v.angle[1:2])
        assert torch.allclose(SELECTIONS[name](v, BASE)[1:2], SELECTIONS[name](one, BASE), atol=1e-6)

    def test_nothing_is_asked_of_the_device(self, name, no_sync):
        v = view()
        with no_sync:
            SELECTIONS[name](v, BASE)


# ---------------------------------------------------------------- texture (check 3)


@pytest.mark.parametrize("kind", SCORES)
def test_texture_varies_and_follows_contrast(kind):
    steps = torch.linspace(1, 100, 196).view(1, 1, 14, 14).repeat_interleave(16, 2).repeat_interleave(16, 3)
    torch.manual_seed(0)
    images = 128 + steps * (torch.rand(1, 1, 16, 16).repeat(1, 1, 14, 14) - 0.5)
    v = View(images, torch.ones(1, 196), GRID)
    scores = texture_scores(v, kind)[0]
    assert np.corrcoef(scores.numpy(), np.arange(196))[0, 1] > 0.9
    p = SELECTIONS["texture"](v, replace(BASE, texture=kind))[0]
    assert p.log().std() > 0.5
    assert p.max() / p.min() > 10


def test_the_edge_of_the_sector_is_no_texture():
    """Even tissue in a black surround: the patches at the step must not be preferred."""
    coverage = (fan(1) > 0.5).float()
    shown = coverage.view(1, 1, *GRID).repeat_interleave(16, 2).repeat_interleave(16, 3)
    torch.manual_seed(0)
    images = shown * (100 + 6 * torch.rand(1, 1, 224, 224))
    rim = coverage.bool() & (torch.nn.functional.max_pool2d(1 - coverage.view(1, 1, *GRID), 3, 1, 1).flatten(1) > 0)
    middle = coverage.bool() & ~rim
    for kind in SCORES:
        plain = texture_scores(View(images, coverage, GRID), kind)
        aware = texture_scores(View(images, coverage, GRID, fine=finely(coverage)), kind)
        assert plain[rim].mean() > 1.5 * plain[middle].mean() or kind == "std"
        assert aware[rim].mean() == pytest.approx(aware[middle].mean().item(), rel=0.05)


def test_the_published_texture_is_constant():
    p = SELECTIONS["texture"](view(), replace(BASE, texture="uniform"))
    assert p.std() < 1e-9


def patch_mean(values):
    return values.reshape(14, 16, 14, 16).mean((1, 3))


def slow_texture(image, kind):
    """The score of each patch by scipy: Sobel slopes, their histogram, the Laplacian, the deviation."""
    from scipy import ndimage

    down, across = (ndimage.sobel(image, axis, mode="mirror") / 8 for axis in (0, 1))
    size = np.hypot(across, down)
    if kind == "gradient":
        return patch_mean(size)
    if kind == "hog":
        which = np.floor(np.arctan2(across, down) / np.pi * 9).astype(int) % 9
        return np.sqrt(sum(patch_mean(size * (which == k)) ** 2 for k in range(9)))
    if kind == "std":
        return np.sqrt(np.maximum(patch_mean(image**2) - patch_mean(image) ** 2, 0))
    return patch_mean(np.abs(ndimage.laplace(image, mode="mirror")))


def test_texture_equals_scipys_filters():
    v = view(1)
    image = v.images[0, 0].numpy()
    for kind in ("gradient", "hog", "std", "laplacian"):
        ours = texture_scores(replace(v, coverage=torch.ones(1, 196)), kind)[0].view(GRID).numpy()
        assert np.abs(ours - slow_texture(image.astype(float), kind)).max() < 2e-3 * ours.max()


# ---------------------------------------------------------------- polar (check 5)


def loop_polar(coverage, settings, grid, min_component=12):
    """Eq. 6-12, patch by patch."""
    from scipy.ndimage import label

    v = coverage.reshape(grid)
    labels, count = label(v >= settings.tau, np.ones((3, 3)))
    scores = np.zeros(grid)
    for k in range(1, count + 1):
        rows, columns = np.nonzero(labels == k)
        if len(rows) < min_component:
            continue
        top, bottom = rows.min(), rows.max()
        band = rows <= top + int(settings.apex_band * grid[0])
        centre = (v[rows, columns] * columns)[band].sum() / v[rows, columns][band].sum()
        for m, n in zip(rows, columns, strict=True):
            of_row = columns[rows == m]
            half = max(1, (of_row.max() - of_row.min()) / 2)
            r = np.clip((m - top) / max(1, bottom - top), 0, 1)
            theta = np.clip((n - centre) / half, -1, 1)
            radial = np.exp(-((r - settings.depth_mean) ** 2) / (2 * settings.depth_width**2))
            gate = np.clip((v[m, n] - settings.tau) / (1 - settings.tau), 0, 1)
            scores[m, n] = gate * (radial + 1 - abs(theta) ** settings.angle_power)
    return (scores / scores.sum() if scores.sum() else np.full(grid, np.nan)).ravel()


@pytest.mark.parametrize("band", [1.0, 0.15])
def test_polar_equals_the_formulae(band):
    torch.manual_seed(3)
    blobs = torch.nn.functional.avg_pool2d(torch.rand(20, 1, 16, 16), 3, 1).flatten(1)
    coverage = ((blobs - 0.4) * 5).clamp(0, 1)
    settings = replace(BASE, apex_band=band)
    got = SELECTIONS["grid"](View(torch.zeros(20, 1, 224, 224), coverage, GRID), settings)
    for i in range(20):
        expected = loop_polar(coverage[i].numpy(), settings, GRID)
        if np.isfinite(expected).all():
            assert np.abs(got[i].numpy() - expected).max() < 1e-5


def test_components_equal_scipys():
    from scipy.ndimage import label

    torch.manual_seed(0)
    inside = torch.rand(50, 196) > 0.62
    snake = torch.zeros(14, 14, dtype=torch.bool)
    snake[::2] = True
    snake[1::4, -1] = snake[3::4, 0] = True
    inside = torch.cat([inside, snake.view(1, -1)])
    got = components(inside, GRID)
    for i in range(len(inside)):
        expected, count = label(inside[i].view(GRID).numpy(), np.ones((3, 3)))
        pairs = {(int(a), int(b)) for a, b in zip(expected.ravel(), got[i].tolist(), strict=True)}
        assert len(pairs) == count + bool((~inside[i]).any())


def test_polar_peaks_at_the_preferred_depth_and_fades_to_the_sides():
    p = SELECTIONS["grid"](view(1), BASE)[0].view(GRID)
    middle = p[:, 6]
    depth, _, _ = grid_coordinates(view(1), BASE.tau, 1.0)
    assert abs(float(depth[0].view(GRID)[int(middle.argmax()), 6]) - BASE.depth_mean) < 0.1
    row = p[8]
    assert row[6] > row[3] > 0


def test_a_speck_changes_nothing_and_no_component_is_uniform():
    plain, speck = fan(1), fan(1)
    speck.view(14, 14)[0, :3] = 1
    plain.view(14, 14)[:3, :4] = 0
    speck.view(14, 14)[1:3, :4] = 0
    a, b = (SELECTIONS["grid"](view(1, coverage=c), BASE) for c in (plain, speck))
    assert torch.allclose(a, b, atol=1e-6)
    few = torch.zeros(1, 196)
    few[0, :5] = 1
    p = SELECTIONS["grid"](view(1, coverage=few), BASE)[0]
    assert torch.allclose(p[:5], torch.full((5,), 0.2))


def test_beams_survive_a_vertical_flip_and_the_grid_does_not():
    depth = torch.linspace(0, 1, 14).repeat_interleave(14).view(1, 196)
    angle = torch.linspace(-0.9, 0.9, 14).repeat(14).view(1, 196)
    v = View(torch.zeros(1, 1, 224, 224), torch.ones(1, 196), GRID, depth, angle)

    def turn(x):
        return x.view(1, *GRID).flip(1).flatten(1)

    turned = replace(v, coverage=turn(v.coverage), depth=turn(depth), angle=turn(angle))
    near = replace(BASE, depth_mean=0.2)
    assert torch.allclose(turn(SELECTIONS["beam"](v, near)), SELECTIONS["beam"](turned, near), atol=1e-6)
    assert not torch.allclose(turn(SELECTIONS["grid"](v, near)), SELECTIONS["grid"](turned, near), atol=1e-4)


def test_a_frame_without_a_fit_uses_the_grid():
    v = view()
    v = replace(v, depth=torch.full_like(v.coverage, torch.nan), angle=torch.full_like(v.coverage, torch.nan))
    assert torch.allclose(SELECTIONS["beam"](v, BASE), SELECTIONS["grid"](v, BASE))


# ---------------------------------------------------------------- eq. 14


def test_the_joint_prior_is_the_weighted_mean():
    v = view()
    both = prior(v, BASE)
    expected = 0.7 * SELECTIONS["texture"](v, BASE) + 0.3 * SELECTIONS["grid"](v, BASE)
    assert torch.allclose(both, expected)
    assert torch.allclose(prior(v, replace(BASE, prior="grid")), SELECTIONS["grid"](v, BASE))


def winding(rows, columns):
    """Shapes whose patches are far apart along the component: a snake, a comb, a spiral of square rings."""
    snake, comb = np.zeros((rows, columns), bool), np.zeros((rows, columns), bool)
    snake[::2] = True
    snake[1::4, -1] = snake[3::4, 0] = True
    comb[0] = comb[:, ::2] = True
    m, n = np.indices((rows, columns))
    ring = np.minimum(np.minimum(m, rows - 1 - m), np.minimum(n, columns - 1 - n))
    rings = ring % 2 == 0
    for k in range(0, min(rows, columns) // 2 - 1, 2):  # one cut and one bridge join each ring to the next
        rings[k + 1, k] = False
        rings[k + 1, k + 1] = True
    return [snake, comb, rings]


@pytest.mark.parametrize("rows, columns", [(1, 1), (1, 9), (9, 1), (14, 14), (28, 28), (32, 32), (40, 23)])
def test_components_equal_scipys_on_any_grid(rows, columns, no_sync):
    from scipy import ndimage

    random = np.random.default_rng(rows * columns)
    masks = [random.random((rows, columns)) < share for share in random.uniform(0.2, 0.95, 40)]
    masks += [np.zeros((rows, columns), bool), np.ones((rows, columns), bool), *winding(rows, columns)]
    inside = torch.from_numpy(np.stack(masks).reshape(len(masks), -1))
    with no_sync:
        got = components(inside, (rows, columns))
    for mask, labels in zip(masks, got.numpy(), strict=True):
        known, count = ndimage.label(mask, np.ones((3, 3)))
        wanted = np.full(mask.size, -1)
        for k in range(1, count + 1):
            wanted[known.ravel() == k] = np.flatnonzero(known == k).max()
        assert np.array_equal(labels, wanted)
