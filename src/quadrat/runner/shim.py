"""Sits beside a user's model in the instance's process. Standard library only; runs on any Python from 3.8.

The runner starts this file as a script with the number of one inherited socket. Frames in both directions:
4 bytes length of the payload, 8 bytes request number, 1 byte kind, payload. Requests are worked on one at a time and in
order. File descriptors 1 and 2 are a pipe that the runner reads; after each request of a model that writes at all a
mark (16 secret bytes and the request number) goes into that pipe, so that the runner knows which lines belong to
which request, whoever wrote them.
"""

from __future__ import annotations

import _socket
import collections
import ctypes
import faulthandler
import fcntl
import importlib.util
import json
import os
import resource
import select
import signal
import stat
import struct
import sys
import termios
import threading
import time
from types import FunctionType, MethodType, ModuleType

# Whoever asks a model that does not run yet waits for these imports: what is needed rarely is imported where it is.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Parameter = tuple[str, int, bool]  # name, kind, whether it has no default

HEADER = struct.Struct(">IQB")
NUMBER = struct.Struct(">Q")
NOTHING = struct.pack("i", 0)
SILENT_REQUESTS = 1000

START, REQUEST, CANCEL, STOP = 1, 2, 3, 4  # from the runner
READY, START_FAILED, RESULT, FAILURE, CANCELLED, FILES = 1, 2, 3, 4, 5, 6  # to the runner
MARKED = 128  # added to the kind: a mark with the request's number is in the pipe

MESSAGE_LIMIT = 2000
FRAME_LIMIT_BYTES = 512 * 1024 * 1024
LINUX = sys.platform.startswith("linux")
READ_SIZE = 256 * 1024
# Own descriptors live up here, out of the way of code that closes or replaces the low ones.
DESCRIPTOR_BASE = 100
# After a request that took longer, look for cancellations before the next one begins.
LONG_REQUEST_NS = 2000000
LATER = "QUADRAT_LATER_"  # begins the name of a variable that counts only behind the walls
LINE_BUFFERED = 1  # _IOLBF of stdio.h, the same in glibc, musl and macOS

# Of linux/landlock.h and linux/prctl.h; the numbers of the calls are the same on all machines.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1
NO_NEW_PRIVS, CAPABILITY_VERSION = 38, 0x20080522
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, USE_DEVICE = 1, 2, 4, 8, 1 << 14, 1 << 15
READING = EXECUTE | READ_FILE | READ_DIR
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | USE_DEVICE
RIGHTS = {"look": READ_FILE, "read": READING, "use": READING | WRITE_FILE | TRUNCATE | USE_DEVICE, "own": (1 << 16) - 1}
LEAST_VERSION = 2  # the first forbids renaming from one directory into another
ABSTRACT_SOCKETS_AND_SIGNALS = 3

# Kinds of parameters, as `inspect` numbers them, and the flags of code that takes any number.
POSITIONAL_OR_KEYWORD, VAR_POSITIONAL, VAR_KEYWORD, VARIABLE = 1, 2, 4, 4 | 8


class LoadError(Exception):
    """The package cannot be loaded; the message is for its author."""


