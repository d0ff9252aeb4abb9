"""What Great Expectations does again for every expectation, and need not: most of the time of a gate over few rows.

Each of these replaces something inside Great Expectations 1.x for as long as a gate runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

_COLUMNS: Final = """
select attname, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = to_regclass(:name) and attnum > 0 and not attisdropped order by attnum
"""


@contextmanager
def without_repeated_work() -> Iterator[None]:
    """For as long as the block runs, a gate does each of its parts once."""
    with ExitStack() as undone:
        for replaced, name, by in (
            *_configurations_once(), _plain_names(), _no_values_of_what_holds(), _columns_at_once(),
        ):  # fmt: skip
            undone.callback(setattr, replaced, name, vars(replaced)[name])
            setattr(replaced, name, by)
        yield


def _configurations_once() -> Iterator[tuple[Any, str, Any]]:
    """An expectation builds its configuration at every look, and a configuration its expectation, ten times each."""
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    told, made = Expectation.configuration, ExpectationConfiguration.to_domain_obj
    # What it was built of stays as well, so that nothing else gets its id.
    built: dict[int, tuple[Any, Any]] = {}

    def configuration(expectation: Any) -> Any:
        if id(expectation) not in built:
            built[id(expectation)] = expectation, told.__get__(expectation)
        return built[id(expectation)][1]

    def to_domain_obj(configuration: Any) -> Any:
        if id(configuration) not in built:
            built[id(configuration)] = configuration, made(configuration)
        return built[id(configuration)][1]

    yield Expectation, "configuration", property(configuration)
    yield ExpectationConfiguration, "to_domain_obj", to_domain_obj


def _plain_names() -> tuple[Any, str, Any]:
    """Metrics are named by plain values, and need not be looked at for every type that a value may have."""
    from great_expectations.core import id_dict

    convert = id_dict.convert_to_json_serializable

    def converted(data: Any) -> Any:
        if data is None or type(data) in (str, int, bool):
            return data
        if type(data) is dict:
            return {str(name): converted(value) for name, value in data.items()}
        return [converted(value) for value in data] if type(data) in (list, tuple) else convert(data)

    return id_dict, "convert_to_json_serializable", converted


def _no_values_of_what_holds() -> tuple[Any, str, Any]:
    """The values that break an expectation are asked for, in a query for each, even where none does.

    A gate asks again for the rows of those that fail, in its complete result format.
    """
    from great_expectations.expectations.expectation import ColumnMapExpectation

    needed = ColumnMapExpectation.get_validation_dependencies

    def needed_to_count(expectation: Any, *others: Any, **named: Any) -> Any:
        found = needed(expectation, *others, **named)
        if found.result_format.get("result_format") == "BASIC":
            found.metric_configurations.pop(f"{expectation.map_metric}.unexpected_values", None)
        return found

    return ColumnMapExpectation, "get_validation_dependencies", needed_to_count


def _columns_at_once() -> tuple[Any, str, Any]:
    """The columns of a suite's table are looked up in seven queries, for keys, domains and enumerations, too."""
    import sqlalchemy
    from great_expectations.expectations.metrics.table_metrics import table_column_types

    def columns(
        execution_engine: Any, table_selectable: Any, schema_name: None = None
    ) -> list[dict[str, Any]]:
        read_type = execution_engine.engine.dialect._reflect_type
        wanted = sqlalchemy.text(_COLUMNS).bindparams(name=str(table_selectable))
        return [
            {"name": name, "type": read_type(kind, {}, {}, name, None), "primary_key": False}
            for name, kind in execution_engine.execute_query(wanted).fetchall()
        ]

    return table_column_types, "get_sqlalchemy_column_metadata", columns
