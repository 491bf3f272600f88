"""Background work: supervised tasks that start with the app and end with it."""
