"""The dbt project as its manifest has it: models and sources by name, and who reads whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Project:
    """What dbt made of the project: its manifest, with models by name."""

    manifest: Mapping[str, Any]

    @cached_property
    def models(self) -> dict[str, dict[str, Any]]:
        """Models by name."""
        return {
            node["name"]: node
            for node in self.manifest["nodes"].values()
            if node["resource_type"] == "model" and node["package_name"] == "touchline"
        }

    @cached_property
    def sources(self) -> dict[str, dict[str, Any]]:
        """Source tables by `source.table`."""
        return {f"{node['source_name']}.{node['name']}": node for node in self.manifest["sources"].values()}

    def of(self, layer: str) -> dict[str, dict[str, Any]]:
        """Models of a layer by name."""
        return {name: node for name, node in self.models.items() if node["fqn"][1] == layer}

    def layer(self, name: str) -> str:
        """The layer of a model; sources are read in staging."""
        return str(self.models[name]["fqn"][1]) if name in self.models else "staging"

    def parents(self, name: str) -> list[str]:
        """Names of the models a model refers to, seeds left out."""
        wanted = self.models[name]["depends_on"]["nodes"]
        return [each for each, node in self.models.items() if node["unique_id"] in wanted]

    def sources_of(self, name: str) -> list[str]:
        """Source tables a model reads."""
        wanted = self.models[name]["depends_on"]["nodes"]
        return [each for each, node in self.sources.items() if node["unique_id"] in wanted]

    def children(self, name: str) -> list[str]:
        """Names of the models that refer to a model."""
        return [child for child in self.models if name in self.parents(child)]

    def readers(self, source: str) -> list[str]:
        """Names of the models that read a source table."""
        return [model for model in self.models if source in self.sources_of(model)]

    def is_read_otherwise(self, unique_id: str) -> bool:
        """Whether an exposure names it."""
        return any(unique_id in each["depends_on"]["nodes"] for each in self.manifest["exposures"].values())

    def tests(self, name: str) -> list[dict[str, Any]]:
        """Generic data tests on a model."""
        unique_id = self.models[name]["unique_id"]
        return [
            node
            for node in self.manifest["nodes"].values()
            if node["resource_type"] == "test" and node.get("attached_node") == unique_id
        ]

    def views_in_a_row(self, name: str) -> int:
        """How many views the longest chain of views that ends in this model has."""
        if self.models[name]["config"]["materialized"] != "view":
            return 0
        return 1 + max((self.views_in_a_row(parent) for parent in self.parents(name)), default=0)
