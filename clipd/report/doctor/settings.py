"""Are the settings right, is this the tree that is meant, and can what they name be loaded?"""

from __future__ import annotations

from collections.abc import Iterator

from clipd.errors import ClipdError, Rejected
from clipd.jobs.processor import load
from clipd.report.doctor.finding import Finding, Level, Patient
from clipd.tree.marker import NoTree, require_same_share


def loading(patient: Patient) -> Iterator[Finding]:
    """The settings file, and whether it can be read."""
    if patient.settings_trouble:
        for line in patient.settings_trouble.splitlines():
            where, colon, words = line.partition(": ")
            words, _, mend = (words if colon else line).partition("; ")
            yield Finding(Level.WRONG, where if colon else "settings", words, mend)
        words = "tree, share and daemons are not examined until the settings can be read"
        yield Finding(Level.NOTE, "the rest", words, "mend the settings, then run clipd doctor again")
    elif patient.settings_file is None:
        mend = f"clipd init {patient.layout.root} writes one with every key explained"
        yield Finding(Level.NOTE, "settings", "there is no settings file, the defaults hold", mend)
    else:
        yield Finding(Level.OK, patient.name(patient.settings_file), f"read; the root is {patient.layout.root}")


def environment(patient: Patient) -> Iterator[Finding]:
    """The variables that overrule the file; those that look so and do nothing."""
    if patient.variables:
        yield Finding(Level.NOTE, "environment", f"overrules the settings file: {', '.join(patient.variables)}")
    for name, meant in patient.unknown_variables.items():
        mend = f"perhaps {meant} is meant; or unset it" if meant else "unset it; clipd.yaml lists every setting"
        yield Finding(Level.WARNING, name, "is set, but there is no such setting", mend)
    if not patient.variables and not patient.unknown_variables:
        yield Finding(Level.OK, "environment", "no variable overrules the settings")


def marker(patient: Patient) -> Iterator[Finding]:
    """The root marker, and the state folder's version and share."""
    layout = patient.layout
    init = f"mount the share; if this is meant to be a new tree: clipd init {layout.root}"
    if not layout.marker.exists():
        yield Finding(Level.WRONG, layout.marker.name, f"is not in {layout.root}: not a tree, or not mounted", init)
        return
    if not layout.version.exists():
        # Only asked, not made: asking for the share would write it.
        yield Finding(Level.NOTE, patient.name(layout.version), "is not there yet; the first daemon writes it")
        return
    try:
        share = require_same_share(layout)
    except (ClipdError, NoTree) as error:
        words, _, mend = str(error).partition("; ")
        yield Finding(Level.WRONG, patient.name(layout.version), words, mend)
    else:
        yield Finding(Level.OK, layout.marker.name, f"marker and state folder belong together (share {share[:8]})")


def processor(patient: Patient) -> Iterator[Finding]:
    """The operator's own function, where the settings name one."""
    name = patient.clips.processor.function
    if name is None:
        return
    mend = "install its package into clipd's own environment, or correct clips.processor in the settings"
    try:
        load(name)
    except Rejected as error:
        yield Finding(Level.WRONG, "clips.processor", str(error), mend)
    except Exception as error:  # noqa: BLE001 - the operator's own module runs here and may raise anything
        yield Finding(Level.WRONG, "clips.processor", f"{name!r} fails: {type(error).__name__}: {error}", mend)
    else:
        yield Finding(Level.OK, "clips.processor", f"{name} is found")
