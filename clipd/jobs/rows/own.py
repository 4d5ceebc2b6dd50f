"""Functions of people's own: what they are given, and when they count as changed.

A function gets what its parameters ask for by name: `loader` or `video` (a `VideoLoader` of the row's part),
`video_path` or `path` (text), `row` (a dict), `row_id`, `video_id` or `id`, `output_dir` (a Path: an empty folder for
this row). Other parameters get, by their place, the loader, the row, and the folder: `fn(v)`, `fn(v, r)`,
`fn(v, r, out)`. Further arguments go to parameters of their names.
"""

from __future__ import annotations

import ast
import errno
import functools
import hashlib
import inspect
import re
import textwrap
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import CodeType
from typing import Any, Final

from clipd.errors import ClipdError, Rejected
from clipd.files.atomic import as_clipd_error
from clipd.jobs.rows.function import Surroundings

LOADER, PATH, ROW, ID, FOLDER = "loader", "path", "row", "id", "folder"

GIVEN: Final = {
    **dict.fromkeys(("loader", "video", "video_loader"), LOADER),
    **dict.fromkeys(("video_path", "path"), PATH),
    "row": ROW,
    **dict.fromkeys(("row_id", "video_id", "id"), ID),
    **dict.fromkeys(("output_dir", "output_folder"), FOLDER),
}
"""The name of a parameter -> what it gets."""
BY_PLACE: Final = (LOADER, ROW, FOLDER)
"""What a parameter of another name gets."""

_ADDRESS = re.compile(r"0x[0-9a-f]+")


class FunctionFailed(ClipdError):
    """The function raised; `where` is the place in it."""

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.where = where


def plan(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, str]:
    """What each parameter of `function` gets, but for those named in `arguments`.

    Raises:
        Rejected: nothing can be given to a parameter, or an argument has none.
    """
    name = getattr(function, "__name__", repr(function))
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {"": LOADER}
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    names = {parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY}
    for argument in arguments:
        if argument not in names and not takes_any:
            raise Rejected(f"the function {name} has no parameter {argument!r}")
    planned = {}
    for place, parameter in enumerate(parameters):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or parameter.name in arguments:
            continue
        if parameter.name in GIVEN:
            planned[parameter.name] = GIVEN[parameter.name]
        elif parameter.default is parameter.empty:
            if place >= len(BY_PLACE) or parameter.kind is parameter.KEYWORD_ONLY:
                raise Rejected(
                    f"the function {name} wants {parameter.name!r}, which nothing gives; it can have "
                    f"{', '.join(GIVEN)}, and arguments that are set"
                )
            planned[parameter.name] = BY_PLACE[place]
    return planned


def call(function: Callable[..., Any], arguments: Mapping[str, Any], around: Surroundings) -> Any:
    """What `function` returns for a row.

    Raises:
        FunctionFailed: it raised, or ended the process by `sys.exit`. Errors of ours go through.
    """
    planned = plan(function, arguments)
    with ExitStack() as stack:
        values = {name: _given(what, around, stack) for name, what in planned.items()}
        try:
            return _called(function, values, arguments)
        except ClipdError:
            raise
        except (Exception, SystemExit) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise as_clipd_error(error, "the function could not write") from error
            raise FunctionFailed(f"{type(error).__name__}: {error}", _where(error)) from error


def identity(function: Callable[..., Any]) -> str:
    """A hash that changes when the function does: its code, defaults, and the plain values that it encloses.

    Comments, layout and the functions that it calls do not count.
    """
    return hashlib.sha256(repr(_facts(function)).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _facts(function: Any) -> tuple[Any, ...]:
    if isinstance(function, functools.partial):
        return ("partial", _facts(function.func), _words(function.args), _words(sorted(function.keywords.items())))
    if inspect.ismethod(function):
        return ("method", _facts(function.__func__), _words(vars(function.__self__)))
    if not inspect.isfunction(function):
        kind = function if inspect.isclass(function) else type(function)
        state = {} if kind is function else vars(function) if hasattr(function, "__dict__") else {}
        return (kind.__module__, kind.__qualname__, _source(kind), _words(state))
    enclosed = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    code = (
        _code(function.__code__) if function.__name__ == "<lambda>" else _source(function) or _code(function.__code__)
    )
    return (
        function.__qualname__,
        code,
        _words(function.__defaults__),
        _words(function.__kwdefaults__),
        _words(enclosed),
    )


def _source(thing: Any) -> str:
    """The syntax of a function or class, without comments and layout; "" where it is not to be had."""
    try:
        return ast.dump(ast.parse(textwrap.dedent(inspect.getsource(thing))))
    except (OSError, TypeError, SyntaxError):
        return ""


def _code(code: CodeType) -> str:
    constants = [_code(const) if isinstance(const, CodeType) else repr(const) for const in code.co_consts]
    return f"{code.co_code.hex()} {constants} {code.co_names} {code.co_varnames}"


def _words(value: Any) -> str:
    """`value` in words that are alike in each run."""
    return _ADDRESS.sub("", repr(value))


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _given(what: str, around: Surroundings, stack: ExitStack) -> Any:
    match what:
        case "path":
            return str(around.row.path)
        case "row":
            return dict(around.row.values)
        case "id":
            return around.row.id
        case "folder":
            return around.folder
    return stack.enter_context(around.loader())


def _called(function: Callable[..., Any], values: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:
    if "" in values:
        return function(values[""], **arguments)
    parameters = inspect.signature(function).parameters.values()
    first = [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_ONLY]
    positional = [values[name] for name in first if name in values]
    named = {name: value for name, value in values.items() if name not in first}
    return function(*positional, **named, **arguments)


def _where(error: BaseException) -> str:
    """Where in the function it was raised: the innermost place outside of installed libraries."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__ and "site-packages" not in frame.filename]
    if not own:
        return ""
    return f"{Path(own[-1].filename).name}:{own[-1].lineno} in {own[-1].name}"
