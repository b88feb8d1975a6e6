"""The formats of areas: plain JSON and CSV, COCO, Label Studio, LabelMe, CVAT, VIA, and masks.

Each file of this package has ``is_...``, which recognises a format by its content, and ``read``, which puts the areas of one
image into a :class:`~mrsal.aoi.formats.reading.Reading`. :func:`mrsal.aoi.read_areas` opens the file and chooses the format.
"""
