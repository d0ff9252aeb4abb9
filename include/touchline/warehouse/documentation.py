"""The documentation site of the warehouse: one page that needs neither a server nor the internet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from touchline.errors import WarehouseBuildFailed
from touchline.settings import Settings
from touchline.warehouse.invocation import dbt_result, target_folder

# dbt cuts a column's description off after two words until it is clicked, but readers scan for the meaning.
READABLE = """<style>
.column-row td:nth-child(3) { white-space: normal !important; max-width: none !important; width: 60%; }
.detail-group .detail-body, .detail-value { white-space: normal !important; overflow-x: visible !important; }
</style></head>"""
TITLES = ("<title>dbt Docs</title>", "<title>Touchline's warehouse</title>")


@dataclass(frozen=True)
class DocumentationReport:
    """Where the site is; `n_tables` counts the tables and views whose columns were read from the database."""

    page: str
    n_tables: int

    @property
    def summary(self) -> str:
        """One sentence for people."""
        return f"{self.n_tables} tables and views described in {self.page}"


def build_documentation(settings: Settings, as_of: datetime, folder: Path) -> DocumentationReport:
    """Write `<folder>/index.html` from the dbt project and the columns found in the database.

    SQL is shown as compiled for `as_of` (UTC). Raises WarehouseBuildFailed when dbt cannot read the project or the
    database.
    """
    catalogue = dbt_result(
        settings, "docs", "generate", "--static", environment={"TOUCHLINE_DBT_AS_OF": as_of.isoformat()}
    )
    if catalogue.errors:
        raise WarehouseBuildFailed(
            f"dbt could not read the database's catalogue: {'; '.join(catalogue.errors)}"
        )
    made = target_folder(settings) / "static_index.html"
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    draft = page.with_suffix(".draft")
    draft.write_text(made.read_text().replace("</head>", READABLE, 1).replace(*TITLES))
    draft.replace(page)
    return DocumentationReport(str(page), len(catalogue.nodes) + len(catalogue.sources))
