"""What is known of a published data set besides its files: citation, terms of use, size, and where it can be downloaded.

Each file of a published data set has such a description, ``INFO``, so everything about a data set is in one place.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file of a data set that can be downloaded.

    Parameters
    ----------
    urls : tuple of str
        The addresses. The first is the authors', the others are mirrors.
    checksum : str
        The checksum with the name of its algorithm, such as ``"md5:38d5..."``.
    path : str
        Where the file goes, below the folder of the data set. For a zip archive, the folder into which it is unpacked;
        ``""`` is the folder of the data set itself.
    is_zip : bool
        Whether the file is a zip archive, which is unpacked.
    """

    urls: tuple[str, ...]
    checksum: str
    path: str = ""
    is_zip: bool = False


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """The description of a published data set.

    Parameters
    ----------
    name, title : str
        The name in mrsal, and the name that the authors use.
    citation : str
        The publication to cite.
    terms : str
        The terms of use. Read the authors' own before you use the data.
    home : str
        The home page.
    stimuli, observers : int
        The number of stimuli, and of observers for each stimulus.
    task : str
        What the observers did, and for how long each stimulus was shown.
    pixels_per_degree : float
        The number of pixels per degree of visual angle.
    megabytes : float, optional
        The size of the download in MB; None if it is not known.
    files : tuple of RemoteFile
        What ``mrsal datasets download`` fetches. It is empty if the authors want to be asked, or if no checksum of what they
        publish is known to us.
    steps : tuple of str
        What you have to do yourself, in this order: instead of a download if there are no files, otherwise after it.
    """

    name: str
    title: str
    citation: str
    terms: str
    home: str
    stimuli: int
    observers: int
    task: str
    pixels_per_degree: float
    megabytes: float | None = None
    files: tuple[RemoteFile, ...] = ()
    steps: tuple[str, ...] = ()
