"""`python -m paperdesk` is the `paperdesk` command."""

from paperdesk.cli import main

if __name__ == "__main__":
    main()
