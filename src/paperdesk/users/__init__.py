"""Who may do what: access to the desk and to its accounts."""
