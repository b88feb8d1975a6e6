"""The centres of the grid, in the image and in its scaled copies."""

import numpy as np
import pytest
import torch

from mrsal.model.grid import Grid, scaled_centre
from mrsal.model.pyramid import SCALES


@pytest.mark.parametrize("scale", SCALES)
def test_scaled_centre_is_the_formula_of_the_archives(scale):
    """The formula is ``int(scale / H * y)``, a double times an int64 tensor, which torch multiplies in float32."""
    for side in [*range(1, 130), 250, 400, 599, 600, 768, 800, 1023, 1024, 1025]:
        position = torch.arange(1, side + 1)
        expected = (scale / side * position).to(torch.int64).numpy()
        np.testing.assert_array_equal(scaled_centre(position.numpy(), side, scale), expected)


def test_scaled_centre_is_computed_in_float32_and_not_in_double():
    """The two differ by a pixel if the product is nearly a whole number."""
    side, scale = np.meshgrid(np.arange(300, 1100), SCALES)
    position = np.arange(1, 300)[:, None, None]
    single = (np.float32(scale) / np.float32(side) * np.float32(position)).astype(np.int64)
    double = (scale / side * position).astype(np.int64)
    k, i, j = np.argwhere(single != double)[0]
    assert scaled_centre(position[k], int(side[i, j]), int(scale[i, j])) == single[k, i, j]


def test_scaled_centre_takes_one_side_per_position_and_stays_in_the_image():
    assert scaled_centre([0, 300, 600], np.array([600, 600, 600]), 400).tolist() == [0, 200, 400]
    assert scaled_centre([-5, 700], 600, 400).tolist() == [0, 400]


@pytest.mark.parametrize("shape", [(600, 800), (768, 1024), (47, 99), (50, 50), (1, 3)])
def test_the_historical_grid_is_rounded_linspace_row_by_row(shape):
    height, width = shape
    rows, columns = ([round(1 + k * (side - 1) / 49) for k in range(50)] for side in (height, width))
    grid = Grid.historical(shape)
    assert grid.points.dtype == np.int64
    assert grid.points.tolist() == [[y, x] for y in rows for x in columns]
    assert grid.corners


@pytest.mark.parametrize("shape", [(600, 800), (768, 1024), (240, 320), (61, 83), (1080, 1921)])
def test_the_default_grid_steps_by_the_stride_of_the_network(shape):
    rows, columns = Grid.cells(shape).centres(400)
    assert set(np.diff(rows)) == set(np.diff(columns)) == {8}


def test_the_default_grid_steps_by_eight_pixels_at_scale_400():
    grid = Grid.cells((600, 800))
    assert grid.points.shape == (2500, 2)
    assert (grid.rows[0], grid.columns[0]) == pytest.approx((6, 8), abs=1e-2)
    rows, columns = grid.centres(400)
    assert rows.tolist() == columns.tolist() == list(range(4, 400, 8))
    assert not grid.corners


def test_grid_centres_scale_rows_by_the_height_and_columns_by_the_width():
    grid = Grid(np.array([10, 100]), np.array([10, 100, 200]), (100, 200))
    rows, columns = grid.centres(150)
    assert rows.tolist() == [15, 150]
    assert columns.tolist() == [7, 75, 150]
