"""Register tiles: what is chosen holds in the registers, wastes little, and is there for every shape."""

import pytest

from kcompile.codegen.tiles import Room, best_tiles, cost, wasted
from kcompile.ir.types import Dim

ROOMS = {"avx2": Room(16, 12), "avx512": Room(32, 28), "two sums": Room(16, 6, 2)}
B = Dim.symbol("B")


def best_tile(*args, **options):
    return best_tiles(*args, **options)[0]


@pytest.mark.parametrize("room", ROOMS.values(), ids=list(ROOMS))
@pytest.mark.parametrize("columns", [1, 3, 8, 10, 37, 40, 53, 64, 333, 512, B], ids=str)
@pytest.mark.parametrize("rows", [{"i": B}, {"i": 1}, {"i": 3}, {"x": 7, "y": 7}, {"x": 32}, {"i": 4 * B}], ids=str)
def test_a_tile_holds_in_the_registers(columns, rows, room):
    tile = best_tile(columns, 8, rows, room)
    assert room.holds(tile.vectors, tile.height)
    assert tile.vectors == 1 or isinstance(columns, Dim) or 8 * (tile.vectors - 1) < columns
    assert all(isinstance(extent, Dim) or tile.rows[axis] <= extent for axis, extent in rows.items())


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 30, 4096])
def test_where_heights_are_given_one_of_them_is_taken(columns):
    assert best_tile(B, 8, {"j": columns}, ROOMS["avx2"], heights=(4, 8)).height in (4, 8)


@pytest.mark.parametrize("heights", [(), (4, 8)])
def test_there_is_a_tile_even_where_none_fits(heights):
    crowded = Room(16, 0, 13)
    (tile,) = best_tiles(B, 8, {"j": 30}, crowded, heights=heights)
    assert not crowded.holds(tile.vectors, tile.height) and (tile.vectors, tile.height) == (1, min(heights, default=1))


def test_forty_columns_are_five_vectors_and_not_three_pairs():
    assert best_tile(40, 8, {"x": 12}, ROOMS["avx2"]).vectors == 5


def test_a_batch_of_32_is_not_cut_into_sixes():
    tile = best_tile(512, 8, {"i": B}, ROOMS["avx2"])
    assert wasted(32, tile.height) == 1


def test_what_comes_from_far_away_is_read_by_more_rows():
    near, far = (best_tile(64, 8, {"c": 32}, ROOMS["avx2"], far=far).height for far in (False, True))
    assert far > near
    assert cost(2, 8, 1.0) < cost(2, 4, 1.0)


def test_where_a_trip_costs_something_tiles_are_tall():
    flat, tall = (best_tile(64, 16, {"c": 96}, Room(32, 28, trip=trip)) for trip in (0.0, 2.0))
    assert (flat.vectors, flat.height) == (2, 8)
    assert tall.vectors * tall.height == 24


def test_rows_in_pages_of_their_own_are_few():
    assert best_tile(64, 16, {"n": 96}, Room(32, 28, trip=2.0), apart=frozenset({"n"})).height <= 8


def test_panels_that_are_shared_out_are_shared_out_evenly():
    alone, shared = (best_tile(512, 16, {"i": B}, Room(32, 28, trip=2.0), cores=cores).vectors for cores in (1, 2))
    assert (alone, shared) == (3, 2)  # eleven panels, of which one core would do six, or sixteen


def test_masked_last_tiles_are_avoided():
    assert best_tile(256, 8, {"c": 256}, Room(16, 12)).height == 6
    assert best_tile(256, 8, {"c": 256}, Room(16, 12), masked=True).height == 4
