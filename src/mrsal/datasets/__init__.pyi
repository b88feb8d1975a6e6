from .archives.example import ArchiveImage as ArchiveImage, Example as Example
from .archives.historical import PthArchive as PthArchive
from .archives.native import NativeArchive as NativeArchive, write_native as write_native
from .archives.open import open_archive as open_archive
from .catalogue_options import (
    DownloadOptions as DownloadOptions,
    InfoOptions as InfoOptions,
    ListOptions as ListOptions,
)
from .dataset import FixationDataset as FixationDataset, Stimulus as Stimulus
from .degrees import pixels_per_degree as pixels_per_degree
from .fetching import download as download, download_job as download_job
from .fixations import (
    Fixations as Fixations,
    fixation_density as fixation_density,
    fixation_map as fixation_map,
)
from .info import DatasetInfo as DatasetInfo, RemoteFile as RemoteFile
from .job import prepare_job as prepare_job
from .loaders import LOADERS as LOADERS, PUBLISHED as PUBLISHED, info_of as info_of, load as load
from .options import DataDir as DataDir, PrepareOptions as PrepareOptions, TableOptions as TableOptions
from .pysaliency_hdf5 import (
    SUFFIXES as SUFFIXES,
    array_of as array_of,
    load_h5py as load_h5py,
    minimal_unique_names as minimal_unique_names,
    read_stimuli as read_stimuli,
    reading as reading,
)
from .synthetic import write_synthetic as write_synthetic
from .table_files import Table as Table, read_table as read_table, read_text as read_text
from .tables import FixationTable as FixationTable, read_fixations as read_fixations
