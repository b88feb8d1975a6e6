from .archives.example import ArchiveImage as ArchiveImage, Example as Example
from .archives.native import NativeArchive as NativeArchive, write_native as write_native
from .archives.open import open_archive as open_archive
from .dataset import FixationDataset as FixationDataset, Stimulus as Stimulus
from .fixations import Fixations as Fixations, fixation_density as fixation_density
from .job import prepare_job as prepare_job
from .loaders import LOADERS as LOADERS, load as load
from .options import DataDir as DataDir, PrepareOptions as PrepareOptions, TableOptions as TableOptions
from .pysaliency_hdf5 import (
    SUFFIXES as SUFFIXES,
    load_h5py as load_h5py,
    minimal_unique_names as minimal_unique_names,
    read_stimuli as read_stimuli,
    reading as reading,
)
from .synthetic import write_synthetic as write_synthetic
