"""The doctor: will clipd run well here? Examines software, settings, tree, share and machine, and names the mend.

An examination is one function and one line in the table. It really tries what can be tried; all that it writes are
temporary dot-files, removed again. None may take more than a few seconds, however large the tree is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clipd.errors import ClipdError
from clipd.report.doctor import folders, machine, service, settings, share, software, work
from clipd.report.doctor.finding import Examination, Finding, Level, Patient

EXAMINATIONS: Final = (
    Examination("software", software.versions),
    Examination("codecs", software.codecs),
    Examination("hardware encoders", software.hardware),
    Examination("time zones", software.time_zones),
    Examination("settings", settings.loading),
    Examination("environment", settings.environment),
    Examination("processor", settings.processor, of_tree=True),
    Examination("tree", settings.marker, of_tree=True),
    Examination("folders", folders.standing, of_tree=True),
    Examination("writing", folders.writing, of_tree=True),
    Examination("filesystems", share.filesystems, of_tree=True),
    Examination("file events", share.events, of_tree=True),
    Examination("clock", share.clock, of_tree=True),
    Examination("space", share.space, of_tree=True),
    Examination("cache", share.cache, of_tree=True),
    Examination("daemons", work.daemons, of_tree=True),
    Examination("claims", work.claims, of_tree=True),
    Examination("leftovers", work.leftovers, of_tree=True),
    Examination("memory and cores", machine.limits, of_tree=True),
    Examination("systemd", service.unit, of_tree=True),
)
"""All examinations, in the order in which they are told; those `of_tree` need settings that can be read."""


def examine(patient: Patient) -> Iterator[tuple[str, Finding]]:
    """Every finding, with the name of its examination."""
    for examination in EXAMINATIONS:
        if examination.of_tree and patient.settings_trouble:
            continue
        try:
            for finding in examination.examine(patient):
                yield examination.name, finding
        except (ClipdError, OSError) as error:
            words = f"this could not be examined: {error}"
            yield examination.name, Finding(Level.WRONG, patient.name(patient.layout.root), words)