class Channel:
    """The socket to the runner, read in large pieces."""

    def __init__(self, descriptor: int) -> None:
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, DESCRIPTOR_BASE)
        os.close(descriptor)
        self._socket = _socket.socket(fileno=high)
        self._socket.setblocking(True)
        self._arrival = select.poll()
        self._arrival.register(high, select.POLLIN)
        self._buffer = bytearray()
        self.waiting: collections.deque[tuple[int, bytes]] = collections.deque()
        self.cancelled: set[int] = set()
        self.stopping = False
        # A forked child of the model must not keep the line open, nor write to it.
        os.register_at_fork(after_in_child=self._socket.close)

    def receive(self, block: bool) -> bool:
        """Read what has come into `waiting` and `cancelled`, or wait for it; False when the runner is gone."""
        try:
            data = self._socket.recv(READ_SIZE, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            if block:  # waiting in recv, this process would be woken a second time whenever the runner reads an answer
                self._arrival.poll()
            return True
        except ConnectionError:
            return False
        self._buffer += data
        self._split()
        return bool(data)

    def _split(self) -> None:
        buffer = self._buffer
        position, end = 0, len(buffer)
        while end - position >= HEADER.size:
            length, number, kind = HEADER.unpack_from(buffer, position)
            start = position + HEADER.size
            if end - start < length:
                break
            position = start + length
            if kind == CANCEL:
                self.cancelled.add(number)
            elif kind == STOP:
                self.stopping = True
            else:
                self.waiting.append((number, bytes(buffer[start:position])))
        if position:
            del buffer[:position]

    def send(self, number: int, kind: int, payload: bytes) -> None:
        """Write one frame."""
        self._socket.sendall(HEADER.pack(len(payload), number, kind) + payload)

    def next(self) -> tuple[int, bytes] | None:
        """The next frame in order; None when it is time to end."""
        while not self.waiting:
            if self.stopping or not self.receive(block=True):
                return None
        return self.waiting.popleft()


class Output:
    """The pipe behind descriptors 1 and 2, and the marks in it."""

    def __init__(self, token: bytes) -> None:
        self._token = token
        self._pipe = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, DESCRIPTOR_BASE)
        self._unread = bytearray(len(NOTHING))
        self._silent = 0
        self._flushes: list[Callable[[], Any]] = []
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
            self._flushes.append(stream.flush)
        flush_c = _line_buffer_c_output()
        if flush_c is not None:
            self._flushes.append(flush_c)

    def mark(self, number: int) -> int:
        """Flush everything written so far, and set the mark that ends request `number`.

        A model that has written nothing for many requests gets no mark (0, else `MARKED`): both sides save the trouble.
        """
        for flush in self._flushes[:]:
            try:
                flush()
            except (ValueError, OSError):  # the model closed the stream: nothing is left in it
                self._flushes.remove(flush)
        fcntl.ioctl(self._pipe, termios.FIONREAD, self._unread)
        self._silent = self._silent + 1 if self._unread == NOTHING else 0
        if self._silent > SILENT_REQUESTS:
            return 0
        while True:
            try:
                # Shorter than PIPE_BUF, so it is written whole or not at all.
                os.write(self._pipe, self._token + NUMBER.pack(number))
                return MARKED
            except BlockingIOError:  # the model made the pipe non-blocking
                select.select([], [self._pipe], [])
            except BrokenPipeError:  # the runner is gone; reading the socket will tell
                return 0


def _line_buffer_c_output() -> Callable[[], Any] | None:
    """Let printf of C libraries appear line by line; gives the function that flushes the rest."""
    try:
        libc = ctypes.PyDLL(None)
        stdout = ctypes.c_void_p.in_dll(libc, "__stdoutp" if sys.platform == "darwin" else "stdout")
        libc.setvbuf(stdout, None, LINE_BUFFERED, ctypes.c_size_t(0))
        flush = libc.fflush
    except (OSError, ValueError, AttributeError):
        return None
    return lambda: flush(stdout)


def json_functions() -> tuple[str, Callable[[bytes], Any], Callable[[Any], bytes]]:
    """Name, reader and writer of the fastest JSON library of this environment."""
    try:
        import msgspec  # noqa: PLC0415

        return "msgspec", msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    except ImportError:
        pass
    try:
        import orjson  # type: ignore[import-not-found]  # noqa: PLC0415

        return "orjson", orjson.loads, orjson.dumps
    except ImportError:
        return "json", json.loads, _encode_with_json


def _encode_with_json(value: Any) -> bytes:
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        # JSON has no NaN and no infinity; the faster libraries write null, so this one does too.
        text = json.dumps(_without_nan(value), separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return value


def message_of(error: BaseException) -> str:
    """Text of an exception, its class name when it has none, at most 2000 characters."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ of the user's exception
        text = ""
    return (text or type(error).__name__)[:MESSAGE_LIMIT]


def print_traceback(error: BaseException) -> None:
    """Write the traceback to the log, from the first frame that is the user's."""
    import traceback  # noqa: PLC0415

    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace, file=sys.__stderr__)


def _is_machinery(file_name: str) -> bool:
    return file_name == _is_machinery.__code__.co_filename or file_name.startswith("<frozen importlib")


def find_main(package_dir: str, declared: str | None) -> str:
    """Absolute path of the main file: the declared one, else model.py, else deployment.py."""
    if declared:
        name = declared if declared.endswith(".py") else declared + ".py"
        path = os.path.abspath(os.path.join(package_dir, name))
        if not os.path.isfile(path):
            raise LoadError("ML_MODEL_FILE_NAME names %s, which is not in %s." % (name, os.path.basename(package_dir)))
        return path
    for name in ("model.py", "deployment.py"):
        path = os.path.join(package_dir, name)
        if os.path.isfile(path):
            return os.path.abspath(path)
    raise LoadError("The main file model.py is missing in %s." % os.path.basename(package_dir))


