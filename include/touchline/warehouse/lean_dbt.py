"""What dbt does again in every call, or for every node, and need not: most of the time of a small build.

Each of these replaces something inside dbt-core 1.11, dbt-adapters 1.x or dbt-common 1.x (decision 0018).
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any, Final

from touchline.database import kept

# Templates whose code is kept; a project has some hundred.
MOST_COMPILED: Final = 4096
# Selections that are kept; a layer has two or three.
MOST_SELECTED: Final = 64


@cache
def make_lean() -> None:
    """Once in a process."""
    _make_no_message_below_the_log()
    _keep_connections()
    _keep_connections_of_calls()
    _look_for_plugins_once()
    _write_no_summary_of_the_graph()
    _sort_macros_once()
    _compile_templates_once()
    _read_the_catalogue_directly()
    _link_and_select_once()
    _follow_no_views_without_need()
    _tell_types_by_the_same_testers()


def keep_behaviour_flags_few() -> None:
    """Undo what earlier calls left in dbt's list of behaviour flags.

    Every call makes an adapter, which appends its own flags to the module's list of defaults
    (`BaseAdapter.behavior`, dbt-adapters 1.x). Every flag in that list searches the whole call stack for the name of
    its module, which is only shown in a notice that a flag is off. The hundredth call of a process spent seconds there.
    """
    from dbt.adapters.base import impl
    from dbt_common.behavior_flags import BehaviorFlagRendered

    impl.DEFAULT_BASE_BEHAVIOR_FLAGS[:] = _default_flags()
    BehaviorFlagRendered._default_source = staticmethod(lambda: impl.__name__)  # type: ignore[method-assign]


@cache
def _default_flags() -> tuple[Any, ...]:
    from dbt.adapters.base import impl

    return tuple(impl.DEFAULT_BASE_BEHAVIOR_FLAGS)


def _make_no_message_below_the_log() -> None:
    """Have dbt make no message of an event that its log would not take.

    It makes a message of every event, and a line without the secrets of the environment, before Python's logging drops
    those below `info` (dbt-common 1.x). Small builds spent a third of their time there.
    """
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    fire, make = EventManager.fire_event, BaseEvent.__init__

    def fire_above_debug(manager: Any, e: Any, level: Any = None, *others: Any, **named: Any) -> None:
        if (level or e.level_tag()) not in (EventLevel.DEBUG, EventLevel.TEST):
            fire(manager, e, level, *others, **named)

    def keep(event: Any, *arguments: Any, **named: Any) -> None:
        vars(event)["_told"] = (arguments, named)

    def read(event: Any, name: str) -> Any:
        if name == "_told":
            raise AttributeError(name)
        if name != "pb_msg":
            return getattr(event.pb_msg, name)
        arguments, named = event._told
        make(event, *arguments, **named)
        return vars(event)["pb_msg"]

    def write(event: Any, name: str, value: Any) -> None:
        if name == "pb_msg":
            vars(event)[name] = value
        else:
            setattr(event.pb_msg, name, value)

    EventManager.fire_event = fire_above_debug  # type: ignore[method-assign, assignment]
    BaseEvent.__init__ = keep  # type: ignore[method-assign, assignment]
    BaseEvent.__getattr__ = read  # type: ignore[method-assign]
    BaseEvent.__setattr__ = write  # type: ignore[method-assign]


def _keep_connections() -> None:
    """Let each thread keep its connection for the next node.

    dbt closes it after every node, and a new one costs both sides some milliseconds. `dbtRunner` leaves none open:
    `invocation` closes them after the call.
    """
    from dbt.adapters.contracts.connection import ConnectionState
    from dbt.adapters.postgres.connections import PostgresConnectionManager

    close = PostgresConnectionManager.release

    def release(manager: Any) -> None:
        connection = manager.get_if_exists()
        if connection is None or connection.state != ConnectionState.OPEN or connection.handle.closed:
            close(manager)
            return
        try:
            connection.handle.rollback()
            connection.transaction_open = False
        # Whatever ails it, the next node gets another.
        except Exception:
            close(manager)

    PostgresConnectionManager.release = release  # type: ignore[method-assign, assignment]


def _keep_connections_of_calls() -> None:
    """Leave the connections of a call, when it closes them, to the next call of the process."""
    from dbt.adapters.contracts.connection import ConnectionState
    from dbt.adapters.postgres.connections import PostgresConnectionManager

    open_anew: Any = PostgresConnectionManager.open
    close: Any = PostgresConnectionManager._close_handle

    def use_of(connection: Any) -> tuple[Any, ...]:
        told = connection.credentials
        return told.type, told.host, told.port, told.user, told.database

    def open_kept(manager: Any, connection: Any) -> Any:
        handle = kept.take(use_of(connection)) if connection.state != ConnectionState.OPEN else None
        if handle is None:
            return open_anew.__func__(manager, connection)
        connection.handle, connection.state = handle, ConnectionState.OPEN
        return connection

    def close_unless_kept(manager: Any, connection: Any) -> None:
        if not (
            kept.are_kept() and as_new(connection.handle) and kept.keep(use_of(connection), connection.handle)
        ):
            close.__func__(manager, connection)

    def as_new(handle: Any) -> bool:
        with suppress(handle.Error):
            handle.rollback()
            handle.autocommit = True
            with handle.cursor() as cursor:
                cursor.execute("discard all")
            handle.autocommit = False
            return True
        return False

    PostgresConnectionManager.open = classmethod(open_kept)  # type: ignore[method-assign, assignment]
    PostgresConnectionManager._close_handle = classmethod(close_unless_kept)  # type: ignore[method-assign, assignment]


def _look_for_plugins_once() -> None:
    """Every call looks through all folders of the path for packages whose names begin with `dbt_`."""
    from dbt.plugins.manager import PluginManager

    PluginManager.get_prefixed_modules = staticmethod(cache(PluginManager.get_prefixed_modules))  # type: ignore[method-assign]


def _sort_macros_once() -> None:
    """Find out once for a project which macro a name means.

    For each node twice, and for each macro that an adapter calls, dbt sorts all 500 macros into packages, and looks for
    each name in five of them. Only the context in which they are called differs.
    """
    from dbt.clients.jinja import MacroGenerator
    from dbt.context.configured import ConfiguredContext
    from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
    from dbt.context.manifest import ManifestContext

    build = MacroNamespaceBuilder.build_namespace
    plain: Any = ConfiguredContext.to_dict
    spread: Any = ManifestContext.to_dict
    sorted_once: dict[
        tuple[str, ...], tuple[Any, list[Any], list[list[tuple[str, int]]], tuple[str, ...]]
    ] = {}

    def sort(builder: Any, macros_by_package: Any) -> tuple[Any, list[Any], Any, tuple[str, ...]]:
        """The macros, and for each set of names where among them is the one that a name means."""
        found = build(builder, macros_by_package, {})
        sets = (
            found.global_namespace,
            found.local_namespace,
            found.global_project_namespace,
            *found.packages.values(),
        )
        macros = {id(each.macro): each.macro for names in sets for each in names.values()}
        places = {known: place for place, known in enumerate(macros)}
        placed = [[(name, places[id(each.macro)]) for name, each in names.items()] for names in sets]
        return macros_by_package, list(macros.values()), placed, tuple(found.packages)

    def build_sorted(builder: Any, macros_by_package: Any, ctx: dict[str, Any]) -> MacroNamespace:
        key = (builder.root_package, builder.search_package, *builder.internal_package_names_order)
        if key not in sorted_once or sorted_once[key][0] is not macros_by_package:
            sorted_once[key] = sort(builder, macros_by_package)
        _, macros, placed, packages = sorted_once[key]
        node, stack, made = builder.node, builder.thread_ctx, []
        for macro in macros:
            generator = MacroGenerator.__new__(MacroGenerator)
            generator.macro, generator.context, generator.node, generator.stack = macro, ctx, node, stack
            made.append(generator)
        every, local, project, *others = ({name: made[place] for name, place in of_set} for of_set in placed)
        return MacroNamespace(every, local, project, dict(zip(packages, others, strict=True)))

    def spread_sorted(context: Any) -> dict[str, Any]:
        names = context.namespace
        if type(names) is not MacroNamespace:
            return dict(spread(context))
        values: dict[str, Any] = plain(context)
        # The last word is that of the package of the node (MacroNamespace._search_order).
        for each in reversed(tuple(names._search_order())):
            values.update(each)
        return values

    MacroNamespaceBuilder.build_namespace = build_sorted  # type: ignore[method-assign, assignment]
    ManifestContext.to_dict = spread_sorted  # type: ignore[method-assign]


def _compile_templates_once() -> None:
    """Keep the code of a template. dbt makes a new environment for each, of which there are few kinds."""
    from dbt_common.clients.jinja import MacroFuzzEnvironment

    compile_anew = MacroFuzzEnvironment.compile
    compiled: dict[tuple[type, str], Any] = {}

    def compile_once(environment: Any, source: Any, *others: Any, **named: Any) -> Any:
        if others or named or not isinstance(source, str):
            return compile_anew(environment, source, *others, **named)
        code = compiled.get((type(environment), source))
        if code is None:
            if len(compiled) >= MOST_COMPILED:
                compiled.clear()
            code = compiled[type(environment), source] = compile_anew(environment, source)
        return code

    MacroFuzzEnvironment.compile = compile_once  # type: ignore[method-assign, assignment]


def _read_the_catalogue_directly() -> None:
    """Read schemas, relations and their columns from the system tables, without a macro.

    dbt asks for the columns four or five times for each table that an increment changes, each time with a context for
    the macro, a table of types for its result, and `information_schema.columns`, a view over nine tables.
    """
    from dbt.adapters.postgres.impl import PostgresAdapter

    def asked(adapter: Any, statement: str, *bindings: str) -> list[Any]:
        _, cursor = adapter.connections.add_query(statement, bindings=bindings)
        return list(cursor.fetchall())

    def schemas(adapter: Any, database: str) -> list[str]:
        return [name for (name,) in asked(adapter, "select nspname from pg_namespace")]

    def relations_of(adapter: Any, schema_relation: Any) -> list[Any]:
        within = {
            "database": schema_relation.database, "schema": schema_relation.schema,
            "quote_policy": {"database": True, "schema": True, "identifier": True},
        }  # fmt: skip
        found = asked(
            adapter,
            "select relname, case relkind when 'v' then 'view' when 'm' then 'materialized_view' else 'table' end "
            "from pg_class where relnamespace = to_regnamespace(%s) and relkind in ('r', 'p', 'v', 'm')",
            schema_relation.schema,
        )
        kind_of = adapter.Relation.get_relation_type
        return [
            adapter.Relation.create(**within, identifier=name, type=kind_of(kind)) for name, kind in found
        ]

    def columns_of(adapter: Any, relation: Any) -> list[Any]:
        found = asked(
            adapter,
            "select attname, format_type(atttypid, null) from pg_attribute "
            "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
            str(relation.include(database=False)),
        )
        return [adapter.Column(*row) for row in found]

    PostgresAdapter.list_schemas = schemas  # type: ignore[method-assign, assignment]
    PostgresAdapter.list_relations_without_caching = relations_of  # type: ignore[method-assign, assignment]
    PostgresAdapter.get_columns_in_relation = columns_of  # type: ignore[method-assign]


def _link_and_select_once() -> None:
    """Put the nodes of a project into a graph once, and find what a selection means once.

    Every call does the first, and a build the second three times: a fifth of the time of a small one.
    """
    from dbt.compilation import Compiler
    from dbt.graph.graph import Graph
    from dbt.graph.selector import ResourceTypeSelector

    link, select = Compiler.compile, ResourceTypeSelector.get_selected
    linked: dict[bool, tuple[Any, Graph]] = {}
    selected: dict[tuple[Any, ...], tuple[Graph, frozenset[Any]]] = {}

    def link_once(compiler: Any, manifest: Any, write: bool = True, add_test_edges: bool = False) -> Graph:
        if add_test_edges not in linked or linked[add_test_edges][0] is not manifest:
            linked[add_test_edges] = manifest, link(compiler, manifest, write, add_test_edges)
        return linked[add_test_edges][1]

    def select_once(selector: Any, spec: Any, warn_on_no_nodes: bool = True) -> set[Any]:
        # The results of an earlier call are not told by the graph.
        if selector.previous_state is not None:
            return set(select(selector, spec, warn_on_no_nodes))
        graph, types = selector.full_graph, frozenset(selector.resource_types)
        key = (id(graph), types, selector.include_empty_nodes, repr(spec))
        if key not in selected or selected[key][0] is not graph:
            if len(selected) >= MOST_SELECTED:
                selected.clear()
            selected[key] = graph, frozenset(select(selector, spec, warn_on_no_nodes))
        return set(selected[key][1])

    Compiler.compile = link_once  # type: ignore[method-assign, assignment]
    ResourceTypeSelector.get_selected = select_once  # type: ignore[method-assign, assignment]


def _follow_no_views_without_need() -> None:
    """Ask which view reads which relation only for a build in full, in which dropping one drops the others."""
    from dbt.adapters.postgres.impl import PostgresAdapter
    from dbt.flags import get_flags

    follow = PostgresAdapter._link_cached_relations

    def follow_in_full(adapter: Any, manifest: Any) -> None:
        if get_flags().FULL_REFRESH:  # type: ignore[no-untyped-call]
            follow(adapter, manifest)

    PostgresAdapter._link_cached_relations = follow_in_full  # type: ignore[method-assign, assignment]


def _tell_types_by_the_same_testers() -> None:
    """Each result of a query gets new ones, among them parsers of dates that know the calendars of the world."""
    from dbt_common.clients import agate_helper

    make = cache(agate_helper.build_type_tester)

    def tester(text_columns: Any, string_null_values: Any = ("null", "")) -> Any:
        return make(tuple(text_columns), tuple(string_null_values or ()))

    agate_helper.build_type_tester = tester


def _write_no_summary_of_the_graph() -> None:
    """Nobody reads `graph_summary.json`, for which every call makes a dictionary of every node, twice if it builds."""
    from dbt.compilation import Linker

    Linker.get_graph_summary = lambda self, manifest: {}  # type: ignore[method-assign]
