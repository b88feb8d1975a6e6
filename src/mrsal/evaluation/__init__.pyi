from .adjusting import fit_adjustment as fit_adjustment
from .baselines.centre_bias import CentreBias as CentreBias
from .baselines.observers import InterObserver as InterObserver
from .comparison import compare as compare
from .comparison_job import compare_job as compare_job
from .evaluator import evaluate as evaluate
from .job import evaluate_job as evaluate_job
from .options import (
    CompareOptions as CompareOptions,
    EvaluateOptions as EvaluateOptions,
    ModelOptions as ModelOptions,
    SubmitOptions as SubmitOptions,
)
from .report.contact_sheet import contact_sheet as contact_sheet, show_job as show_job
from .report.curves import read_history as read_history, save_curves as save_curves
from .report.pictures import (
    GUTTER as GUTTER,
    comparison_picture as comparison_picture,
    sheet as sheet,
)
from .report.tables import score_table as score_table, table_lines as table_lines
from .scores import Scores as Scores
from .show_options import ShowOptions as ShowOptions
from .submission_job import find_stimuli as find_stimuli, report_problems as report_problems, submit_job as submit_job