def load_class(main: str) -> type[Any]:
    """Import the main file and give its class Model (or Deployment)."""
    name = os.path.splitext(os.path.basename(main))[0]
    specification = importlib.util.spec_from_file_location(name, main)
    if specification is None or specification.loader is None:
        raise LoadError("The main file %s cannot be imported." % os.path.basename(main))
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException as error:  # noqa: BLE001 - also sys.exit() at import
        print_traceback(error)
        raise LoadError("%s could not be imported: %s" % (os.path.basename(main), _named(error))) from None
    return _class_of(module, os.path.basename(main))


def _class_of(module: ModuleType, file_name: str) -> type[Any]:
    for class_name in ("Model", "Deployment"):
        found = getattr(module, class_name, None)
        if isinstance(found, type):
            if not callable(getattr(found, "request", None)):
                raise LoadError("The class %s in %s has no method request." % (class_name, file_name))
            return found
    raise LoadError("The class Model is missing in %s." % file_name)


def _named(error: BaseException) -> str:
    text, name = message_of(error), type(error).__name__
    return text if text == name else "%s: %s" % (name, text)


def make_model(found: type[Any], base_directory: str, context: dict[str, Any]) -> Any:
    """Call the class with those of (base_directory, context) that its ``__init__`` takes."""
    offered = {"base_directory": base_directory, "context": context}
    positional: list[Any] = []
    named: dict[str, Any] = {}
    parameters = _parameters(found)
    taken = {name for name, _, _ in parameters}
    free = [value for name, value in offered.items() if name not in taken]
    for name, kind, required in parameters:
        if kind == VAR_KEYWORD:
            named.update({name: value for name, value in offered.items() if name not in taken})
        elif kind == VAR_POSITIONAL:
            continue
        elif name in offered:
            named[name] = offered[name]
        elif required and free and not named:
            positional.append(free.pop(0))  # the same two arguments under names of the author's own
    try:
        return found(*positional, **named)
    except BaseException as error:  # noqa: BLE001 - also sys.exit() in it
        print_traceback(error)
        raise LoadError("%s.__init__ failed: %s" % (found.__name__, _named(error))) from None


def _parameters(function: Any) -> list[Parameter]:
    """What it takes, as `inspect` says. Plain functions and classes, nearly all there are, are read without it."""
    plain, skipped = function, 0
    if type(function) is type:
        made: dict[str, Any] = {name: getattr(function, name) for name in ("__new__", "__init__")}
        if made == {"__new__": object.__new__, "__init__": object.__init__}:
            return []
        plain, skipped = made["__init__"] if made["__new__"] is object.__new__ else None, 1
    elif isinstance(function, MethodType):
        plain, skipped = function.__func__, 1
    if isinstance(plain, FunctionType) and not plain.__dict__:
        code = plain.__code__
        count = code.co_argcount
        if count >= skipped and not (code.co_posonlyargcount or code.co_kwonlyargcount or code.co_flags & VARIABLE):
            required = count - len(plain.__defaults__ or ())
            names = code.co_varnames[:count]
            return [(name, POSITIONAL_OR_KEYWORD, at < required) for at, name in enumerate(names)][skipped:]
    import inspect  # noqa: PLC0415

    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C without a signature
        return []
    return [(item.name, int(item.kind), item.default is item.empty) for item in found]


def bind_request(model: Any, context: dict[str, Any]) -> Callable[[Any], Any]:
    """The model's ``request`` as a function of the data, whether or not it also takes the context."""
    request: Callable[..., Any] = model.request
    positional = [item for item in _parameters(request) if item[1] <= POSITIONAL_OR_KEYWORD]
    if len(positional) >= 2:
        name, _, required = positional[1]
        if name == "context" or required:
            return lambda data: request(data, context)
    return request


