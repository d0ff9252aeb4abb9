"""From an empty PostgreSQL to a migrated one: roles, databases, Alembic. Safe to run at every start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine

from touchline.database import embedded
from touchline.database.engine import open_url, scalar, sqlalchemy_url
from touchline.errors import DatabaseUnavailable
from touchline.settings import ROLES, Settings

OLDEST_SERVER = 150000
MIGRATIONS = Path(__file__).with_name("migrations")
# One bootstrap at a time for a whole server, whoever runs it.
BOOTSTRAP_LOCK = 0x70D5CAFE
# Defaults of every session of touchline_analyst. A session may set others; its rights it cannot change.
ANALYST_LIMITS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    # Nobody holds a lock, or one of the few connections, over night.
    "idle_session_timeout": "1h",
}
ANALYST_CONNECTIONS = 10


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
        for name, value in ANALYST_LIMITS.items():
            admin.execute(sql.SQL("alter role touchline_analyst set {} = {}").format(
                sql.Identifier(name), sql.Literal(value)
            ))  # fmt: skip
        admin.execute(
            sql.SQL("alter role touchline_analyst connection limit {}").format(
                sql.Literal(ANALYST_CONNECTIONS)
            )
        )
        # The migrations create dbt's schemas in dbt's name.
        admin.execute("grant touchline_transform to touchline_owner")
        owners = {settings.warehouse_database: "touchline_owner", "airflow": "airflow", "mlflow": "mlflow"}
        for database, owner in owners.items():
            if scalar(admin, "select 1 from pg_database where datname = %s", (database,)) is None:
                admin.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(owner)))
                admin.execute(
                    sql.SQL("create database {} owner {} template template0").format(
                        sql.Identifier(database), sql.Identifier(owner)
                    )
                )
        migrate(settings)


def migrate(settings: Settings, revision: str = "head") -> None:
    """Upgrade the warehouse database to `revision`."""
    command.upgrade(_config(settings), revision)


def downgrade(settings: Settings, revision: str) -> None:
    """Downgrade the warehouse database to `revision` (`base` empties it)."""
    command.downgrade(_config(settings), revision)


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


def _config(settings: Settings) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    # Alembic interpolates percent signs, and a password may hold them.
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(settings.url("owner")).replace("%", "%%"))
    return config
