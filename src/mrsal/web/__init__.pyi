from .address import is_private as is_private
from .app import serve as serve
from .session import Limits as Limits
from .studio import Studio as Studio