def load(start: dict[str, Any]) -> Callable[[Any], Any]:
    """Load the package that the start frame names."""
    package_dir: str = start["package_dir"]
    main = find_main(package_dir, os.environ.get("ML_MODEL_FILE_NAME"))
    base_directory = os.path.dirname(main)
    for folder in (os.path.dirname(package_dir), os.path.join(package_dir, "libraries"), base_directory):
        if os.path.isdir(folder):
            sys.path.insert(0, folder)
    context: dict[str, Any] = start["context"]
    return bind_request(make_model(load_class(main), base_directory, context), context)


class Worker:
    """Runs requests and says how they went."""

    def __init__(self, channel: Channel, output: Output, call: Callable[[Any], Any], start: dict[str, Any]) -> None:
        self._channel = channel
        self._output = output
        self._call = call
        _, self._decode, self._encode = json_functions()
        self._memory_message: str = start["memory_message"]
        self._file_outputs: list[str] = start["file_outputs"]
        self._outbox: str = start["outbox"]

    def run(self) -> None:
        """Work until the runner says stop or goes away."""
        channel, output, clock = self._channel, self._output, time.perf_counter_ns
        while True:
            frame = channel.next()
            if frame is None:
                return
            number, payload = frame
            if number in channel.cancelled:
                channel.cancelled.discard(number)
                channel.send(number, CANCELLED, b"")
                continue
            begun = clock()
            kind, answer = self._answer(number, payload)
            duration = clock() - begun
            channel.send(number, kind | output.mark(number), NUMBER.pack(duration) + answer)
            if duration > LONG_REQUEST_NS and not channel.receive(block=False):
                return

    def _answer(self, number: int, payload: bytes) -> tuple[int, bytes]:
        try:
            data = self._decode(payload)
        except Exception as error:  # noqa: BLE001 - each library has its own error
            return FAILURE, ("The request data is not JSON: %s" % message_of(error)).encode()[:MESSAGE_LIMIT]
        try:
            result = self._call(data)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in a model fails the request, not the instance
            return FAILURE, self._failure(error).encode("utf-8", "replace")
        try:
            if self._file_outputs:
                result = self._hand_over_files(number, result)
        except (OSError, ValueError) as error:
            return FAILURE, message_of(error).encode("utf-8", "replace")
        try:
            answer = self._encode(result)
        except Exception as error:  # noqa: BLE001 - each library has its own error
            text = "The result of the model's request method is not JSON: %s" % message_of(error)
            return FAILURE, text[:MESSAGE_LIMIT].encode("utf-8", "replace")
        if len(answer) + NUMBER.size > FRAME_LIMIT_BYTES:
            return FAILURE, b"The result has more than 512 MiB; give a file instead (an output field of type blob)."
        return RESULT, answer

    def _hand_over_files(self, number: int, result: Any) -> Any:
        """Copy the files that the result names to where the runner fetches them, and tell it under which names."""
        if not isinstance(result, dict):
            return result
        named: dict[str, tuple[str, str]] = {}
        for position, field in enumerate(self._file_outputs):
            if field not in result:
                continue
            path = result[field]
            if not isinstance(path, (str, os.PathLike)) or not os.path.isfile(path):
                raise ValueError("The output field %s must be the path of a file, not %.200r." % (field, path))
            import shutil  # noqa: PLC0415

            place = "%d-%d" % (number, position)
            shutil.copyfile(path, os.path.join(self._outbox, place))
            named[field] = (place, os.path.basename(os.fspath(path)))
        self._channel.send(number, FILES, json.dumps(named).encode("ascii"))
        return {**result, **dict.fromkeys(named)}

    def _failure(self, error: BaseException) -> str:
        print_traceback(error)
        if isinstance(error, SystemExit):
            return "The model called sys.exit(%s)." % ("" if error.code is None else repr(error.code))
        if isinstance(error, MemoryError) and not str(error):
            return self._memory_message
        return message_of(error)


def tie_to_runner(lifeline: int) -> None:
    """Have this process end when the runner's process is gone.

    Args:
        lifeline: Reading end of a pipe into which nobody writes; it ends with the runner. On Linux the runner has asked
            the kernel to kill this process group then, so it is enough to keep it open.
    """
    descriptor = fcntl.fcntl(lifeline, fcntl.F_DUPFD_CLOEXEC, DESCRIPTOR_BASE)
    os.close(lifeline)

    def wait_for_end() -> None:
        os.read(descriptor, 1)
        os.killpg(0, signal.SIGKILL)

    if not LINUX:
        threading.Thread(target=wait_for_end, name="runner-lifeline", daemon=True).start()


