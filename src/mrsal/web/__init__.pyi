from .address import is_private as is_private
from .app import serve as serve
from .options import ServeOptions as ServeOptions
from .studio import Studio as Studio
