"""What watches a running Touchline on the same machine: our exporter, Prometheus, Alertmanager, node exporter.

They are programs of the same supervisor, listen on loopback alone, and keep their data below the home.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import yaml

from touchline.clock import live_clock
from touchline.credentials import write_private
from touchline.errors import DatabaseUnavailable
from touchline.operations import alertmanager, maintenance, status
from touchline.operations.code import code_digest
from touchline.settings import PROJECT_ROOT, Settings, inherited_environment
from touchline.supervision.programs import HOST, Program, port_for, program_of, read_program
from touchline.supervision.supervisor import await_health, run_programs, stop_programs

COMMITTED: Final = PROJECT_ROOT / "docker" / "prometheus"
# Where Debian, and where the projects themselves, put the program; and the package that has it.
INSTALLED_AS: Final = {
    status.PROMETHEUS: (("prometheus",), "prometheus"),
    status.ALERTMANAGER: (("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager"),
    status.NODE_EXPORTER: (("prometheus-node-exporter", "node_exporter"), "prometheus-node-exporter"),
}
CONFIGURATION: Final = "prometheus.yml"
# Beside it: a key of the API, where the API lets nobody in without.
API_KEY: Final = "api_key"
KEPT_DAYS = 30
KEPT_BYTES = "2GB"


@dataclass(frozen=True)
class MonitoringReport:
    """What was started and where it answers; `missing` are programs that are not installed, `to_do` what gets them."""

    started: tuple[str, ...]
    addresses: Mapping[str, str]
    missing: tuple[str, ...]
    to_do: str

    @property
    def summary(self) -> str:
        """One sentence, and how to get the rest."""
        text = f"{len(self.addresses)} of {len(status.MONITORING)} parts of the monitoring run."
        return (
            f"{text} Not installed: {', '.join(self.missing)}; to do: {self.to_do}" if self.missing else text
        )


def start(settings: Settings) -> MonitoringReport:
    """Have everything that is installed run, and wait until it answers.

    Raises ServiceFailed when something does not come up, SettingsInvalid where Alertmanager cannot use the mail server.
    """
    found = list(_programs(settings, status.MONITORING))
    started = run_programs(settings.home, found)
    for program in found:
        await_health(settings.home, program)
    names = [program.name for program in found]
    if status.ALERTMANAGER in names:
        # Of a maintenance that was declared before it ran; without a database none is.
        with suppress(DatabaseUnavailable, psycopg.Error):
            maintenance.tell_alertmanager(settings, live_clock().as_of)
    missing = tuple(name for name in status.MONITORING if name not in names)
    packages = " ".join(INSTALLED_AS[name][1] for name in missing)
    return MonitoringReport(
        tuple(started),
        {program.name: f"http://{HOST}:{program.port}" for program in found},
        missing,
        f"apt-get install {packages}, then `touchline monitoring start` again" if missing else "",
    )


def stop(settings: Settings) -> list[str]:
    """Stop it, and leave all else running; returns the names of those that ran."""
    return stop_programs(settings.home, status.MONITORING)


def those_that_run(settings: Settings) -> list[Program]:
    """What was started of it, as these settings and this code would have it now."""
    names = [name for name in status.MONITORING if read_program(settings.home, name) is not None]
    return list(_programs(settings, names))


def _programs(settings: Settings, names: Sequence[str]) -> Iterator[Program]:
    """Those of the named programs that are installed; writes their configuration."""
    preferred = {
        status.EXPORTER: settings.exporter_port,
        status.PROMETHEUS: settings.prometheus_port,
        status.ALERTMANAGER: settings.alertmanager_port,
        status.NODE_EXPORTER: settings.node_exporter_port,
    }
    ports = {name: port_for(settings.home, name, preferred[name]) for name in names if _is_there(name)}
    if status.EXPORTER in ports:
        port = ports[status.EXPORTER]
        command = [sys.executable, "-m", "touchline.exporter", "--host", HOST, "--port", str(port)]
        variables = {
            **settings.environment(),
            **settings.passwords("metrics"),
            "PYTHONPATH": str(PROJECT_ROOT / "include"),
        }
        yield program_of(
            settings.home, status.EXPORTER, command, variables, inherited_environment(), port=port, health="/live",
            fingerprint=code_digest(),
        )  # fmt: skip
    if status.PROMETHEUS in ports:
        configuration, text = _write_prometheus(settings, ports)
        command = [
            f"--config.file={configuration}", f"--storage.tsdb.path={configuration.parent / 'data'}",
            f"--storage.tsdb.retention.time={KEPT_DAYS}d", f"--storage.tsdb.retention.size={KEPT_BYTES}",
        ]  # fmt: skip
        yield _of_debian(settings, status.PROMETHEUS, command, ports, "/-/ready", text)
    if status.ALERTMANAGER in ports:
        configuration = alertmanager.write_configuration(settings)
        command = [
            f"--config.file={configuration}", f"--storage.path={configuration.parent / 'data'}",
            # There is no other one to agree with.
            "--cluster.listen-address=",
        ]  # fmt: skip
        text = configuration.read_text()
        yield _of_debian(settings, status.ALERTMANAGER, command, ports, "/-/ready", text)
    if status.NODE_EXPORTER in ports:
        yield _of_debian(settings, status.NODE_EXPORTER, [], ports, "/", "")


def _write_prometheus(settings: Settings, ports: Mapping[str, int]) -> tuple[Path, str]:
    """Write Prometheus' configuration, its rules, and where its targets are; returns its path and all but the targets.

    Targets are read again whenever they change, the rest at the start.
    """
    folder = settings.home / "prometheus"
    (folder / "targets").mkdir(mode=0o700, parents=True, exist_ok=True)
    # At no moment without rules.
    shutil.copytree(COMMITTED / "rules", folder / "rules", dirs_exist_ok=True)
    for path in (folder / "rules").iterdir():
        if not (COMMITTED / "rules" / path.name).exists():
            path.unlink()
    configuration = yaml.safe_load((COMMITTED / CONFIGURATION).read_text())
    if (folder / API_KEY).exists():
        for job in configuration["scrape_configs"]:
            if job["job_name"] == "api":
                job["authorization"] = {"credentials_file": API_KEY}
    write_private(folder / CONFIGURATION, yaml.safe_dump(configuration, sort_keys=False))
    jobs = {
        "api": settings.running_port(status.API, settings.api_port),
        "exporter": ports.get(status.EXPORTER),
        "prometheus": ports[status.PROMETHEUS],
        "alertmanager": ports.get(status.ALERTMANAGER),
        "node": ports.get(status.NODE_EXPORTER),
    }
    for job, port in jobs.items():
        targets = [] if port is None else [{"targets": [f"{HOST}:{port}"]}]
        write_private(folder / "targets" / f"{job}.yml", yaml.safe_dump(targets))
    read_once = (folder / CONFIGURATION, *sorted((folder / "rules").iterdir()))
    return folder / CONFIGURATION, "".join(path.read_text() for path in read_once)


def _of_debian(
    settings: Settings, name: str, arguments: list[str], ports: Mapping[str, int], health: str, fingerprint: str
) -> Program:  # fmt: skip
    path = _path(name)
    assert path is not None, "only what is there has a port"
    command = [path, *arguments, f"--web.listen-address={HOST}:{ports[name]}", "--log.level=warn"]
    return program_of(
        settings.home, name, command, {}, inherited_environment(), port=ports[name], health=health,
        fingerprint=fingerprint,
    )  # fmt: skip


def _is_there(name: str) -> bool:
    return name == status.EXPORTER or _path(name) is not None


def _path(name: str) -> str | None:
    """Where a program is installed."""
    # The administrator's folders are not in everybody's path.
    folders = f"{inherited_environment().get('PATH', '')}:/usr/sbin:/usr/local/bin"
    return next((path for each in INSTALLED_AS[name][0] if (path := shutil.which(each, path=folders))), None)
