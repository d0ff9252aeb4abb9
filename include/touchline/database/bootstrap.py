"""From an empty PostgreSQL to a migrated one: roles, databases, Alembic. Safe to run at every start."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine

from touchline.database import embedded
from touchline.database.engine import Connection, open_url, rows, scalar, sqlalchemy_url
from touchline.errors import DatabaseUnavailable
from touchline.settings import ROLES, Settings

log = logging.getLogger(__name__)

OLDEST_SERVER = 150000
MIGRATIONS = Path(__file__).with_name("migrations")
# One bootstrap at a time for a whole server, whoever runs it.
BOOTSTRAP_LOCK = 0x70D5CAFE
# Defaults of every session of touchline_analyst. A session may set others, up to what the watchdog lets it
# (touchline.database.watchdog); its rights it cannot change.
ANALYST_LIMITS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    # Nobody holds a lock, or one of the few connections, over night.
    "idle_session_timeout": "1h",
}
ANALYST_CONNECTIONS = 10
# Only an administrator may set it, so that it holds: nobody fills the disk with what a query sorts.
ANALYST_TEMPORARY_FILES = "8GB"
# What PostgreSQL lets everybody call, and what only those may who build: take our locks, and write what is no table.
BUILDERS = ("touchline_owner", "touchline_ingest", "touchline_transform", "touchline_model")
FUNCTIONS_OF_BUILDERS = (
    "pg\\_advisory\\_lock%", "pg\\_advisory\\_xact\\_lock%", "pg\\_try\\_advisory%",
    "lo\\_creat%", "lo\\_from\\_bytea", "pg\\_logical\\_emit\\_message",
)  # fmt: skip


def prepare(settings: Settings) -> None:
    """Start the embedded server if there is no other, create roles and databases, migrate to the newest.

    Raises DatabaseUnavailable when the server is older than PostgreSQL 15 or cannot be reached.
    """
    if settings.database_url is None:
        embedded.start(settings)
    with open_url(settings.admin_url, autocommit=True) as admin:
        if admin.info.server_version < OLDEST_SERVER:
            raise DatabaseUnavailable(
                f"PostgreSQL 15 or newer is needed, {settings.admin_url.rpartition('@')[2]} is "
                f"{admin.info.server_version // 10000}: upgrade it, or unset TOUCHLINE_DATABASE_URL"
            )
        admin.execute("select pg_advisory_lock(%s)", (BOOTSTRAP_LOCK,))
        _make_roles(admin, settings)
        _make_databases(admin, settings)
        migrate(settings)


def _make_roles(admin: Connection, settings: Settings) -> None:
    roles = {f"touchline_{role}": settings.secrets[role] for role in ROLES}
    roles |= {name: settings.secrets[name] for name in ("airflow", "mlflow")}
    for name, password in roles.items():
        exists = scalar(admin, "select 1 from pg_roles where rolname = %s", (name,))
        statement = "alter role {} login password {}" if exists else "create role {} login password {}"
        admin.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Literal(password)))
        # Feast writes UTC without saying so; on a server in another zone it would be read as local time.
        admin.execute(sql.SQL("alter role {} set timezone to 'UTC'").format(sql.Identifier(name)))
    # Builds sort millions of prices; what fits in memory does not go to disk.
    admin.execute("alter role touchline_transform set work_mem = '160MB'")
    # People explore: a slip costs a minute of one session, writes nothing and crowds nobody out.
    limits = dict(ANALYST_LIMITS)
    if scalar(admin, "select has_parameter_privilege('temp_file_limit', 'set')"):
        limits["temp_file_limit"] = ANALYST_TEMPORARY_FILES
    for name, value in limits.items():
        admin.execute(sql.SQL("alter role touchline_analyst set {} = {}").format(
            sql.Identifier(name), sql.Literal(value)
        ))  # fmt: skip
    admin.execute(
        sql.SQL("alter role touchline_analyst connection limit {}").format(sql.Literal(ANALYST_CONNECTIONS))
    )
    # The migrations create dbt's schemas in dbt's name.
    admin.execute("grant touchline_transform to touchline_owner")
    if scalar(admin, "select 1 from pg_roles where rolname = 'touchline_auditor'") is None:
        admin.execute("create role touchline_auditor nologin")
        admin.execute("grant touchline_auditor to current_user")
    # A backup has all there is, and streams it.
    if settings.backup.folder is not None:
        admin.execute("alter role touchline_backup replication")
        admin.execute("grant pg_read_all_data to touchline_backup")
    # A member of a role sees its sessions, and may end them.
    admin.execute("grant touchline_analyst to touchline_watchdog")
    admin.execute("alter role touchline_metrics set default_transaction_read_only = on")
    # Where the administrator is none of the whole server, metrics of other roles' sessions and of replicas are missing.
    if scalar(
        admin,
        "select rolsuper or pg_has_role('pg_monitor', 'member with admin option') from pg_roles "
        "where rolname = current_user",
    ):
        admin.execute("grant pg_monitor to touchline_metrics")


def _make_databases(admin: Connection, settings: Settings) -> None:
    """Create the databases, and let each role connect to its own only; the exporter also to Airflow's."""
    warehouse = settings.warehouse_database
    owners = {warehouse: "touchline_owner", "airflow": "airflow", "mlflow": "mlflow"}
    readers = {warehouse: [f"touchline_{role}" for role in ROLES], "airflow": ["touchline_metrics"]}
    for database, owner in owners.items():
        if scalar(admin, "select 1 from pg_database where datname = %s", (database,)) is None:
            admin.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(owner)))
            admin.execute(
                sql.SQL("create database {} owner {} template template0").format(
                    sql.Identifier(database), sql.Identifier(owner)
                )
            )
        _let_connect(admin, database, readers.get(database, []))
    # On a server of others, these may be open for a reason.
    if settings.database_url is None:
        for database in ("postgres", "template1"):
            _let_connect(admin, database, [])


