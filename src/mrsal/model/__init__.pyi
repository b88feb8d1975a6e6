from .architecture import Network as Network, header_of as header_of, improvements_of as improvements_of
from .checkpoint import (
    check_improvements as check_improvements,
    has_all_values as has_all_values,
    load_checkpoint as load_checkpoint,
    load_safely as load_safely,
    save_checkpoint as save_checkpoint,
    save_safely as save_safely,
)
from .dense import MODES as MODES, grid_logits as grid_logits
from .device import has_bf16 as has_bf16, resolve_device as resolve_device, resolve_precision as resolve_precision
from .grid import GRID as GRID, Grid as Grid, scaled_centre as scaled_centre
from .hub import (
    SCHEME as SCHEME,
    WEIGHTS_FILE as WEIGHTS_FILE,
    load_pretrained as load_pretrained,
    push_to_hub as push_to_hub,
    save_pretrained as save_pretrained,
)
from .improved import (
    PRIOR_CELLS as PRIOR_CELLS,
    ImprovedConfig as ImprovedConfig,
    ImprovedNetwork as ImprovedNetwork,
    Stream as Stream,
    level_size as level_size,
    load_imagenet_weights as load_imagenet_weights,
    normalised as normalised,
    resized as resized,
)
from .network import (
    RGB as RGB,
    ModelConfig as ModelConfig,
    MrCNN as MrCNN,
    as_rgb as as_rgb,
    channels_last as channels_last,
    constrain_conv1 as constrain_conv1,
)
from .options import (
    DEFAULT_MODEL as DEFAULT_MODEL,
    IMPROVED as IMPROVED,
    DeviceOptions as DeviceOptions,
    MapOptions as MapOptions,
    Mode as Mode,
)
from .pretrained import (
    BUNDLED as BUNDLED,
    WEIGHTS as WEIGHTS,
    everywhere as everywhere,
    load_network as load_network,
    shipped_name as shipped_name,
)
from .pyramid import (
    PATCH as PATCH,
    SCALES as SCALES,
    Pyramid as Pyramid,
    crop as crop,
    is_unit as is_unit,
    to_unit as to_unit,
)
