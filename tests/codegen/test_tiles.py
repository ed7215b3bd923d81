"""Register tiles: what is chosen holds in the registers, wastes little, and is there for every shape."""

import pytest

from kcompile.codegen.conflicts import crowd, crowded
from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan, tile_choices
from kcompile.codegen.target import Target
from kcompile.codegen.tiles import FAR, LAST, LINE_TAKES, LOAD, NEAR, Room, best_tiles, cost, priced_tiles, wasted
from kcompile.common.struct import replace
from kcompile.ir.text.kernels import parse_kernel
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


def test_a_batch_is_cut_into_sixes_only_where_eight_sums_are_too_few():
    enough, too_few = (best_tile(512, 8, {"i": B}, Room(16, 12, trip=trip)) for trip in (0.0, 0.8))
    assert wasted(32, enough.height) == 1 and (enough.vectors, enough.height) == (2, 4)
    assert (too_few.vectors, too_few.height) == (2, 6)


def test_taps_that_few_rows_of_a_tile_have_are_counted():
    room, taps = Room(16, 12, trip=0.8), (range(4, 20), range(2, 18), range(16))
    assert best_tile(32, 8, {"x": 20}, room).height == 5
    assert best_tile(32, 8, {"x": 20}, room, borders={"x": taps}).height == 6


def test_taps_that_no_row_has_cost_nothing():
    """The outer taps of a filter that is larger than the image (a 3x3 convolution of images of one row did not compile)."""
    room, taps = Room(16, 12, trip=0.8), (range(4, 20), range(2, 18), range(16))
    beside = (range(19, 19), *taps, range(5, 5))
    assert priced_tiles(32, 8, {"x": 20}, room, borders={"x": beside}) == priced_tiles(32, 8, {"x": 20}, room, borders={"x": taps})


def test_what_comes_from_far_away_is_read_by_more_rows():
    near, far = (best_tile(64, 8, {"c": 32}, ROOMS["avx2"], each=each).height for each in (NEAR, FAR))
    assert far > near
    assert cost(2, 8, 1.0, ROOMS["avx512"]) < cost(2, 4, 1.0, ROOMS["avx512"])


@pytest.mark.parametrize("columns, few, least", [(64, (2, 12), (4, 6)), (96, (2, 12), (3, 8)), (32, (2, 12), (2, 12))])
def test_where_loads_count_the_tile_that_loads_least_for_a_product_is_taken(columns, few, least):
    room = replace(ROOMS["avx512"], trip=2.0, last=1.04)
    for load, expected in ((0.0, few), (LOAD, least)):
        tile = best_tile(columns, 16, {"k": 96}, replace(room, load=load))
        assert (tile.vectors, tile.height) == expected


def test_four_rows_are_too_few_for_vectors_from_the_second_level_cache():
    """Each of these vectors takes two cycles, in which four multiply-adds begin."""
    room = replace(ROOMS["avx512"], trip=2.0, load=LOAD, last=LAST)
    near, far = (best_tile(160, 16, {"x": 6}, replace(room, line=line)) for line in (0.0, 2 * LINE_TAKES))
    assert (str(near), str(far)) == ("5 x 3", "2 x 6")
    assert str(best_tile(160, 16, {"x": 6}, replace(room, line=2 * LINE_TAKES, near=5))) == "5 x 3"


def test_sums_that_leave_few_registers_weigh_more_than_a_short_last_tile():
    room = replace(ROOMS["avx512"], trip=2.0, load=LOAD, last=LAST)
    assert str(best_tile(64, 16, {"x": 28}, room)) == "2 x 14"
    assert str(best_tile(64, 16, {"x": 28}, replace(room, line=2 * LINE_TAKES, near=4))) == "4 x 6"


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


def test_dead_rows_of_a_known_number_are_avoided_more_than_dead_lanes():
    """10 columns are masked whatever the tile is; 27 rows of 512 would each have an address of its own in the inner loop."""
    rows = best_tile(10, 16, {"i": 512}, Room(32, 28, trip=2.0), masked=True).rows["i"]
    assert best_tile(10, 16, {"i": 513}, Room(32, 28, trip=2.0)).rows["i"] == 27
    assert 512 % rows == 0 or wasted(512, rows) >= 1.03  # then the last tile has code of its own


def test_of_equal_tiles_rows_of_the_first_axis_are_taken():
    assert best_tile(32, 8, {"x": 6, "y": 6}, Room(16, 12)).rows == {"x": 6, "y": 1}


@pytest.mark.parametrize("count, apart, l1, expected", [
    (32, 2048, 48 << 10, True), (16, 2048, 48 << 10, False), (17, 2048, 32 << 10, True), (13, 4096, 48 << 10, True),
    (128, 12544, 48 << 10, False), (193, 12544, 48 << 10, True), (100, 4, 48 << 10, False), (1000, B, 48 << 10, False)], ids=str)
def test_lines_a_power_of_two_apart_share_few_places(count, apart, l1, expected):
    assert crowded(count, apart, replace(Target.named("avx512"), l1=l1)) is expected


