"""From the raw body of an alert to what it says. Pure: no database, no clock, no network."""