def _lower(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(kind, (limit, limit))


def limit_resources(start: dict[str, Any]) -> None:
    """Take the limits that a process can put on itself."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_FSIZE, start["file_limit_bytes"])
    if start["process_limit"]:
        # Counts all that this user runs, so it is set only where each instance has a user of its own.
        _lower(resource.RLIMIT_NPROC, start["process_limit"])
    if LINUX:
        # The runner watches the memory really used; this stops an allocation too fast to be watched.
        if start["data_limit_bytes"]:
            _lower(resource.RLIMIT_DATA, start["data_limit_bytes"])
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("800")


def landlock_version() -> int:
    """Which Landlock this kernel has and allows; 0 for none that is fit for models."""
    if not LINUX:
        return 0
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    version: int = syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
    return version if version >= LEAST_VERSION else 0


def confine(view: dict[str, list[str]]) -> None:
    """Take from this process and all its children every file that is not named here, for good (Landlock).

    With a new enough kernel neither signals nor abstract sockets reach out, and nothing outside can be traced. Files
    that are open already stay so. Does nothing where the kernel has no Landlock.

    Args:
        view: Paths by what may be done with them and all below: "look" (open what one knows the name of), "read",
            "use" (also write into what is there), "own" (everything). Links and what is missing are left out.
    """
    version = landlock_version()
    if not version:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    known = (1 << 14) - 1 | (TRUNCATE if version >= 3 else 0) | (USE_DEVICE if version >= 5 else 0)
    scope = (0, ABSTRACT_SOCKETS_AND_SIGNALS) if version >= 6 else ()
    wanted = struct.pack("%dQ" % (1 + len(scope)), known, *scope)
    ruleset = libc.syscall(CREATE_RULESET, wanted, ctypes.c_size_t(len(wanted)), 0)
    if ruleset < 0:
        return
    for right, paths in view.items():
        for path in paths:
            _allow(libc, ruleset, path, RIGHTS[right] & known)
    libc.syscall(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def give_up_privileges() -> None:
    """Let neither this process nor its children have more rights than its user, who may be root without root's."""
    if LINUX:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0)))
        libc.capset(struct.pack("Ii", CAPABILITY_VERSION, 0), bytes(24))


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    if not stat.S_ISDIR(os.fstat(place).st_mode):
        rights &= OF_FILES
    libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    os.close(place)


def enter(environment: str, variables: dict[str, str]) -> None:
    """Become a process of the environment, as if its own interpreter had been started; what is there may run now."""
    os.environ.update(variables)
    if sys.prefix == environment:
        return
    import site  # noqa: PLC0415

    sys.executable = os.path.join(environment, "bin", "python")
    sys.prefix = sys.exec_prefix = environment
    site.main()


def enclose(start: dict[str, Any]) -> None:
    """Put up all walls around this process and its children."""
    limit_resources(start)
    give_up_privileges()
    view: dict[str, list[str]] = start["view"]
    # Names of threads are written there.
    confine({**view, "use": [*view["use"], "/proc/%d" % os.getpid()]})


def main(descriptor: int, lifeline: int) -> int:
    """Serve one model until the runner says stop, through its socket; for the lifeline see `tie_to_runner`."""
    tie_to_runner(lifeline)
    faulthandler.enable()
    channel = Channel(descriptor)
    frame = channel.next()
    if frame is None:
        return 0
    number, payload = frame
    start: dict[str, Any] = json.loads(payload)
    output = Output(bytes.fromhex(start["token"]))
    enclose(start)
    enter(start["environment"], start["variables"])
    try:
        call = load(start)
        worker = Worker(channel, output, call, start)
    except LoadError as error:
        channel.send(number, START_FAILED | output.mark(number), str(error)[:MESSAGE_LIMIT].encode("utf-8", "replace"))
        return 0
    channel.send(number, READY | output.mark(number), b"")
    worker.run()
    return 0


if __name__ == "__main__":
    # The script's own folder is no place for the model's imports.
    sys.path[:] = [place for place in sys.path if place != os.path.dirname(sys.argv[0])]
    if sys.argv[1] == "--":
        # Another program, such as an installer of strange code, within the walls of a model.
        enclose(json.loads(sys.argv[2]))
        for name in [name for name in os.environ if name.startswith(LATER)]:
            os.environ[name[len(LATER) :]] = os.environ.pop(name)
        os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606 - no shell is wanted
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
