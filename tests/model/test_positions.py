"""MAE's position table, re-derived by loops."""

import math

import torch

from usfm.model.positions import resize_positions, sincos_2d


def test_matches_the_formula_column_first():
    dim, grid = 16, (3, 5)
    table = sincos_2d(dim, grid)
    assert torch.equal(table[0], torch.zeros(dim))
    for row in range(3):
        for column in range(5):
            expected = []
            for position in (column, row):
                waves = [10000.0 ** (-d / (dim / 4)) for d in range(dim // 4)]
                expected += [math.sin(position * w) for w in waves] + [math.cos(position * w) for w in waves]
            assert torch.allclose(table[1 + row * 5 + column], torch.tensor(expected), atol=1e-6)


def test_resizing_keeps_the_class_row_and_the_mean():
    table = sincos_2d(16, (4, 4)).unsqueeze(0)
    assert resize_positions(table, (4, 4), (4, 4)) is table
    bigger = resize_positions(table, (4, 4), (8, 8))
    assert bigger.shape == (1, 65, 16)
    assert torch.equal(bigger[:, 0], table[:, 0])
    assert torch.allclose(bigger[:, 1:].mean(), table[:, 1:].mean(), atol=0.02)
