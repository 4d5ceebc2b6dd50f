"""The doctor: will clipd run well here? Examines software, settings, tree, share and machine, and names the mend.

An examination is one function and one line in the table. It really tries what can be tried; all that it writes are
temporary dot-files, removed again. None may take more than a few seconds, however large the tree is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clipd.errors import ClipdError
from clipd.report.doctor import elsewhere, folders, machine, service, settings, share, software, work
from clipd.report.doctor.finding import Examination, Finding, Level, Patient

EXAMINATIONS: Final = (
    Examination("software", "versions", software.versions),
    Examination("software", "codecs", software.codecs),
    Examination("software", "hardware", software.hardware),
    Examination("software", "time zones", software.time_zones),
    Examination("settings", "settings", settings.loading),
    Examination("settings", "environment", settings.environment),
    Examination("settings", "processor", settings.processor, of_tree=True),
    Examination("tree", "marker", settings.marker, of_tree=True),
    Examination("tree", "folders", folders.standing, of_tree=True),
    Examination("tree", "writing", folders.writing, of_tree=True),
    Examination("share", "filesystems", share.filesystems, of_tree=True),
    Examination("share", "events", share.events, of_tree=True),
    Examination("share", "clock", share.clock, of_tree=True),
    Examination("share", "space", share.space, of_tree=True),
    Examination("share", "cache", share.cache, of_tree=True),
    Examination("elsewhere", "destinations", elsewhere.destinations, of_tree=True),
    Examination("elsewhere", "links", elsewhere.links, of_tree=True),
    Examination("work", "daemons", work.daemons, of_tree=True),
    Examination("work", "claims", work.claims, of_tree=True),
    Examination("work", "leftovers", work.leftovers, of_tree=True),
    Examination("machine", "limits", machine.limits, of_tree=True),
    Examination("machine", "systemd", service.unit, of_tree=True),
)
"""All examinations, in the order in which they are told; those `of_tree` need settings that can be read."""


def examine(patient: Patient) -> Iterator[tuple[Examination, Finding]]:
    """Every finding, with the examination that it is from."""
    for examination in EXAMINATIONS:
        if examination.of_tree and patient.settings_trouble:
            continue
        try:
            for finding in examination.examine(patient):
                yield examination, finding
        except (ClipdError, OSError) as error:
            words = f"this could not be examined: {error}"
            yield examination, Finding(Level.WRONG, examination.name, words)
