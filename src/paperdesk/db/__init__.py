"""The database ground: engine, column types, base class, migrations, locks."""
