"""Alembic's entry: the desk's own guards around every command, then the revisions."""

import asyncio
from logging.config import fileConfig
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON, Connection

from paperdesk.db import migrate
from paperdesk.db.types import FixedPoint, UtcDateTime
from paperdesk.errors import PaperdeskError
from paperdesk.models import Base
from paperdesk.settings import Settings, database_url

config = context.config


def address() -> str:
    """Return the database's URL: `-x url=`, else the desk's settings."""
    given = context.get_x_argument(as_dictionary=True).get("url")
    return database_url(given) if given else Settings.load().database_url


def destination() -> str | None:
    """Return the revision that the command migrates to, None for one that migrates nowhere."""
    try:
        revision: str | tuple[str, ...] | None = context.get_revision_argument()
    except KeyError:
        return None
    return revision[0] if isinstance(revision, tuple) else revision


def render_item(type_: str, item: object, autogen: AutogenContext) -> str | Literal[False]:
    """Write our types into a revision as plain SQLAlchemy: revisions import no application."""
    if type_ != "type":
        return False
    if isinstance(item, FixedPoint):
        return "sa.BigInteger()"
    if isinstance(item, UtcDateTime):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")'
    if isinstance(item, JSON):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return (
            "sa.JSON(none_as_null=True)"
            '.with_variant(postgresql.JSONB(none_as_null=True), "postgresql")'
        )
    return False


def migrate_on(connection: Connection) -> None:
    """Run the command's revisions inside the transaction that is already open."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        render_item=render_item,
        transactional_ddl=True,
    )
    context.run_migrations()


async def guarded_migration() -> None:
    """Run the command as its own program would: with all locks and checks."""
    async with migrate.guarded(
        address(), destination=destination(), tables=Base.metadata.tables
    ) as connection:
        await connection.run_sync(migrate_on)


def main() -> None:
    """Run online, on a given connection or a guarded one of our own, or print SQL."""
    given = config.attributes.get("connection")
    if given is not None:
        migrate_on(given)
        return
    if config.config_file_name:
        fileConfig(config.config_file_name, disable_existing_loggers=False)
    try:
        if context.is_offline_mode():
            context.configure(url=address(), target_metadata=Base.metadata, literal_binds=True)
            with context.begin_transaction():
                context.run_migrations()
        else:
            asyncio.run(guarded_migration())
    except PaperdeskError as error:
        # Not CommandError: Alembic would log that and print it too, and say the line twice.
        raise SystemExit(str(error)) from error


main()
