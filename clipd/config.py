"""The settings of one tree: `clipd.yaml`, then the environment (`CLIPD_...`), then flags; each section is declared
beside the code that it steers.

A wrong setting is told with file, line, key and what would be right; an unknown key is an error, not ignored.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from clipd.annotations import ANNOTATIONS
from clipd.delivery.destinations import Destination
from clipd.delivery.hooks import Hook
from clipd.delivery.retention import Settings as RetentionSettings
from clipd.errors import ConfigError, Rejected
from clipd.files import yamltext
from clipd.files.arrival import Settings as ArrivalSettings
from clipd.files.lease import Settings as LeaseSettings
from clipd.files.space import Settings as SpaceSettings
from clipd.intake.schedule import Settings as ScheduleSettings
from clipd.intake.watch import Settings as WatchSettings
from clipd.jobs.analysis import Settings as AnalysisSettings
from clipd.jobs.clip import Settings as ClipSettings
from clipd.jobs.dataset import Settings as DatasetSettings
from clipd.jobs.dataset import Tables
from clipd.jobs.event import Settings as EventSettings
from clipd.jobs.link import Settings as LinkSettings
from clipd.jobs.request import Settings as RequestSettings
from clipd.jobs.request_kind import Archive
from clipd.log import Settings as LogSettings
from clipd.media.door import Limits
from clipd.model.clip import Status
from clipd.model.setting import over, setting, split_lists
from clipd.recordings.settings import Settings as RecordingSettings
from clipd.report.pages import Settings as PagesSettings
from clipd.tree.layout import CONFIG_NAME, MARKER_NAME, Directories
from clipd.tree.marker import NoTree
from clipd.worker.executor import Settings as ExecutorSettings
from clipd.worker.pool import Settings as PoolSettings
from clipd.worker.retry import Settings as RetrySettings

LIMIT_BYTES = 1 << 20
ENVIRONMENT_PREFIX = "CLIPD_"
UNSHOWN = ("hooks", "destinations")
"""Settings whose values may hold secrets: they are not repeated in error messages."""


class Config(BaseSettings):
    """All settings of one tree."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    root: Path = setting(Path(), "The folder that everything lies under; relative to the settings file.")
    cameras: tuple[str, ...] = setting(
        (), "Only clips of these cameras are processed here; empty is all. On rsync'd copies each machine owns its own."
    )
    failed_status: str = setting("Failed", "The status word that a clip gets when it cannot be processed.")
    annotations: tuple[str, ...] = setting(
        ("json",), "Formats of the truth sheet beside each output: json (always written), yaml, txt."
    )
    stop_seconds: float = setting(
        30.0,
        "How long running clips may go on after SIGTERM before they are abandoned (and begun again).",
        unit="s",
        ge=0,
    )
    cache: Path | None = setting(
        None, "A local folder for what only speeds things up; null is clipd's folder in the user's cache."
    )
    directories: Directories = setting(Directories(), "Where the folders are.")
    clips: ClipSettings = setting(ClipSettings(), "What is made of each clip.")
    segmentation: AnalysisSettings = setting(AnalysisSettings(), "How videos become suggested clips.")
    recordings: RecordingSettings = setting(RecordingSettings(), "What camera systems record.")
    requests: RequestSettings = setting(RequestSettings(), "Moments from camera recordings, asked for in the inbox.")
    events: EventSettings = setting(EventSettings(), "Clips of events, from videos and from pictures.")
    datasets: DatasetSettings = setting(DatasetSettings(), "Tables of videos, dropped into the inbox.")
    links: LinkSettings = setting(LinkSettings(), "Videos that are fetched from links in the inbox.")
    watch: WatchSettings = setting(WatchSettings(), "How new work is noticed.")
    sources: ArrivalSettings = setting(ArrivalSettings(), "When a source video counts as arrived.")
    workers: PoolSettings = setting(PoolSettings(), "The worker processes.")
    executor: ExecutorSettings = setting(ExecutorSettings(), "Where jobs run: here, or on a Dask cluster.")
    schedule: ScheduleSettings = setting(ScheduleSettings(), "The hours in which new work starts.")
    retry: RetrySettings = setting(RetrySettings(), "When failed work is tried again.")
    claims: LeaseSettings = setting(LeaseSettings(), "How machines on one tree keep apart.")
    space: SpaceSettings = setting(SpaceSettings(), "How full the disks may get.")
    retention: RetentionSettings = setting(RetentionSettings(), "When outputs are removed again.")
    hooks: tuple[Hook, ...] = setting(
        (),
        "Who is told when a clip is complete or has failed, such as {command: [notify-send, '{clip}: {status}']} or "
        "{webhook: 'https://example.org/clipd', secret: ..., on: [failed]} or {apprise: 'ntfy://topic'}.",
    )
    destinations: tuple[Destination, ...] = setting(
        (),
        "Where copies of outputs go after publication, such as {directory: /mnt/archive, formats: [ffv1]} or {url: "
        "'s3://bucket/prefix'}.",
    )
    media: Limits = setting(Limits(), "Limits against hostile or broken media.")
    pages: PagesSettings = setting(PagesSettings(), "The status page, for people and programs.")
    log: LogSettings = setting(LogSettings(), "The log.")

    @model_validator(mode="before")
    @classmethod
    def _lists_of_words(cls, values: Any) -> Any:
        return split_lists(cls, values)

    @field_validator("annotations")
    @classmethod
    def _known_annotations(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in ANNOTATIONS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no annotation format; there are {', '.join(ANNOTATIONS)}")
        return names

    @field_validator("destinations")
    @classmethod
    def _names_of_their_own(cls, destinations: tuple[Destination, ...]) -> tuple[Destination, ...]:
        labels = [destination.label for destination in destinations]
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise ValueError(f"two destinations are called {twice[0]!r}; give them names of their own")
        return destinations

    @field_validator("failed_status")
    @classmethod
    def _no_status_of_ours(cls, word: str) -> str:
        if not word.strip() or word.strip().casefold() in (Status.PROCESS.casefold(), Status.COMPLETE.casefold()):
            raise ValueError("it must be a word of its own, not empty, Process or Complete")
        return word

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing but what `load` hands over and the environment; `load` has put the flags over the file."""
        return env_settings, init_settings

    @property
    def cache_folder(self) -> Path:
        """Where this machine keeps what only speeds things up."""
        if self.cache is not None:
            return self.root / self.cache
        base = os.environ.get("CACHE_DIRECTORY") or os.environ.get("XDG_CACHE_HOME")
        return Path(base) / "clipd" if base else Path.home() / ".cache" / "clipd"

    def tables(self, share_offset: float = 0.0) -> Tables:
        """What datasets are worked on by; `share_offset` is the share's clock minus ours, in seconds."""
        return Tables(datasets=self.datasets, clips=self.clips, share_offset=share_offset)

    def archive(self, share_offset: float = 0.0) -> Archive:
        """What requests for moments are answered by; `share_offset` is the share's clock minus ours, in seconds."""
        return Archive(
            requests=self.requests,
            recordings=self.recordings,
            clips=self.clips,
            limits=self.media,
            cache=self.cache_folder,
            share_offset=share_offset,
        )


def find(root: Path | None, config: Path | None) -> tuple[Path | None, Path | None]:
    """The root and the settings file that are meant: as named, as CLIPD_ROOT says, or the nearest tree at or above.

    A settings file that was named may say which tree it is for, by its `root` or by lying in one. The root is None
    where nobody named one and the settings file says which it is.

    Raises:
        ConfigError: a file that was named is not there, or cannot be read.
        NoTree: no tree is found.
    """
    named = os.environ.get(f"{ENVIRONMENT_PREFIX}ROOT")
    root = root or (Path(named) if named else None)
    if config is None:
        return _nearest(root)
    if not config.is_file():
        raise ConfigError(f"{config} is not there; make a tree with its settings by: clipd init DIR")
    if root is not None:
        return root.absolute(), config.absolute()
    if _says_root(config) or _is_tree(config.absolute().parent):
        return None, config.absolute()
    found, file = _nearest(None)
    return (load(None, file).root if found is None else found), config.absolute()


def _nearest(root: Path | None) -> tuple[Path | None, Path | None]:
    """The tree at `root`, or at or above the current folder, as `find` names it."""
    here = (root or Path.cwd()).absolute()
    for folder in (here,) if root is not None else (here, *here.parents):
        file = folder / CONFIG_NAME
        if file.is_file():
            return None if root is None else folder, file
        if (folder / MARKER_NAME).exists():
            return folder, None
    raise NoTree(
        f"{here} is not a clipd tree (no {MARKER_NAME}). Is its share mounted? A new one is made with: "
        f"clipd init {root or 'DIR'}"
    )


def _says_root(file: Path) -> bool:
    try:
        return bool(_read(file).get("root"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error


def _is_tree(folder: Path) -> bool:
    return (folder / MARKER_NAME).exists() or (folder / CONFIG_NAME).is_file()


def load(
    root: Path | None, file: Path | None, flags: Mapping[str, Any] | None = None, *, environment: bool = True
) -> Config:
    """The settings of a tree: `file`, over it the `environment`, over that `flags` (nested like the file).

    Args:
        root: the tree; None where `file` says which it is, or lies in it.
        file: the settings file; None where the tree has none.
        flags: what was given on the command line.
        environment: do the variables CLIPD_... count?

    Raises:
        ConfigError: naming file, line, key and what would be right.
    """
    content: dict[str, Any] = {}
    if file is not None:
        try:
            content = _read(file)
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    try:
        config = Config(**content) if environment else _Pinned(**content)
    except ValidationError as error:
        positions = {} if file is None else _positions(file.read_text(encoding="utf-8"))
        raise ConfigError(_words(error, lambda path: _origin(path, file, positions))) from error
    try:
        if flags:
            config = _with_flags(config, flags)
    except ValidationError as error:
        raise ConfigError(_words(error, lambda _: "command line")) from error
    if root is None:
        # Not the environment's: whoever asks `find` has been told of that root already.
        root = Path() if file is None else file.parent / str(content.get("root", ""))
    return config.model_copy(update={"root": root.absolute()})


def _with_flags(config: Config, flags: Mapping[str, Any]) -> Config:
    """Flags win over everything, the environment too, so they are laid over what those two gave."""
    merged = over(config.model_dump(exclude_unset=True), flags)
    # Explicit values come last in the order of sources; with no environment to overrule them they stand.
    return _Pinned(**merged)


class _Pinned(Config):
    """Settings that are complete: the environment has been asked already."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the values handed over."""
        return (init_settings,)


def _read(file: Path) -> dict[str, Any]:
    data = file.read_bytes()
    if all(not line or line.startswith(b"#") for line in map(bytes.strip, data.removeprefix(BOM_UTF8).splitlines())):
        return {}  # nothing but comments: everything is as by default
    try:
        content = yamltext.load(data, LIMIT_BYTES)
    except Rejected as error:
        raise ConfigError(f"{file}: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file}, line 1: settings are `name: value` lines; see clipd.example.yaml")
    return content


def _words(error: ValidationError, origin: Callable[[tuple[str, ...]], str]) -> str:
    """A line for each wrong setting: where it was set, its name and value, and what would be right."""
    lines = []
    problems = [(tuple(str(part) for part in problem["loc"]), problem) for problem in error.errors()]
    for path, problem in problems:
        if any(other[: len(path)] == path != other for other, _ in problems):
            continue  # a part of it is wrong: that one is told
        value = "" if path[0] in UNSHOWN else f" = {problem['input']!r}"
        lines.append(f"{origin(path)}: {'.'.join(path)}{value}: {_mend(problem, path)}")
    return "\n".join(lines)


def _origin(path: tuple[str, ...], file: Path | None, positions: Mapping[tuple[str, ...], int]) -> str:
    """Where the setting `path`, or the section around it, was set."""
    above = [path[:n] for n in range(len(path), 0, -1)]
    names = {name.upper(): name for name in os.environ}
    variables = [ENVIRONMENT_PREFIX + "__".join(part).upper() for part in above]
    if variable := next((names[name] for name in variables if name in names), None):
        return f"environment variable {variable}"
    line = next((positions[part] for part in above if part in positions), None)
    return f"{file}, line {line}" if line is not None else "default"


def _mend(problem: Any, path: tuple[str, ...]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"there is no setting of this name; there are {', '.join(_names(path[:-1]))}"
    words = str(problem["msg"]).removeprefix("Value error, ")
    return words[:1].lower() + words[1:]


def _names(path: Iterable[str]) -> list[str]:
    model: Any = Config
    for part in path:
        field = getattr(model, "model_fields", {}).get(part)
        if part.isdecimal() and get_origin(model) is tuple:
            model = get_args(model)[0]
        else:
            model = None if field is None else field.annotation
    return sorted(getattr(model, "model_fields", {}))


def _positions(text: str) -> dict[tuple[str, ...], int]:
    """The line of every key path in a YAML text."""
    found: dict[tuple[str, ...], int] = {}

    def visit(node: yaml.Node | None, path: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                found[(*path, str(key.value))] = key.start_mark.line + 1
                visit(value, (*path, str(key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                found[(*path, str(number))] = item.start_mark.line + 1
                visit(item, (*path, str(number)))

    visit(yaml.compose(text, Loader=yaml.SafeLoader), ())
    return found
