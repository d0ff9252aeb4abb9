"""Alertmanager: whom it tells, by the settings of the DAGs' notifier, and the silences that it is asked for.

Its routes, grouping and inhibition are docker/alertmanager/alertmanager.yml, the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx
import yaml

from touchline.credentials import write_private
from touchline.errors import ServiceFailed, SettingsInvalid
from touchline.settings import PROJECT_ROOT, SMTP_PORTS, Notify, Settings

COMMITTED: Final = PROJECT_ROOT / "docker" / "alertmanager"
CONFIGURATION: Final = "alertmanager.yml"
TEMPLATES: Final = "touchline.tmpl"
# The receivers of routes; a ticket can wait until somebody reads mails.
PAGE, TICKET = "page", "ticket"
ANSWER_SECONDS = 5.0
# Files below the folder that hold what nobody else may read.
WEBHOOK, MAIL_PASSWORD = "webhook", "mail_password"


def folder_of(settings: Settings) -> Path:
    """Where an installation keeps Alertmanager's configuration and data."""
    return settings.home / "alertmanager"


def write_configuration(settings: Settings) -> Path:
    """Write Alertmanager's configuration with the receivers of `settings.notify`; returns its path.

    A page goes to webhook and mail, a ticket to mail, or to the webhook where no mail is set; both say when an alert is
    over. Only their owner may read the files. Raises SettingsInvalid for a mail server that Alertmanager cannot use.
    """
    folder = folder_of(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = yaml.safe_load((COMMITTED / CONFIGURATION).read_text())
    webhook, mail = _webhook(settings.notify, folder), _mail(settings.notify, folder)
    told = {PAGE: {**webhook, **mail}, TICKET: mail or webhook}
    configuration["receivers"] = [{"name": name, **channels} for name, channels in told.items()]
    write_private(folder / TEMPLATES, (COMMITTED / TEMPLATES).read_text())
    write_private(folder / CONFIGURATION, yaml.safe_dump(configuration, sort_keys=False))
    return folder / CONFIGURATION


def silences(address: str) -> list[dict[str, Any]]:
    """The silences in force or to come. Raises ServiceFailed when no Alertmanager answers at the address."""
    found: list[dict[str, Any]] = _ask("GET", f"{address}/api/v2/silences")
    return [each for each in found if each["status"]["state"] != "expired"]


def silence_everything(address: str, until: datetime, who: str, comment: str) -> None:
    """Keep every alert back from now on until an instant (UTC). Raises ServiceFailed."""
    _ask(
        "POST",
        f"{address}/api/v2/silences",
        {
            "matchers": [{"name": "alertname", "value": ".+", "isRegex": True, "isEqual": True}],
            # What has begun already is brought forward to the present.
            "startsAt": "1970-01-01T00:00:00Z",
            "endsAt": until.isoformat(),
            "createdBy": who,
            "comment": comment,
        },
    )


def end_silence(address: str, silence_id: str) -> None:
    """End a silence. Raises ServiceFailed."""
    _ask("DELETE", f"{address}/api/v2/silence/{silence_id}")


def _webhook(notify: Notify, folder: Path) -> Mapping[str, Any]:
    if notify.webhook_address is None:
        return {}
    write_private(folder / WEBHOOK, notify.webhook_address)
    return {
        "slack_configs": [
            {
                "api_url_file": str(folder / WEBHOOK),
                "send_resolved": True,
                "title": '{{ template "touchline.title" . }}',
                "title_link": "",
                "fallback": '{{ template "touchline.title" . }}',
                "text": '{{ template "touchline.text" . }}',
            }
        ]
    }


def _mail(notify: Notify, folder: Path) -> Mapping[str, Any]:
    if notify.smtp_address is None:
        return {}
    parts = urlsplit(notify.smtp_address)
    port = parts.port or SMTP_PORTS[parts.scheme]
    if (parts.scheme == "smtps") != (port == SMTP_PORTS["smtps"]):
        raise SettingsInvalid(
            "TOUCHLINE_NOTIFY_SMTP: Alertmanager speaks smtps at port 465, and there alone; write smtp:// or "
            "smtp+starttls:// with another port"
        )
    login = {}
    if parts.username:
        write_private(folder / MAIL_PASSWORD, unquote(parts.password or ""))
        login = {"auth_username": unquote(parts.username), "auth_password_file": str(folder / MAIL_PASSWORD)}
    return {
        "email_configs": [
            {
                "to": notify.email,
                "from": notify.sender,
                "smarthost": f"{parts.hostname}:{port}",
                "require_tls": parts.scheme == "smtp+starttls",
                **login,
                "send_resolved": True,
                "headers": {"Subject": '{{ template "touchline.title" . }}'},
                "html": "",
                "text": '{{ template "touchline.text" . }}',
            }
        ]
    }


def _ask(method: str, address: str, body: object = None) -> Any:
    try:
        # Another machine's, or this one's: no proxy stands between.
        reply = httpx.request(method, address, json=body, timeout=ANSWER_SECONDS, trust_env=False)
        reply.raise_for_status()
    except httpx.HTTPError as error:
        raise ServiceFailed(f"Alertmanager at {address.partition('/api/')[0]}: {error}") from error
    return reply.json() if reply.content else None
