from .config import TrainConfig as TrainConfig
from .distributed import first_only as first_only
from .job import train_job as train_job
from .loop import train as train
from .options import TrainOptions as TrainOptions