@pytest.mark.parametrize("count, apart, l1, expected", [
    (8, 4096, 32 << 10, False), (9, 4096, 32 << 10, True), (12, 8192, 48 << 10, False), (14, 4096, 48 << 10, True),
    (14, 2048, 32 << 10, False), (14, 4160, 32 << 10, False), (400, 4, 32 << 10, False)], ids=str)
def test_rows_a_power_of_two_apart_push_each_other_out(count, apart, l1, expected):
    assert crowd((n * apart for n in range(count)), replace(Target.named("avx512"), l1=l1)) is expected


def test_rows_of_a_batch_may_be_twelve_where_few_of_a_last_tile_are_done_at_a_time():
    room = Room(32, 28, trip=2.0)
    assert str(best_tile(32, 16, {"i": B}, room)) == "2 x 8"
    assert str(best_tile(32, 16, {"i": B}, room, few=4)) == "2 x 12"
    assert best_tile(32, 16, {"i": B}, room, few=4, apart=frozenset({"i"})).height <= 8


@pytest.mark.parametrize(("rows", "channels", "quiet", "beside"), [
    ("n:B, y:24", 64, "2 x 12", "4 x 6"),  # rows of an image, many for each sample
    ("n:B", 512, "2 x 12", "2 x 12"),  # those of a batch, of which a small one leaves many
], ids=["image", "batch"])
def test_loads_count_beside_two_multiply_adds_in_a_cycle(rows: str, channels: int, quiet: str, beside: str) -> None:
    """Where all that is no multiply-add takes places that a neighbour wants, too, tiles are those that load least for a product."""
    sizes, places = rows.replace("n:", "").replace("y:", ""), ", ".join(axis[0] for axis in rows.split(", "))
    kernel = parse_kernel(f"""
kernel product
  axes {rows}, o:{channels}, k:{channels}
  read x: f32[{sizes}, {channels}], w: f32[{channels}, {channels}]
  write t: f32[{sizes}, {channels}]
  reduce s[{places}, o] = add over k of x[{places}, k] * w[k, o]
  store t[{places}, o] = s
""".lstrip())
    for multiply_adds, expected in ((1, quiet), (2, beside)):
        assert str(tile_choices(lower(kernel), Target.named(f"avx512,multiply_adds={multiply_adds},l2=2M"))[0]) == expected


def test_loads_do_not_count_where_tiles_at_a_border_have_code_of_their_own():
    """Whole rows of an image, which have both borders, are worth more than fewer loads: 2 x 12 in place of 4 x 6 0.95 of the time."""
    kernel = parse_kernel("""
kernel input_gradient
  axes n:B, x:12, c:64, v:5, o:128
  read d: f32[B, 8, 128], w: f32[5, 128, 64]
  write t: f32[B, 12, 64]
  reduce s[n, x, c] = add over v, o of (d[n, v + x - 4, o] if 0 <= v + x - 4 < 8 else 0.0) * w[v, o, c]
  store t[n, x, c] = s
""".lstrip())
    target = Target.named("avx512,multiply_adds=2,l2=2M")
    assert any(step.startswith("edges") for step in plan(lower(kernel), target).steps)
    assert str(tile_choices(lower(kernel), target)[0]) == "2 x 12"


@pytest.mark.parametrize(("columns", "terms", "expected"), [
    (1024, 1024, "4 x 6"), (100, 100, "4 x 6"), (200, 300, "3 x 8"), (512, 784, "2 x 12")])
def test_rows_that_a_batch_leaves_cost_what_those_do_that_are_done_at_a_time(columns, terms, expected):
    """Six rows leave two of 32, which are done in the time of one; twelve that are told from others leave eight, which are done at once."""
    kernel = parse_kernel(f"""
kernel dense
  axes n:B, o:{columns}, c:{terms}
  read x: f32[B, {terms}], w: f32[{terms}, {columns}]
  write t: f32[B, {columns}]
  reduce s[n, o] = add over c of x[n, c] * w[c, o]
  store t[n, o] = s
""".lstrip())
    assert str(tile_choices(lower(kernel), Target.named("avx512,multiply_adds=2,l1=48K,l2=2M"))[0]) == expected


@pytest.mark.parametrize("columns", [256, 512])
def test_panels_of_a_quarter_of_a_matrix_need_not_be_packed(columns):
    """Four of them are whole rows: they are read where they lie, rather than narrower ones packed. Those of wider rows are packed."""
    kernel = parse_kernel(f"""
kernel pointwise
  axes n:B, x:196, o:{columns}, c:1024
  read x: f32[B, 196, 1024], w: f32[1024, {columns}]
  write t: f32[B, 196, {columns}]
  reduce s[n, x, o] = add over c of x[n, x, c] * w[c, o]
  store t[n, x, o] = s
""".lstrip())
    target = Target.named("avx512,multiply_adds=2,l1=48K,l2=2M")
    assert str(tile_choices(lower(kernel), target)[0]) == "4 x 6"
    assert any(step.startswith("pack") for step in plan(lower(kernel), target).steps) is (columns > 256)
