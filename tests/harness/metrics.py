"""What `/metrics` of a server says."""

import re
from dataclasses import dataclass

import httpx2
from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from app import telemetry
from tests.harness.waiting import eventually

NAME = re.compile(r"\bstarling_[a-z_]+")


@dataclass(frozen=True)
class Metrics:
    """Scrapes one address."""

    url: str

    async def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name with these labels; 0 when there are none."""
        async with httpx2.AsyncClient(timeout=10) as http:
            answer = await http.get(self.url)
        samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
        return sum(
            sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    async def until(self, value: float, name: str, **labels: str) -> None:
        """Returns when it is that value: gauges are set every few seconds."""
        last: list[float] = []

        async def holds() -> bool:
            last[:] = [await self.value(name, **labels)]
            return last == [value]

        try:
            await eventually(holds, 30, f"{name}{labels} = {value}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last[0]}") from None


def families() -> list[Metric]:
    """Every metric that the code names."""
    return [
        family for each in vars(telemetry).values() if isinstance(each, MetricWrapperBase) for family in each.describe()
    ]


def names() -> set[str]:
    """As queries and documents name them; a histogram without its endings."""
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families()}


def named(text: str) -> set[str]:
    """The metrics that a text speaks of, a histogram's endings removed."""
    histograms = {family.name for family in families() if family.type == "histogram"}
    found = set(NAME.findall(text))
    return {
        re.sub(r"_(bucket|sum|count)$", "", name) if re.sub(r"_(bucket|sum|count)$", "", name) in histograms else name
        for name in found
    }
