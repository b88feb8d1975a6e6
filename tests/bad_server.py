"""An HTTP server on this machine that serves files and misbehaves as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class BadServer:
    """Serves :attr:`files`. What is wrong is set by path, and :attr:`requests` has the path and range of each request.

    Attributes
    ----------
    breaks_after : dict of str to list of int
        After how many bytes the connection breaks off; the first number is for the first request, and so on.
    stalls_after : dict of str to list of int
        The same for a server that stops sending, and keeps the connection.
    announces : dict of str to int
        The size in the header, if it is a lie.
    status : dict of str to int
        A status other than 200.
    ignores_ranges, endless : set of str
        Paths of files that are always sent from their beginning, and of files that never end.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.breaks_after: dict[str, list[int]] = {}
        self.stalls_after: dict[str, list[int]] = {}
        self.announces: dict[str, int] = {}
        self.status: dict[str, int] = {}
        self.ignores_ranges: set[str] = set()
        self.endless: set[str] = set()
        self.requests: list[tuple[str, str | None]] = []
        self.address = ""
        self.released = threading.Event()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, wanted = request.path, request.headers.get("Range")
        self.requests.append((path, wanted))
        content, status = self.files.get(path), self.status.get(path, 200)
        if content is None or status != 200:
            request.send_error(status if status != 200 else 404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and path not in self.ignores_ranges else 0
        if start >= len(content) > 0:
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        rest = content[start:]
        if path not in self.endless:
            request.send_header("Content-Length", str(self.announces.get(path, len(rest))))
        request.end_headers()
        breaks, stalls = self.breaks_after.get(path), self.stalls_after.get(path)
        cut = breaks.pop(0) if breaks else stalls.pop(0) if stalls else len(rest)
        request.wfile.write(rest[:cut])
        request.wfile.flush()
        while path in self.endless:
            request.wfile.write(bytes(1 << 16))
        if cut < len(rest) and breaks is None:
            self.released.wait(20)
        request.close_connection = True


@contextmanager
def serving() -> Iterator[BadServer]:
    """A server for the time of the block."""
    server = BadServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # the client has had enough
                server.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server.address = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        listening.shutdown()
        listening.server_close()
        thread.join()
