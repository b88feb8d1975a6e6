"""Tables of fixations, in the layouts that eye trackers and spreadsheets write, and what is refused."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from messages import mentions, naming

from mrsal.datasets import Stimulus, load
from mrsal.datasets.dataset import keep_inside
from mrsal.datasets.fixations import Fixations
from mrsal.datasets.options import TableOptions
from mrsal.datasets.tables import read_fixations
from mrsal.errors import DataError, FileError, InputError

WIDTH, HEIGHT = 800, 600
NAMES = ("kitchen.jpg", "street.jpg", "i1.v2.png")
STIMULI = [Stimulus(name, Path("stimuli") / name, (HEIGHT, WIDTH)) for name in NAMES]
OURS = "stimulus,subject,x,y,start_s,end_s\n"


def read(folder: Path, content: str | bytes, name: str = "fixations.csv", **options):
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_fixations(folder, STIMULI, TableOptions(**options))


def points(table) -> list[tuple[float, float]]:
    return list(zip(table.fixations.x.tolist(), table.fixations.y.tolist(), strict=True))


# our own layout


def test_columns_stand_in_any_order_and_stimuli_have_an_ending_or_not(tmp_path):
    text = "y,x,stimulus,note,subject\n2,1,street.jpg,!,bob\n4,3,kitchen,!,eve\n8,7,street,!,bob\n10,9,street,!,eve\n"
    found = read(tmp_path, text).fixations
    assert found.x.tolist() == [1, 3, 7, 9]
    assert found.y.tolist() == [2, 4, 8, 10]
    assert found.n.tolist() == [1, 0, 1, 1]
    assert found.subject.tolist() == [0, 1, 0, 1]
    assert found.order.tolist() == [0, 0, 1, 0]
    assert np.isnan(found.duration).all()


def test_times_give_durations(tmp_path):
    found = read(tmp_path, OURS + "kitchen,s,1,2,0.0,0.25\nkitchen,s,1,2,0.5,\n").fixations
    np.testing.assert_equal(found.duration, [0.25, np.nan])


@pytest.mark.parametrize(
    ("header", "values"),
    [("duration", (0.2, 0.3)), ("duration", (200, 300)), ("Duration [ms]", (200, 300)), ("duration_us", (2e5, 3e5))],
)
def test_durations_are_seconds_whatever_their_unit(header, values, tmp_path):
    text = f"stimulus,subject,x,y,{header}\n" + "".join(f"kitchen,s,5,6,{value}\n" for value in values)
    np.testing.assert_allclose(read(tmp_path, text).fixations.duration, [0.2, 0.3])


def test_a_column_of_dates_is_no_obstacle(tmp_path):
    text = "stimulus,subject,x,y,timestamp\nkitchen,s,5,6,2024-03-05 10:11:12\nkitchen,s,7,8,2024-03-05 10:11:13\n"
    assert points(read(tmp_path, text)) == [(5, 6), (7, 8)]


def test_a_trial_tells_repeated_views_apart(tmp_path):
    text = "stimulus,subject,trial,x,y\n" + "".join(f"kitchen,a,{trial},{x},9\n" for trial in (1, 7) for x in (3, 4, 5))
    assert read(tmp_path, text).fixations.order.tolist() == [0, 1, 2, 0, 1, 2]


def test_blinks_and_repetitions_do_not_count_in_a_trial_but_what_lies_outside_does(tmp_path):
    found = read(tmp_path, OURS + "kitchen,a,,,,\nkitchen,a,-3,9,,\nkitchen,a,3,9,,\n").fixations
    assert found.order.tolist() == [1]


@pytest.mark.parametrize(
    ("header", "factor"), [("start_s", 1), ("start_ms", 1000), ("start", 1), ("start", 1000), ("start", 1e6)]
)
def test_starts_are_seconds_from_the_first_fixation_of_the_trial_wherever_it_was(tmp_path, header, factor):
    rows = [
        ("a", 1, -3, 100.0),
        ("a", 1, 9, 100.25),
        ("b", 1, 7, 0.1),
        ("a", 1, 8, 100.6),
        ("b", 1, 6, 0.35),
        ("a", 2, 5, 120.0),
    ]
    text = f"stimulus,subject,trial,x,y,{header}\n"
    text += "".join(
        f"kitchen,{subject},{trial},{x},9,{start * factor:.0f}\n"
        if factor > 1
        else f"kitchen,{subject},{trial},{x},9,{start}\n"
        for subject, trial, x, start in rows
    )
    table = read(tmp_path, text)
    assert table.fixations.x.tolist() == [9, 7, 8, 6, 5]
    np.testing.assert_allclose(table.start, [0.25, 0, 0.6, 0.25, 0], atol=1e-9)
    assert (table.trial == table.trial[0]).tolist() == [True, False, True, False, False]
    assert len(set(table.trial.tolist())) == 3


def test_without_times_starts_are_not_known_and_a_table_may_have_any_name(tmp_path):
    (tmp_path / "study.csv").write_text("stimulus,subject,x,y\nkitchen,s,5,6\nkitchen,s,7,8\n")
    table = read_fixations(tmp_path / "study.csv", STIMULI)
    assert points(table) == [(5, 6), (7, 8)]
    assert np.isnan(table.start).all() and table.trial.tolist() == [0, 0]
    with pytest.raises(FileError, match=naming("gone.csv")):
        read_fixations(tmp_path / "gone.csv", STIMULI)


def test_times_that_go_back_are_remarked(tmp_path, caplog):
    read(tmp_path, OURS + "kitchen,a,3,9,0.0,0.2\nkitchen,a,4,9,0.3,0.4\nkitchen,a,5,9,0.1,0.3\n")
    assert mentions(caplog.text, 1, "trial")


# the layouts of eye trackers


def test_tobii_pro_lab(tmp_path):
    """Tabs, UTF-16, decimal commas; a row per sample, and the point of the fixation in each of its rows."""
    header = (
        "Recording timestamp [μs]\tParticipant name\tRecording name\tPresented Media name\tEye movement type\t"
        "Gaze event duration [ms]\tEye movement type index\tFixation point X\tFixation point Y\tGaze point X\n"
    )
    rows = [
        "8333\tP01\tRec 1\tkitchen.jpg\tFixation\t233\t1\t512,5\t388,25\t511",
        "16666\tP01\tRec 1\tkitchen.jpg\tFixation\t233\t1\t512,5\t388,25\t513",
        "25000\tP01\tRec 1\tkitchen.jpg\tSaccade\t33\t1\t\t\t580",
        "240000\tP01\tRec 1\tkitchen.jpg\tFixation\t417\t2\t640\t201,5\t640",
        "690000\tP01\tRec 1\t\tFixation\t100\t3\t7\t8\t640",
        "9000\tP02\tRec 2\tstreet.jpg\tFixation\t250\t1\t512,5\t388,25\t511",
    ]
    table = read(tmp_path, (header + "\r\n".join(rows)).encode("utf-16"), "fixations.tsv")
    assert points(table) == [(512.5, 388.25), (640, 201.5), (512.5, 388.25)]
    assert table.fixations.n.tolist() == [0, 0, 1]
    assert table.fixations.order.tolist() == [0, 1, 0]
    np.testing.assert_allclose(table.fixations.duration, [0.233, 0.417, 0.25])
    assert sorted(table.left_out.values()) == [1, 1, 1]


def test_tobii_studio_in_coordinates_of_the_media(tmp_path):
    text = (
        "\ufeffParticipantName\tMediaName\tFixationIndex\tGazeEventDuration\tFixationPointX (MCSpx)\t"
        "FixationPointY (MCSpx)\tGazePointX (ADCSpx)\n"
        "P01\tkitchen.jpg\t1\t233\t512\t388\t1\nP01\tkitchen.jpg\t2\t417\t640\t201\t1\n"
    )
    assert points(read(tmp_path, text, "fixations.tsv")) == [(512, 388), (640, 201)]


def test_eyelink_data_viewer(tmp_path):
    """A fixation report: names in capitals, a dot for what is missing, quotes, the subject in the name of the session."""
    text = (
        '"RECORDING_SESSION_LABEL"\t"TRIAL_INDEX"\t"CURRENT_FIX_DURATION"\t"CURRENT_FIX_START"\t"CURRENT_FIX_X"\t'
        '"CURRENT_FIX_Y"\t"CURRENT_FIX_INDEX"\t"image"\n'
        "s01\t1\t236\t4\t401.30\t299.80\t1\timages\\kitchen.jpg\n"
        "s01\t1\t180\t290\t.\t.\t2\timages\\kitchen.jpg\n"
        "s01\t2\t212\t2\t398.70\t301.10\t1\timages/kitchen.jpg\n"
        "s01\t2\t305\t260\t120.00\t88.40\t2\timages/kitchen.jpg\n"
    )
    table = read(tmp_path, text, "fixations.txt")
    assert points(table) == [(401.3, 299.8), (398.7, 301.1), (120.0, 88.4)]
    assert table.fixations.order.tolist() == [0, 0, 1]
    np.testing.assert_allclose(table.fixations.duration, [0.236, 0.212, 0.305])


def test_smi_begaze(tmp_path, caplog):
    """Lines about the export before the header, saccades between fixations with "-", and both eyes."""
    text = (
        "## BeGaze Event Statistics\n## Version: 3.7\n\n"
        "Trial\tStimulus\tParticipant\tCategory\tEye L/R\tIndex\tEvent Start Trial Time [ms]\tEvent End Trial Time [ms]\t"
        "Event Duration [ms]\tFixation Position X [px]\tFixation Position Y [px]\n"
        "Trial001\tkitchen.jpg\tP01\tFixation\tRight\t1\t12.0\t262.0\t250.0\t401.5\t299.0\n"
        "Trial001\tkitchen.jpg\tP01\tFixation\tLeft\t1\t12.0\t262.0\t250.0\t399.5\t298.0\n"
        "Trial001\tkitchen.jpg\tP01\tSaccade\tRight\t1\t262.0\t298.0\t36.0\t-\t-\n"
        "Trial001\tkitchen.jpg\tP01\tFixation\tRight\t2\t298.0\t598.0\t300.0\t120.5\t88.0\n"
    )
    table = read(tmp_path, text, "fixations.txt")
    assert points(table) == [(401.5, 299.0), (399.5, 298.0), (120.5, 88.0)]
    assert table.fixations.order.tolist() == [0, 0, 1]
    np.testing.assert_allclose(table.fixations.duration, [0.25, 0.25, 0.3])
    assert mentions(caplog.text, "Left", "Right")


def test_gazepoint(tmp_path):
    """Coordinates relative to the screen; there is no column for the subject until somebody adds one."""
    header = "MEDIA_ID,MEDIA_NAME,CNT,TIME(2024/03/05 10:11:12.123),FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV"
    rows = ["0,kitchen.jpg,17,0.283,0.5,0.5,0.000,0.250,1,1", "0,kitchen.jpg,41,0.683,0.25,0.75,0.300,0.350,2,1"]
    with pytest.raises(DataError, match=naming("fixations.csv", "subject", "--columns", "FPOGV")):
        read(tmp_path, "\n".join([header, *rows]))
    text = "\n".join([header + ",Participant,", *(row + ",anna," for row in rows)])
    with pytest.raises(DataError, match=naming("--coordinates relative")):
        read(tmp_path, text)
    assert points(read(tmp_path, text, coordinates="relative")) == [(400, 300), (200, 450)]
    on_screen = read(tmp_path, text, coordinates="relative", screen="1600x1200", scale=2)
    assert points(on_screen) == [(400, 300), (200, 450)]
    smaller = read(tmp_path, text, coordinates="relative", screen="1600x1200")
    assert points(smaller) == [(400, 300)]  # the other is on the screen, left of the picture


# files


def test_a_spreadsheet_with_semicolons_decimal_commas_and_empty_cells(tmp_path):
    header, *rows = " Stimulus ;SUBJECT; X;Y ;;", "kitchen.jpg;anna;163,8;228,1;;", ";;;;;", "street.jpg;anna;163;9,5;;"
    text = "\ufeff" + "\r\n".join(["sep=;", header, *rows, ""])
    assert points(read(tmp_path, text)) == [(163.8, 228.1), (163.0, 9.5)]


def test_quoted_decimal_commas_between_commas(tmp_path):
    assert points(read(tmp_path, 'stimulus,subject,x,y\nkitchen,anna,"163,8","228,1"\n')) == [(163.8, 228.1)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(encoding, end, mark, tmp_path):
    stimuli = [Stimulus("Küche.jpg", Path("Küche.jpg"), (600, 800))]
    (tmp_path / "fixations.csv").write_bytes(f"{mark}stimulus,subject,x,y{end}Küche,Jörg,1,2{end}".encode(encoding))
    assert len(read_fixations(tmp_path, stimuli).fixations) == 1


def test_json_lines_and_parquet_give_what_csv_gives(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [("kitchen.jpg", 1, 5.5, 6.0), ("street.jpg", 2, None, 7.0), ("street.jpg", 2, 8.0, 9.0)]
    columns = ("image", "participant", "FixationX", "FixationY")
    objects = [dict(zip(columns, row, strict=True)) for row in rows]
    del objects[1]["FixationX"]
    expected = read(tmp_path, "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]))
    (tmp_path / "fixations.csv").unlink()
    lines = read(tmp_path, "\n".join(map(json.dumps, objects)), "fixations.jsonl")
    (tmp_path / "fixations.jsonl").unlink()
    parquet.write_table(
        pyarrow.table(dict(zip(columns, zip(*rows, strict=True), strict=True))), tmp_path / "fixations.parquet"
    )
    arrow = read_fixations(tmp_path, STIMULI)
    for other in (lines, arrow):
        assert other.left_out == expected.left_out == {"missing coordinates": 1}
        for name, values in vars(expected.fixations).items():
            np.testing.assert_equal(getattr(other.fixations, name), values)


def test_stimuli_that_are_numbers_in_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"stimulus": [101.0, None], "subject": [1, 2], "x": [5, 6], "y": [7, 8]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "fixations.parquet")
    assert len(read_fixations(tmp_path, [Stimulus("101.jpg", Path("101.jpg"), (60, 80))]).fixations) == 1


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("fixations.jsonl", '{"x": 1}\n\n[3]\n', [3]),
        ("fixations.jsonl", '{"x": 1}\n{"x": \n', [2]),
        ("fixations.jsonl", '{"x": 1}\n{"x": 1, "x": 2}\n', [2, "twice"]),
        pytest.param("fixations.jsonl", '{"x": 1}\n' + "[" * 100_000, [2], id="deep"),
        ("fixations.parquet", "no parquet", []),
        ("fixations.csv", b"stimulus,subject,x,y\n\xff\xfe\n", ["utf-8", "0xff"]),
        ("fixations.csv", 'stimulus,subject,x,y\nkitchen,a,1,2\nkitchen,"a,3,4\n', [3]),
        ("fixations.csv", 'x,y,subject,stimulus\n1,2,a,kitchen\n3,4,a,"kitchen\n5,6,a,street\n', []),
        ("fixations.csv", "## SMI\n\nsep=;\nstimulus;subject;x;y\nkitchen;a;1\n", [5]),
        ("fixations.csv", "## SMI\nstimulus,subject,x,y\n\nkitchen,a,1,left\n", [4]),
        ("fixations.csv", "", ["stimulus, subject, x, y"]),
    ],
)
def test_damaged_files_are_named_with_their_line(name, content, named, tmp_path):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match=naming(name, *named)):
        read(tmp_path, content, name)


def test_a_table_that_is_not_there_twice_or_a_spreadsheet(tmp_path):
    with pytest.raises(FileError, match=naming(tmp_path / "fixations.csv", ".parquet")):
        read_fixations(tmp_path, STIMULI)
    (tmp_path / "fixations.xlsx").touch()
    with pytest.raises(FileError, match=naming("fixations.xlsx", "CSV")):
        read_fixations(tmp_path, STIMULI)
    (tmp_path / "fixations.tsv").touch()
    (tmp_path / "fixations.csv").touch()
    with pytest.raises(DataError, match=naming("fixations.csv", "fixations.tsv")):
        read_fixations(tmp_path, STIMULI)


# rows and columns


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ("kitchen,s,left,2,0,1", ["left"]),
        ("kitchen,s,inf,2,0,1", ["inf"]),
        ("kitchen,s,1_0,2,0,1", ["1_0"]),
        ("kitchen,s,1", [6]),
        ("kitchen", [6]),
        ("kitchen,s,1,2,zero,1", ["zero"]),
        ("kitchen,s,163,8,228,1,0,1", [6, 8]),
        ("kitchen,s,163,8,228,1", []),  # as many values as columns, but it ends before it begins
        ('kitchen,s,"1.234,5",2,0,1', ["1.234,5"]),
        ('kitchen,s,"163,8",2,0,1', ["163,8"]),  # the other rows have decimal points
    ],
)
def test_wrong_rows_are_refused_with_their_line(bad, named, tmp_path):
    text = OURS + 20 * "kitchen,s,1.5,2,0,1\n" + f'"kitchen","s\n","1.5",2,0,1\n\n{bad}\nkitchen,s,1,2,0,1\n'
    with pytest.raises(DataError, match=naming("fixations.csv", 25, *named)):
        read(tmp_path, text)


def test_a_decimal_comma_and_a_thousand_cannot_be_told_apart(tmp_path):
    header = "stimulus;subject;x;y\n"
    with pytest.raises(DataError, match=naming("1,024", 3)):
        read(tmp_path, header + "kitchen;a;640;5\nkitchen;a;1,024;5\n")
    assert points(read(tmp_path, header + "kitchen;a;640,125;5\nkitchen;a;1,024;5\n")) == [(640.125, 5), (1.024, 5)]


@pytest.mark.parametrize(
    "header", ["stimulus,subject,x,y,x", "stimulus,subject,x,y, X ", "stimulus,subject,FixX,y,fixx"]
)
def test_a_column_twice_is_refused(header, tmp_path):
    with pytest.raises(DataError, match=naming("fixations.csv", "twice")):
        read(tmp_path, header + "\nkitchen,a,1,2,3\n")


def test_columns_are_found_by_name_or_named(tmp_path):
    text = "image,media,participant,FixationX,fix_y,x_screen\nkitchen,street,a,5,6,7\n"
    with pytest.raises(DataError, match=naming("image", "media", "--columns")):
        read(tmp_path, text)
    assert points(read(tmp_path, text, columns=["stimulus=Media"])) == [(5, 6)]
    table = read(tmp_path, text, columns=["stimulus=image", "x=X_Screen "])
    assert points(table) == [(7, 6)]
    assert table.fixations.n.tolist() == [0]
    with pytest.raises(DataError, match=naming("gaze", "x_screen", "--columns")):
        read(tmp_path, text, columns=["x=gaze"])


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_missing_columns_are_named_with_what_there_is(separator, tmp_path):
    with pytest.raises(DataError, match=naming("subject", "y", "fixations.csv", "--columns")):
        read(tmp_path, separator.join(["stimulus", "x", "place"]) + "\n")
    if separator in ";\t":
        with pytest.raises(DataError, match=naming({";": "semicolons", "\t": "tabs"}[separator])):
            read(tmp_path, separator.join(["stimulus", "x", "place"]) + "\n")


@pytest.mark.parametrize("cell", ["", " ", "-", ".", "NaN", "nan", "NA", "null"])
def test_missing_coordinates_are_left_out_and_counted(cell, tmp_path):
    table = read(tmp_path, f"stimulus,subject,x,y\nkitchen,a,{cell},6\nkitchen,a,5,{cell}\nkitchen,a,7,8\n")
    assert points(table) == [(7, 8)]
    assert table.left_out == {"missing coordinates": 2}


@pytest.mark.parametrize(
    "name",
    [
        "kitchen",
        "kitchen.jpg",
        " kitchen.jpg ",
        "kitchen.bmp",
        "stimuli/kitchen.jpg",
        r"C:\data\stimuli\kitchen.jpg",
        "a/kitchen",
    ],
)
def test_names_of_stimuli_may_have_folders_and_another_ending(name, tmp_path):
    assert read(tmp_path, f"stimulus,subject,x,y\n{name},a,5,6\n").fixations.n.tolist() == [0]


def test_names_with_dots(tmp_path):
    assert read(tmp_path, "stimulus,subject,x,y\ni1.v2,a,5,6\ni1.v2.png,a,5,6\n").fixations.n.tolist() == [2, 2]


def test_what_was_read_and_left_out_is_said(tmp_path, caplog):
    caplog.set_level(logging.INFO, "mrsal")
    rows = [
        "kitchen,a,5,6",
        "Kitchen.JPG,a,5,6",
        "hall,a,5,6",
        "street,b,900,6",
        "street,b,-,6",
        "street,,7,8",
        "street,b,9,9",
    ]
    table = read(tmp_path, "\n".join(["image,subject,x,y", *rows]))
    assert sorted(table.left_out.values()) == [1, 1, 1, 2]
    assert mentions(caplog.text, 2, 7, "Kitchen.JPG", "kitchen.jpg", "hall", "image", 5)


def test_a_table_of_other_stimuli_is_refused_with_names_of_both(tmp_path):
    with pytest.raises(DataError, match=naming(2, "KITCHEN.jpg", "kitchen.jpg", "hall")):
        read(tmp_path, "stimulus,subject,x,y\nKITCHEN.jpg,a,5,6\nhall,a,5,6\n")


def test_a_table_without_fixations_is_refused_with_the_reasons(tmp_path):
    with pytest.raises(DataError, match=naming("fixations.csv", 2)):
        read(tmp_path, "stimulus,subject,x,y\nkitchen,a,-,-\nkitchen,a,-,-\n")
    with pytest.raises(DataError, match=naming("fixations.csv")):
        read(tmp_path, "stimulus,subject,x,y\n")


# coordinates


def rows_of(x, y) -> str:
    return "stimulus,subject,x,y\n" + "".join(f"kitchen,a,{a},{b}\n" for a, b in zip(x, y, strict=True))


def test_positions_on_the_screen(tmp_path):
    x, y = [660.0, 1259.9], [340.0, 700.0]  # 800x600 in the centre of 1920x1080: from 560, 240
    assert points(read(tmp_path, rows_of(x, y), screen="1920x1080")) == [(100, 100), (pytest.approx(699.9), 460)]
    assert points(read(tmp_path, rows_of(x, y), offset="560,240")) == [(100, 100), (pytest.approx(699.9), 460)]
    enlarged = read(tmp_path, rows_of([360, 1530], [240, 840]), screen="1920x1080", scale=1.5)  # from 360, 90
    assert points(enlarged) == [(0, 100), (780, 500)]


def test_pixels_that_start_at_1(tmp_path):
    assert points(read(tmp_path, rows_of([1, 800], [1, 600]), offset="1,1")) == [(0, 0), (799, 599)]


@pytest.mark.parametrize(
    "options",
    [
        {"columns": ["x"]},
        {"columns": ["z=Z"]},
        {"columns": ["x=A", "x=B"]},
        {"columns": ["x="]},
        {"offset": "5"},
        {"offset": "a,b"},
        {"screen": "1920"},
        {"screen": "0x10"},
        {"scale": 0},
        {"offset": "1,2", "screen": "3x4"},
        {"coordinates": "relative", "offset": "1,2"},
        {"coordinates": "degrees"},
    ],
    ids=str,
)
def test_wrong_options_are_refused(options):
    with pytest.raises(InputError, match="|".join(options)):
        TableOptions(**options)


def test_relative_coordinates_have_to_be_said(tmp_path):
    text = rows_of([0.2, 0.9], [0.1, 1.0])
    with pytest.raises(DataError, match=naming("--coordinates relative")):
        read(tmp_path, text)
    assert points(read(tmp_path, text, coordinates="relative")) == [(160, 60)]  # 1 is already outside


def test_relative_coordinates_are_recognised_even_if_some_are_beyond(tmp_path):
    with pytest.raises(DataError, match=naming(9, 10, "--coordinates relative")):
        read(tmp_path, rows_of([0.2] * 9 + [1.1], [0.3] * 9 + [-0.2]))


def test_coordinates_from_the_centre_are_refused_until_it_is_said(tmp_path):
    x, y = scattered(60)
    with pytest.raises(DataError, match=naming(60, "--offset")):
        read(tmp_path, rows_of(x - 400, y - 300))
    np.testing.assert_allclose(read(tmp_path, rows_of(x - 400, y - 300), offset="-400,-300").fixations.x, x)


def test_coordinates_of_something_else_are_refused(tmp_path):
    with pytest.raises(DataError, match=naming(3, "900", "1500", "800x600", "--offset", "--screen")):
        read(tmp_path, rows_of([900, 1000, 1500], [5, 6, 7]))


def scattered(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.normal(400, 170, count).clip(0, 799), rng.normal(290, 115, count).clip(0, 599)


def test_swapped_coordinates_are_refused(tmp_path):
    x, y = scattered(60)
    assert len(read(tmp_path, rows_of(x, y)).fixations) == 60
    with pytest.raises(DataError, match=naming("fixations.csv", 60, "--columns")):
        read(tmp_path, rows_of(y, x))


def test_many_outside_are_remarked(tmp_path, caplog):
    x, y = scattered(60)
    read(tmp_path, rows_of(x + 250, y))
    assert mentions(caplog.text, 60, "--offset")


@pytest.mark.parametrize(
    ("header", "step"),
    [
        ("start_s", 0.004),
        ("start_ms", 4),
        ("time [ms]", 16.7),
        ("timestamp", 4),
        ("timestamp", 0.0167),
        ("timestamp_us", 4000),
    ],
)
def test_samples_are_recognised_by_their_rate(header, step, tmp_path):
    x, y = scattered(40)
    lines = [f"kitchen,a,{a},{b},{i * step}" for i, (a, b) in enumerate(zip(x, y, strict=True))]
    with pytest.raises(DataError, match=naming("fixations.csv", "samples")):
        read(tmp_path, "\n".join([f"stimulus,subject,x,y,{header}", *lines]))


def test_samples_without_times_are_recognised_by_their_number(tmp_path):
    x = np.repeat([100, 400, 700], 60) + np.random.default_rng(0).normal(0, 1, 180)
    with pytest.raises(DataError, match=naming("samples", 180)):
        read(tmp_path, rows_of(x, x / 2))


@pytest.mark.parametrize(("header", "step"), [("start_s", 0.3), ("start_ms", 300), ("timestamp", 300), ("time", 0.3)])
def test_fixations_are_not_taken_for_samples(header, step, tmp_path):
    x, y = scattered(40)
    lines = [f"kitchen,a,{a},{b},{i * step}" for i, (a, b) in enumerate(zip(x, y, strict=True))]
    assert len(read(tmp_path, "\n".join([f"stimulus,subject,x,y,{header}", *lines])).fixations) == 40


# properties


@pytest.mark.parametrize("seed", range(8))
def test_any_layout_of_the_same_table_gives_the_same_fixations(seed, tmp_path):
    """A random table, written with random names, order of columns, separator, decimal sign, encoding and empty rows."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 60))
    values = {
        "stimulus": rng.choice(NAMES, count),
        "subject": rng.choice(["a", "b c", "d;e", "ü"], count),
        "x": rng.uniform(-50, 850, count).round(3),
        "y": rng.uniform(2, 650, count).round(3),
    }
    names = {
        "stimulus": ["Stimulus", "image", "MEDIA_NAME"],
        "subject": ["participant", " SUBJECT "],
        "x": ["X", "FixationX", "CURRENT_FIX_X", "x [px]"],
        "y": ["y", "fix_y", "Fixation point Y"],
    }
    separator, comma = [(",", False), (";", False), (";", True), ("\t", True)][rng.integers(4)]
    order = rng.permutation(list(values))
    lines = [separator.join(str(rng.choice(names[column])) for column in order)]
    for i in range(count):
        cells = [str(values[column][i]) for column in order]
        cells = [c.replace(".", ",") if comma and k in "xy" else c for c, k in zip(cells, order, strict=True)]
        lines += [separator.join(f'"{cell}"' if separator in cell else cell for cell in cells)] + [""] * int(
            rng.integers(2)
        )
    encoding = rng.choice(["utf-8", "utf-8-sig", "utf-16"])
    found = read(tmp_path, "\r\n".join(lines).encode(str(encoding)))
    subjects = {name: i for i, name in reversed(list(enumerate(dict.fromkeys(values["subject"]))))}
    expected = keep_inside(
        Fixations.create(
            values["x"],
            values["y"],
            n=[NAMES.index(name) for name in values["stimulus"]],
            subject=[subjects[name] for name in values["subject"]],
        ),
        STIMULI,
    )
    for column in ("x", "y", "n", "subject"):
        np.testing.assert_array_equal(getattr(found.fixations, column), getattr(expected, column))
    assert sum(found.left_out.values()) + len(found.fixations) == count


