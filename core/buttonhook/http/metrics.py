"""Figures for Prometheus, in a registry of this daemon's own."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from buttonhook.app import App

CONTENT_TYPE: Final = "text/plain; version=0.0.4"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counts requests; reads the rest from the app when it is asked for."""

    def __init__(self, app: App, feeds_open: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_AppCollector(app))
        Gauge("buttonhook_feeds_open", "Feeds that are open.", registry=self._registry).set_function(feeds_open)
        self._requests = Counter(
            "buttonhook_http_requests_total", "Requests answered.", ["method", "status"], registry=self._registry
        )
        self._counters: dict[tuple[str, int], Counter] = {}
        """Found once."""
        self._seconds = Histogram(
            "buttonhook_http_request_seconds",
            "From a request to the first byte of its answer.",
            registry=self._registry,
            buckets=_SECONDS,
        )

    def count(self, method: str, status: int, seconds: float) -> None:
        """Count one answer. Methods that we do not know are one, so that nobody can make up many."""
        counter = self._counters.get((method, status))
        if counter is None:
            is_known = method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
            counter = self._requests.labels(method if is_known else "other", str(status))
            if is_known:
                self._counters[method, status] = counter
        counter.inc()
        self._seconds.observe(seconds)

    def text(self) -> bytes:
        """All figures in Prometheus' text form."""
        return generate_latest(self._registry)


class _AppCollector(Collector):
    def __init__(self, app: App) -> None:
        self._app = app

    def collect(self) -> list[GaugeMetricFamily | CounterMetricFamily]:
        app = self._app
        ended = CounterMetricFamily("buttonhook_job_results", "Runs that ended, by status.", labels=["status"])
        for status, count in app.tally.counts.items():
            ended.add_metric([str(getattr(status, "value", status))], count)
        waiting = GaugeMetricFamily(
            "buttonhook_job_results_waiting_for_install", "Runs that wait as their job is not installed."
        )
        waiting.add_metric([], sum(app.waiting_jobs.values()))
        running = GaugeMetricFamily("buttonhook_jobs_running", "Runs that go on now.")
        running.add_metric([], app.running_count)
        stuck = GaugeMetricFamily("buttonhook_jobs_stuck", "Runs that did not end when they were told to.")
        stuck.add_metric([], len(app.stuck))
        storage = GaugeMetricFamily("buttonhook_storage_ok", "1 while the database can be written.")
        storage.add_metric([], 0 if app.trouble else 1)
        return [ended, waiting, running, stuck, storage]