def _let_connect(admin: Connection, database: str, roles: Sequence[str]) -> None:
    """Nobody connects to a database but its owner, administrators and these roles."""
    name = sql.Identifier(database)
    if scalar(admin, "select has_database_privilege('public', %s, 'connect')", (database,)):
        admin.execute(sql.SQL("revoke connect on database {} from public").format(name))
    for role in roles:
        if not scalar(admin, "select has_database_privilege(%s, %s, 'connect')", (role, database)):
            admin.execute(sql.SQL("grant connect on database {} to {}").format(name, sql.Identifier(role)))


def migrate(settings: Settings, revision: str = "head") -> None:
    """Upgrade the warehouse database to `revision`, and keep from everybody what only an administrator can.

    One that a newer release has migrated stays as it is: the release before works on it (docs/releases.md).
    """
    current, _ = revisions(settings)
    if current is None or is_known(settings, current):
        command.upgrade(_config(settings), revision)
    else:
        log.warning("a newer release has migrated the database, to revision %s: it stays as it is", current)
    with administering(settings) as admin:
        _keep_for_builders(admin)
        _take_audit_log(admin)
        if settings.backup.folder is not None:
            admin.execute("grant execute on function pg_create_restore_point(text) to touchline_backup")


def downgrade(settings: Settings, revision: str) -> None:
    """Downgrade the warehouse database to `revision` (`base` empties it)."""
    with administering(settings) as admin:
        admin.execute("alter table ops.audit_log owner to touchline_owner")
        admin.execute("alter schema ops owner to touchline_owner")
    command.downgrade(_config(settings), revision)


def administering(settings: Settings) -> AbstractContextManager[Connection]:
    """The administrator's connection to the warehouse database."""
    address = urlsplit(settings.admin_url)._replace(path=f"/{settings.warehouse_database}")
    return open_url(urlunsplit(address))


def _keep_for_builders(admin: Connection) -> None:
    builders = sql.SQL(", ").join(map(sql.Identifier, BUILDERS))
    for found in rows(
        admin,
        "select oid::regprocedure::text as name from pg_proc where pronamespace = 'pg_catalog'::regnamespace "
        "and proname like any(%s) and has_function_privilege('touchline_analyst', oid, 'execute')",
        (list(FUNCTIONS_OF_BUILDERS),),
    ):
        function = sql.SQL(found["name"])
        admin.execute(sql.SQL("revoke execute on function {} from public").format(function))
        admin.execute(sql.SQL("grant execute on function {} to {}").format(function, builders))


def _take_audit_log(admin: Connection) -> None:
    """Make the audit log the property of a role that nobody is: who owns a table may rewrite it.

    The owner of all else still adds rows, whose time and actor are the server's, as in the ledger.
    """
    owner = "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'ops'"
    if scalar(admin, owner) == "touchline_auditor":
        return
    for statement in (
        "grant create on schema ops to touchline_auditor",
        "alter table ops.audit_log owner to touchline_auditor",
        "grant select, insert (action, object, reason) on ops.audit_log to touchline_owner",
        # Who owns a schema may drop what is in it.
        "alter schema ops owner to touchline_auditor",
        "grant usage, create on schema ops to touchline_owner with grant option",
    ):
        admin.execute(sql.SQL(statement))


def revisions(settings: Settings) -> tuple[str | None, str | None]:
    """The revision the database is at, and the newest one the code knows."""
    engine = create_engine(sqlalchemy_url(settings.url("owner")))
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(
                connection, opts={"version_table_schema": "public"}
            ).get_current_revision()
    finally:
        engine.dispose()
    return current, ScriptDirectory.from_config(_config(settings)).get_current_head()


def is_known(settings: Settings, revision: str) -> bool:
    """Whether this code has a migration to `revision`."""
    scripts = ScriptDirectory.from_config(_config(settings))
    return any(script.revision == revision for script in scripts.walk_revisions())


def _config(settings: Settings) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    # Alembic interpolates percent signs, and a password may hold them.
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(settings.url("owner")).replace("%", "%%"))
    return config
