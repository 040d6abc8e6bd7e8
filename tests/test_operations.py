"""The pages for operators keep up with the code: every metric, reason, log event and alarm, and no other."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from prometheus_client.metrics import MetricWrapperBase

from app import telemetry
from app.store.tables import APP_ROLE
from tests.harness.metrics import families, named, names

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "operations.md").read_text()
DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs" / "grafana.json").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "alerts.yaml").read_text())["groups"][0]["rules"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
LOG_METHODS = {"debug", "info", "warning", "error", "exception"}


def test_every_metric_is_explained_and_no_other() -> None:
    assert named(PAGE) - {APP_ROLE} == names()


def test_every_metric_is_on_the_dashboard_and_no_other() -> None:
    assert named(" ".join(EXPRESSIONS)) == names()


def test_alarms_are_about_metrics_that_exist_and_are_explained() -> None:
    assert named(" ".join(rule["expr"] for rule in RULES)) <= names()
    assert {rule["alert"] for rule in RULES} == set(re.findall(r"`(Starling[A-Z]\w+)`", PAGE))
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in RULES)


def test_control_a_metric_that_does_not_exist_is_noticed() -> None:
    assert named("rate(starling_frames_total[5m]) + starling_gone_total") - names() == {"starling_gone_total"}
    assert named("starling_commit_seconds_bucket starling_commit_seconds_sum") == {"starling_commit_seconds"}
    assert named("starling_streams_bucket") - names() == {"starling_streams_bucket"}


def test_expressions_are_balanced_and_ask_what_a_type_can_answer() -> None:
    types = {f"{family.name}_total" if family.type == "counter" else family.name: family.type for family in families()}
    for expression in [*EXPRESSIONS, *(rule["expr"] for rule in RULES)]:
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), expression
        for name in re.findall(r"\bstarling_[a-z_]+", expression):
            is_counted = types.get(name) == "counter" or name not in types
            pattern = rf"(rate|increase)\({name}(\{{[^}}]*\}})?\["
            assert bool(re.search(pattern, expression)) is is_counted, expression


def test_the_dashboard_can_be_imported() -> None:
    assert DASHBOARD["schemaVersion"] >= 41
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "job", "instance"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert DASHBOARD["panels"][0]["type"] == "row"
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert all(part["datasource"] == source for panel in PANELS for part in (panel, *panel["targets"]))
    taken = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]}
    assert len(taken) == len(ids)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)


def test_every_gauge_says_how_processes_add_up() -> None:
    gauges = [
        each for each in vars(telemetry).values() if isinstance(each, MetricWrapperBase) and each._type == "gauge"
    ]
    assert gauges
    assert {each._multiprocess_mode for each in gauges} <= {"livesum", "livemax", "livemin"}  # type: ignore[attr-defined]


def test_every_reason_is_explained() -> None:
    for metric in (telemetry.cuts, telemetry.resets):
        reasons = {sample.labels["reason"] for family in metric.collect() for sample in family.samples}
        assert {reason for reason in reasons if f"| `{reason}` |" not in PAGE} == set()


def test_every_log_event_is_explained() -> None:
    events = {event for path in (ROOT / "app").rglob("*.py") for event in _logged(path)}
    assert len(events) > 20
    assert {event for event in events if f"`{event}`" not in PAGE} == set()


def _logged(path: Path) -> set[str]:
    """The first word of every call of `log`."""
    return {
        argument.value
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in LOG_METHODS
        for argument in ast.walk(ast.Module(body=[ast.Expr(call.args[0])], type_ignores=[]) if call.args else call)
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and "." in argument.value
    }
