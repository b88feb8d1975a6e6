from .area_files import read_areas as read_areas, write_areas as write_areas
from .areas import (
    AreaDifference as AreaDifference,
    AreaShare as AreaShare,
    attention_shares as attention_shares,
    compare_shares as compare_shares,
    ranked as ranked,
)
from .drawing import with_areas as with_areas, with_contours as with_contours, with_spots as with_spots
from .measured import (
    Looks as Looks,
    Measured as Measured,
    MeasuredShare as MeasuredShare,
    measured_shares as measured_shares,
    read_looks as read_looks,
)
from .options import AoiOptions as AoiOptions, CheckOptions as CheckOptions
from .rules import check_rules as check_rules, parse_rule as parse_rule
from .shapes import (
    Area as Area,
    Ellipse as Ellipse,
    Mask as Mask,
    Polygon as Polygon,
    Rectangle as Rectangle,
)
from .spots import strongest_spots as strongest_spots
from .study import (
    Attention as Attention,
    check_out as check_out,
    csv_text as csv_text,
    difference_table as difference_table,
    json_dict as json_dict,
    measure as measure,
    measured_table as measured_table,
    share_table as share_table,
    write_out as write_out,
)