# real tables


def as_before(path: Path, stems: list[str]) -> dict[str, list]:
    """The reader of mrsal before there was this one, without its messages."""
    import csv

    index = {stem: i for i, stem in enumerate(stems)}
    columns = {name: [] for name in ("x", "y", "n", "subject", "order", "duration")}
    subjects, trials = {}, {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            stem = row["stimulus"] if row["stimulus"] in index else Path(row["stimulus"]).stem
            if stem not in index:
                continue
            trial = (stem, row["subject"])
            trials[trial] = trials.get(trial, -1) + 1
            start, end = row.get("start_s"), row.get("end_s")
            columns["x"].append(float(row["x"]))
            columns["y"].append(float(row["y"]))
            columns["duration"].append(float(end) - float(start) if start and end else np.nan)
            columns["n"].append(index[stem])
            columns["subject"].append(subjects.setdefault(row["subject"], len(subjects)))
            columns["order"].append(trials[trial])
    return columns


@pytest.mark.parametrize("name", ["mit1003", "sun"])
def test_published_tables_are_read_as_before(name, data_root):
    if not (data_root / name).is_dir():
        pytest.skip(f"needs {name} at {data_root / name}")
    data = load(name, data_root / name)
    before = as_before(data_root / name / "fixations.csv", [stimulus.path.stem for stimulus in data.stimuli])
    expected = keep_inside(Fixations.create(**before), data.stimuli)
    for column, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(data.fixations, column), values)
    assert sum(data.left_out.values()) == len(before["x"]) - len(expected)


@pytest.mark.parametrize("name", ["mit1003", "sun", "crowd"])
def test_published_tables_with_x_and_y_swapped_are_refused(name, data_root, tmp_path):
    if not (data_root / name).is_dir():
        pytest.skip(f"needs {name} at {data_root / name}")
    data = load(name, data_root / name)
    with pytest.raises(DataError, match=naming("swapped")):
        read_fixations(data_root / name, data.stimuli, TableOptions(columns=["x=y", "y=x"]))


def test_load_gives_what_was_left_out(folder_root):
    with (folder_root / "fixations.csv").open("a") as file:
        file.write("s0,o0,-,-,,\nS0,o0,1,1,,\n")
    data = load("folder", folder_root)
    assert data.left_out == {"unknown stimulus": 1, "missing coordinates": 1}
