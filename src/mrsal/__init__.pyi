from . import datasets as datasets, metrics as metrics
from ._version import __version__ as __version__
from .errors import (
    DataError as DataError,
    FileError as FileError,
    InputError as InputError,
    MrsalError as MrsalError,
    Stopped as Stopped,
    TrainingError as TrainingError,
)
from .evaluation import Scores as Scores, compare as compare, evaluate as evaluate
from .inference import Predictor as Predictor, SaliencyMap as SaliencyMap, load_model as load_model
from .training import (
    ImprovedTrainConfig as ImprovedTrainConfig,
    TrainConfig as TrainConfig,
    TrainingImages as TrainingImages,
    train as train,
)
