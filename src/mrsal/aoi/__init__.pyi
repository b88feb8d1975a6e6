from .area_files import read_areas as read_areas, write_areas as write_areas
from .areas import (
    AreaDifference as AreaDifference,
    AreaShare as AreaShare,
    attention_shares as attention_shares,
    compare_shares as compare_shares,
    ranked as ranked,
)
from .curve import share_curve as share_curve
from .difference import change_elsewhere as change_elsewhere, difference_map as difference_map
from .drawing import with_areas as with_areas, with_contours as with_contours, with_spots as with_spots
from .legends import Legend as Legend, difference_picture as difference_picture
from .measured import (
    Looks as Looks,
    Measured as Measured,
    MeasuredShare as MeasuredShare,
    measured_shares as measured_shares,
    read_looks as read_looks,
)
from .moving import MovingArea as MovingArea
from .moving_files import read_moving_areas as read_moving_areas
from .options import AoiOptions as AoiOptions, CheckOptions as CheckOptions
from .output import (
    check_out as check_out,
    csv_text as csv_text,
    json_dict as json_dict,
    write_out as write_out,
)
from .report import Report as Report, legend_html as legend_html
from .rules import check_rules as check_rules, parse_rule as parse_rule
from .sentences import (
    MOVED as MOVED,
    clear_text as clear_text,
    interval_text as interval_text,
    moved_text as moved_text,
    points as points,
    summary as summary,
)
from .shapes import (
    Area as Area,
    Ellipse as Ellipse,
    Mask as Mask,
    Polygon as Polygon,
    Rectangle as Rectangle,
)
from .spots import strongest_spots as strongest_spots
from .study import Attention as Attention, measure as measure
from .tables import difference_table as difference_table, measured_table as measured_table, share_table as share_table
from .video_shares import (
    AreaSummary as AreaSummary,
    FrameShare as FrameShare,
    FrameShares as FrameShares,
    VideoShares as VideoShares,
    shares_over_video as shares_over_video,
)
from .video_study import (
    check_video_out as check_video_out,
    is_video as is_video,
    measure_video as measure_video,
    video_csv_text as video_csv_text,
    video_json as video_json,
    video_shape as video_shape,
    video_table as video_table,
)
