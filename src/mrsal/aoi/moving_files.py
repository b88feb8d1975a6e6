"""Reading files of areas for a video. The format is recognised by the content.

============  =====================================================================================
plain         ``{"cta": [{"time": 0, "area": [x, y, width, height]}, {"time": 4, "area": null}]}``;
              CSV with name, time or frame, x, y, width, height
CVAT          XML, "CVAT for video 1.1"
Label Studio  JSON or JSON-MIN with tracked rectangles
MOT           CSV without header, "MOT 1.1" of CVAT
============  =====================================================================================

All other files are read by :mod:`mrsal.aoi.area_files`; their areas are the same in the whole video.
"""

import warnings
from pathlib import Path

from mrsal.aoi.area_files import check_found, is_export, is_json, parsed_json, read_areas, reading_errors, text_of
from mrsal.aoi.areas import numbered
from mrsal.aoi.formats import cvat, cvat_tracks, key_frames, label_studio, label_studio_video, mot
from mrsal.aoi.formats.reading import Reading
from mrsal.aoi.formats.tracks import Tracks
from mrsal.aoi.moving import MovingArea
from mrsal.aoi.shapes import Area
from mrsal.datasets import read_table


def read_moving_areas(
    path: str | Path, *, video: str | Path = "", shape: tuple[int, int] | None = None
) -> list[Area | MovingArea]:
    """Read the areas of a video, fixed or moving.

    Parameters
    ----------
    path : str or Path
        A file in one of the formats above, or one that :func:`read_areas` reads, whose areas are fixed.
    video : str or Path
        The file name of the video, by which it is found in files with several videos.
    shape : (int, int), optional
        The height and width of the upright video in pixels. If they are given, areas drawn at another size are refused. Label
        Studio's files need them, since their numbers are per cent.

    Returns
    -------
    list of Area or MovingArea
        The areas in the order of the file. A label that occurs more than once gives ``face 1``, ``face 2`` and so on.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If the file is in none of the formats or has no areas, its key frames are not in order or not numbers, or areas were
        drawn at another size or are shares instead of pixels.

    Warns
    -----
    UserWarning
        Of what has no surface and is left out, and of areas that cannot be interpolated between their key frames.
    """
    path = Path(path)
    tracks = Tracks(Reading(str(video), shape))
    with reading_errors(path):
        has_read = not path.is_dir() and _read(path, tracks)
    if not has_read:
        return list(read_areas(path, image=video, shape=shape))
    check_found(path, tracks.reading, [each for area in tracks.areas for each in shapes_of(area)])
    if account := tracks.account():
        warnings.warn(f"{path.name}: {account}", stacklevel=2)
    return numbered(tracks.areas)


def shapes_of(area: Area | MovingArea) -> list[Area]:
    """The area, or those of its key frames."""
    if isinstance(area, MovingArea):
        return [each for _, each in area.key_frames if each is not None]
    return [area]


def _read(path: Path, tracks: Tracks) -> bool:
    """Read a file for a video; False if it is another one."""
    text = text_of(path)
    if text is None:
        return False
    if cvat.is_xml(text):
        cvat_tracks.read(text, tracks)
    elif is_json(text, path):
        content = parsed_json(text, path)
        if label_studio.is_label_studio(content):
            label_studio_video.read(content, tracks)
        elif not is_export(content) and key_frames.is_moving(content):
            key_frames.read_json(content, tracks)
        else:
            return False
    else:
        table = read_table(path)
        if mot.is_mot(table):
            mot.read(table, tracks)
        elif key_frames.is_moving_table(table):
            key_frames.read_table(table, tracks)
        else:
            return False
    return True
