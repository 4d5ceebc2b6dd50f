from __future__ import annotations

import base64
import hashlib

import pytest

from clipd.errors import Temporary
from clipd.html import Templates


@pytest.fixture
def templates() -> Templates:
    return Templates("clipd.segmentation", "report page")


def test_a_template_that_does_not_fit_is_tried_again_later_and_says_which_page(templates: Templates) -> None:
    with pytest.raises(Temporary, match="the report page cannot be made"):
        templates.page("report.html.j2")
    with pytest.raises(Temporary, match="the report page cannot be made"):
        templates.page("no_such.html.j2")


def test_a_script_comes_as_it_is_with_the_hash_that_lets_it_run(templates: Templates) -> None:
    script = templates.script("report.js.j2")
    assert "=>" in script.text
    assert base64.b64decode(script.digest) == hashlib.sha256(script.text.encode()).digest()
