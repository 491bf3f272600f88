"""From a broker's file to what happened on an account. Pure: no database, no clock, no network."""
