from .adjustment import Adjusted as Adjusted, Adjustment as Adjustment, CentrePrior as CentrePrior
from .any_model import open_model as open_model
from .calibration import ShareCalibration as ShareCalibration
from .contours import contour_level as contour_level, contour_lines as contour_lines
from .density_predictor import DensityPredictor as DensityPredictor
from .executor import TRIES as TRIES, Execute as Execute, execute_here as execute_here
from .job import predict_job as predict_job
from .onnx_export import export_model as export_model
from .onnx_predictor import OnnxPredictor as OnnxPredictor
from .options import (
    AdjustmentFile as AdjustmentFile,
    ExportOptions as ExportOptions,
    PredictOptions as PredictOptions,
    RayOptions as RayOptions,
)
from .overlay import Heat as Heat, colour_map as colour_map
from .predictor import Predictor as Predictor, load_model as load_model, predictor_of as predictor_of
from .ray_job import predict_on_ray as predict_on_ray
from .ray_pool import on_ray as on_ray
from .saliency_map import SaliencyMap as SaliencyMap
from .saliency_model import (
    FunctionModel as FunctionModel,
    PreparedImage as PreparedImage,
    SaliencyModel as SaliencyModel,
    as_model as as_model,
)
from .simple_models import BASELINES as BASELINES
from .video import (
    VIDEO_EXTENSIONS as VIDEO_EXTENSIONS,
    Average as Average,
    Frame as Frame,
    MovingHeat as MovingHeat,
    Video as Video,
    mp4_writer as mp4_writer,
    on_grid as on_grid,
    predicted as predicted,
)
