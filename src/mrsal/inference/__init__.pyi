from .job import predict_job as predict_job
from .onnx_export import export_model as export_model
from .onnx_predictor import OnnxPredictor as OnnxPredictor
from .options import (
    ExportOptions as ExportOptions,
    Look as Look,
    PredictOptions as PredictOptions,
    RayOptions as RayOptions,
)
from .overlay import colour_map as colour_map
from .predictor import Predictor as Predictor, load_model as load_model
from .ray_job import predict_on_ray as predict_on_ray
from .ray_pool import (
    TRIES as TRIES,
    connected as connected,
    import_ray as import_ray,
    pool as pool,
    run_on_workers as run_on_workers,
)
from .saliency_map import SaliencyMap as SaliencyMap
