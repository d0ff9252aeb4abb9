"""What can go wrong with a registered model: the stored file is damaged, or the store does not answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from touchline.registry import models
from touchline.registry.tracking import open_registry
from touchline.settings import Settings


def forget_models(settings: Settings) -> None:
    """As on a machine that has never read a model: it must be downloaded."""
    shutil.rmtree(settings.home / "models" / settings.model_name, ignore_errors=True)
    models._read_forecaster.cache_clear()


@contextmanager
def damaged_model(settings: Settings, version: str) -> Iterator[None]:
    """For a while what lies in the registry is no pickle."""
    tags = open_registry(settings).client.get_model_version(settings.model_name, version).tags
    (stored,) = (
        path for path in settings.home.rglob("python_model.pkl") if tags["logged_model"] in str(path)
    )
    whole = stored.read_bytes()
    stored.write_bytes(b"\x80\x05not a pickle")
    forget_models(settings)
    yield
    stored.write_bytes(whole)
    forget_models(settings)


def raising(fault: BaseException) -> Callable[..., NoReturn]:
    """A function that fails, whatever it is given."""

    def fail(*_: Any, **__: Any) -> NoReturn:
        raise fault

    return fail


@contextmanager
def put_back(settings: Settings) -> Iterator[None]:
    """Afterwards every alias and every tag is as before."""
    client, name = open_registry(settings).client, settings.model_name
    model = client.get_registered_model(name)
    tags = {each.version: each.tags for each in client.search_model_versions(f"name = '{name}'")}
    yield
    now = client.get_registered_model(name)
    for alias in now.aliases.keys() - model.aliases.keys():
        client.delete_registered_model_alias(name, alias)
    for alias, version in model.aliases.items():
        if now.aliases.get(alias) != version:
            client.set_registered_model_alias(name, alias, version)
    for key, value in model.tags.items():
        if now.tags.get(key) != value:
            client.set_registered_model_tag(name, key, value)
    for each in client.search_model_versions(f"name = '{name}'"):
        before = tags.get(each.version, each.tags)
        for key in each.tags.keys() - before.keys():
            client.delete_model_version_tag(name, each.version, key)
        for key, value in before.items():
            if each.tags.get(key) != value:
                client.set_model_version_tag(name, each.version, key, value)
