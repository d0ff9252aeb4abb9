"""Which source the settings ask for."""

from __future__ import annotations

from touchline.settings import LIVE_SITE, Settings
from touchline.sources.football_data_uk.folder import FolderSource
from touchline.sources.football_data_uk.site import LIVE_ADDRESS, SiteSource
from touchline.sources.source import Source


def open_source(settings: Settings) -> Source:
    """The source named by `settings.source`; raises SourceUnavailable when a folder is not there."""
    if settings.is_simulated:
        port = settings.running_port("sandbox", settings.sandbox_port)
        return SiteSource(
            "sandbox", f"http://127.0.0.1:{port}", is_simulated=True, n_seasons=settings.history_seasons
        )
    if settings.source == LIVE_SITE:
        return SiteSource(
            "football_data_uk", LIVE_ADDRESS, is_simulated=False, n_seasons=settings.history_seasons
        )
    assert settings.source_folder is not None, "every other source is a folder"
    return FolderSource(settings.source_folder)
