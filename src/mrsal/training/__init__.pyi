from .config import ImprovedTrainConfig as ImprovedTrainConfig, TrainConfig as TrainConfig
from .distributed import first_only as first_only
from .features import TrainingImages as TrainingImages
from .job import train_job as train_job
from .loop import train as train
from .options import TrainOptions as TrainOptions
from .reproduction.job import reproduce_job as reproduce_job
from .reproduction.options import ReproduceOptions as ReproduceOptions
