"""The shipped dashboard and scrape example speak of metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from clipd.report.metrics import families
from tests.unit.report.board import snapshot

CONFIG = Path(__file__).parents[3] / "config"
LABELS = {sample.name: set(sample.labels) for family in families(snapshot()) for sample in family.samples}
THERE = {sample.name for family in families(snapshot()) for sample in family.samples}


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads((CONFIG / "grafana" / "clipd.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\bclipd_\w+", target["expr"])
    }
    assert asked
    assert asked <= THERE
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_dashboard_picks_by_labels_that_there_are() -> None:
    dashboard = json.loads((CONFIG / "grafana" / "clipd.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            assert expression.count("(") == expression.count(")")
            names = re.findall(r"\bclipd_\w+", expression)
            there = {"job", "instance"}.union(*(LABELS[name] for name in names))
            asked = {
                label for inside in re.findall(r"\{([^}]*)\}", expression) for label in re.findall(r"(\w+)=", inside)
            }
            asked |= {
                label.strip() for inside in re.findall(r"by \(([^)]*)\)", expression) for label in inside.split(",")
            }
            assert asked <= there, f"{panel['title']}: {expression}"


def test_the_scrape_example_is_yaml_and_its_alerts_ask_for_metrics_that_there_are() -> None:
    text = (CONFIG / "prometheus" / "clipd.yml").read_text()
    assert yaml.safe_load(text)["scrape_configs"][0]["job_name"] == "clipd"
    commented = text[text.index("#   groups:") :].splitlines()
    rules = yaml.safe_load("\n".join(line.removeprefix("#   ") for line in commented))
    expressions = [rule["expr"] for rule in rules["groups"][0]["rules"]]
    assert {name for expression in expressions for name in re.findall(r"\bclipd_\w+", expression)} <= THERE
