"""The list of commands. Each one's module is imported when it is used, and no earlier."""

from difflib import get_close_matches
from typing import Final

from cyclopts import App, CycloptsError, Group, UnknownCommandError

from paperdesk import __version__
from paperdesk.cli.failures import EXIT_CODES, CommandFailed, Exit

_RUN: Final = Group("Run a desk", sort_key=1)
_TRADE: Final = Group("Trade", sort_key=2)
_LOOK: Final = Group("Look", sort_key=3)
_OPTIONS: Final = Group("Options", sort_key=4)

_HELP: Final = """\
Paperdesk is a broker to trade against with pretend money.

Start a desk in one terminal and trade from another:
  paperdesk serve
  paperdesk buy AAPL 10
  paperdesk portfolio

Commands under Trade and Look speak to a running desk: the one on this machine,
or the one that PAPERDESK_URL names, with the key in PAPERDESK_API_KEY."""

_COMMANDS: Final = (
    (
        _RUN,
        "serve",
        "serve:serve",
        "Run the desk until Ctrl-C.",
        """\
Examples:
  paperdesk serve
  paperdesk serve --port 9000
  DATABASE_URL=./desk.db paperdesk serve""",
    ),
    (
        _RUN,
        "worker",
        "worker:worker",
        "Work on jobs, beside desks on PostgreSQL.",
        None,
    ),
    (_RUN, "migrate", "database:migrate", "Bring the database to the newest revision.", None),
    (_RUN, "seed", "database:seed", "Make the first account, unless there is one.", None),
    (
        _RUN,
        "verify",
        "verify:verify",
        "Prove the books, whether a desk runs or not.",
        """\
Changes nothing. Exits 1 when something is wrong.

Examples:
  paperdesk verify
  paperdesk verify --json | jq .problems""",
    ),
    (
        _RUN,
        "copy",
        "copy:copy",
        "Move a desk to another database, and compare.",
        """\
The target must be empty. A SQLite desk must be stopped first.

Examples:
  paperdesk copy --to postgresql://paperdesk:secret@localhost/paperdesk
  paperdesk copy --from postgresql://paperdesk:secret@localhost/paperdesk --to desk.db""",
    ),
    (
        _RUN,
        "reopen",
        "reopen:reopen",
        "Take changes again after a proof failed.",
        """\
Asks the running desk, or opens the database where none runs. Proves the books
first; with --accept what is wrong is noted and accepted.

Examples:
  paperdesk reopen
  paperdesk reopen --accept""",
    ),
    (_RUN, "key", "key:key", "API keys: make, list, revoke, rotate.", None),
    (_RUN, "config", "config:config", "Show the settings and where they come from.", None),
    (
        _RUN,
        "doctor",
        "doctor:doctor",
        "Check the database, the machine and the desk.",
        """\
Changes nothing, and may run beside a desk.""",
    ),
    (_RUN, "schema", "database:schema", "Print the database's schema as SQL.", None),
    (
        _RUN,
        "completion",
        "completion:completion",
        "Complete commands in your shell.",
        """\
Examples:
  paperdesk completion bash >> ~/.bashrc
  paperdesk completion zsh > "${fpath[1]}/_paperdesk"
  paperdesk completion fish > ~/.config/fish/completions/paperdesk.fish""",
    ),
    (
        _TRADE,
        "buy",
        "trade:buy",
        "Buy shares at the current price.",
        """\
Examples:
  paperdesk buy AAPL 10
  paperdesk buy BRK.B 0.5 --strategy value --note "first tranche\"""",
    ),
    (
        _TRADE,
        "sell",
        "trade:sell",
        "Sell shares at the current price.",
        """\
Examples:
  paperdesk sell AAPL 5
  paperdesk sell AAPL 5 --json""",
    ),
    (
        _TRADE,
        "order",
        "order:order",
        "Place an order that waits for its price.",
        """\
A limit, a stop, both, or a trailing stop; with --take-profit and --stop-loss
the exits come with it. What does not go together is refused.

Examples:
  paperdesk order buy AAPL 10 --limit 185 --tif gtc
  paperdesk order buy AAPL 10 --limit 185 --take-profit 210 --stop-loss 175
  paperdesk order sell AAPL 10 --limit 210 --stop-loss 175 --oco
  paperdesk order sell AAPL 10 --trail 5%
  paperdesk order buy AAPL --notional 500""",
    ),
    (_TRADE, "orders", "orders:orders", "Open orders; cancel and replace them.", None),
    (
        _TRADE,
        "close",
        "order:close",
        "Close a position, or all, at the market.",
        """\
Examples:
  paperdesk close AAPL
  paperdesk close AAPL 50%
  paperdesk close AAPL --cancel-orders
  paperdesk close --all""",
    ),
    (
        _TRADE,
        "split",
        "corporate:split",
        "Book a split, or a reverse split.",
        """\
Examples:
  paperdesk split AAPL 4:1
  paperdesk split AAPL 1:10 --in-lieu 1050 --every-account""",
    ),
    (
        _TRADE,
        "dividend",
        "corporate:dividend",
        "Book a dividend.",
        """\
Examples:
  paperdesk dividend AAPL 0.26
  paperdesk dividend AAPL 0.26 --reinvest-at 190.5""",
    ),
    (
        _TRADE,
        "rename",
        "corporate:rename",
        "Book a change of a stock's symbol.",
        """\
Examples:
  paperdesk rename FB META --every-account""",
    ),
    (
        _TRADE,
        "spinoff",
        "corporate:spinoff",
        "Book a spin-off.",
        """\
Examples:
  paperdesk spinoff GE GEV 1:4 25.2 --in-lieu 140""",
    ),
    (
        _TRADE,
        "actions",
        "actions:actions",
        "Book the corporate actions of a file.",
        """\
A row has kind (split, dividend, symbol_change or spin_off), ticker, what its
kind needs, and effective_at or key, by which it is booked once. Such a file:

  kind,ticker,numerator,denominator,per_share,effective_at
  split,AAPL,4,1,,2020-08-31T04:00:00Z
  dividend,AAPL,,,0.205,2020-11-12T05:00:00Z

Examples:
  paperdesk actions actions.csv --every-account""",
    ),
    (
        _TRADE,
        "replay",
        "replay:replay",
        "Book a file of past trades, each exactly once.",
        """\
Works on the database itself: on SQLite, stop the desk first.
Columns, in any order: ticker, side, quantity, price, executed_at;
and if you like fee, account, strategy, id.

Examples:
  paperdesk replay trades.csv
  paperdesk replay trades.jsonl --account momentum --skip-bad rejected.jsonl""",
    ),
    (
        _TRADE,
        "basket",
        "jobs:basket",
        "Many orders at once, from a file or a command.",
        """\
A row has ticker, side, quantity or notional, and what else an order has.
It is estimated, and booked by `paperdesk job start`; with --auto at once.

Examples:
  paperdesk basket orders.csv
  paperdesk basket "buy $500 of every ticker in my watchlist"
  paperdesk basket "sell half of everything" --auto
  paperdesk basket orders.csv --auto --rejects rejected.csv""",
    ),
    (
        _TRADE,
        "import",
        "trades_import:import_trades",
        "Book a broker's file, each row exactly once.",
        """\
It is estimated, and booked by `paperdesk job start`; with --auto at once.
What the desk cannot know it asks; an option is the answer.

Examples:
  paperdesk import activity.csv
  paperdesk import activity.csv --auto --rejects rejected.csv
  paperdesk import rejected.csv --auto
  paperdesk import german.csv --column at=Datum --column ticker=Symbol --column quantity=Anzahl""",
    ),
    (_TRADE, "job", "jobs:job", "One job: start, pause, retry, undo it.", None),
    (_TRADE, "cash", "cash:cash", "What came and went; deposits, fees, interest.", None),
    (_TRADE, "account", "account:account", "Accounts, and how their orders fill.", None),
    (
        _TRADE,
        "webhook",
        "webhook:webhook",
        "Webhooks: the doors that alerts come in through.",
        None,
    ),
    (_TRADE, "signal", "signals:signal", "One signal; approve, decline and replay it.", None),
    (_TRADE, "killswitch", "killswitch:killswitch", "Stop all signals at once.", None),
    (
        _LOOK,
        "portfolio",
        "look:portfolio",
        "Cash, positions, and what they are worth.",
        """\
Examples:
  paperdesk portfolio
  paperdesk portfolio --json | jq .total_value""",
    ),
    (
        _LOOK,
        "performance",
        "performance:performance",
        "Returns, risk, and what each stock made.",
        """\
Examples:
  paperdesk performance
  paperdesk performance --range 1y --benchmark SPY
  paperdesk performance --start 2026-01-01T00:00:00Z --end 2026-04-01T00:00:00Z
  paperdesk performance --strategy momentum --json | jq .twr""",
    ),
    (
        _LOOK,
        "attribution",
        "attribution:attribution",
        "What each strategy, or each source of trades, made.",
        """\
Examples:
  paperdesk attribution
  paperdesk attribution --by source --range 1m""",
    ),
    (
        _LOOK,
        "trades",
        "look:trades",
        "What was traded, newest first.",
        """\
Examples:
  paperdesk trades --ticker AAPL --limit 5
  paperdesk trades --strategy momentum
  paperdesk trades --all --json > trades.json""",
    ),
    (
        _LOOK,
        "journal",
        "look:journal",
        "Every entry of the journal, with its hash.",
        """\
Examples:
  paperdesk journal
  paperdesk journal --table cash_movements
  paperdesk journal --all --json > journal.json""",
    ),
    (
        _LOOK,
        "audit",
        "audit:audit",
        "Who did what, newest first.",
        """\
Examples:
  paperdesk audit
  paperdesk audit --account default --action order.
  paperdesk audit --actor command_line --since 2026-11-22T00:00:00Z
  paperdesk audit --all --json > audit.json""",
    ),
    (
        _LOOK,
        "export",
        "export:export",
        "Trades, positions, ledger or snapshots as a file.",
        """\
Amounts are exact, times are UTC. In CSV and XLSX a text that looks like a
formula has an apostrophe before it.

Examples:
  paperdesk export trades
  paperdesk export trades --from 2026-01-01T00:00:00Z --ticker AAPL
  paperdesk export ledger --format jsonl
  paperdesk export snapshots --out history.xlsx""",
    ),
    (_LOOK, "jobs", "jobs:jobs", "Jobs, and how far they are.", None),
    (_LOOK, "signals", "signals:signals", "What came through the webhooks; replay it.", None),
    (_LOOK, "watchlist", "look:watchlist", "The watchlist; add and remove stocks.", None),
    (
        _LOOK,
        "prices",
        "prices:prices",
        "Current prices, once or as they change.",
        """\
Examples:
  paperdesk prices
  paperdesk prices AAPL MSFT
  paperdesk prices AAPL --watch""",
    ),
    (
        _LOOK,
        "rankings",
        "research:rankings",
        "Which stocks score highest in their domains.",
        """\
Examples:
  paperdesk rankings
  paperdesk rankings AI/Tech
  paperdesk rankings AI/Tech --limit 20 --json""",
    ),
    (
        _LOOK,
        "rescore",
        "rescore:rescore",
        "Fetch and score the ranked stocks now.",
        """\
Otherwise it is done at each interval. It needs a key with the scope admin.

Examples:
  paperdesk rescore
  paperdesk rescore AI/Tech EV""",
    ),
    (
        _LOOK,
        "backfill",
        "backfill:backfill",
        "Fetch minute bars of the past.",
        """\
What is there is left as it is. It needs a key with the scope admin, and prices from Massive.

Examples:
  paperdesk backfill AAPL MSFT
  paperdesk backfill AAPL --from 2026-11-02 --to 2026-11-06""",
    ),
    (_LOOK, "stock", "research:stock", "The ranked stocks: follow, move and list them.", None),
    (_LOOK, "domain", "research:domain", "Domains, whose stocks are ranked together.", None),
)


def build() -> App:
    """Return the command line with all commands, none of them imported."""
    result = App(
        name="paperdesk",
        help=_HELP,
        help_format="plaintext",
        help_epilogue=EXIT_CODES,
        version=__version__,
        print_error=False,
        exit_on_error=False,
    )
    for flag in ("--help", "--version"):
        result[flag].group = _OPTIONS
    for order, (group, name, target, summary, epilogue) in enumerate(_COMMANDS):
        # A command that is itself an App brings its own examples.
        extra = {"help_epilogue": epilogue} if epilogue else {}
        result.command(
            f"paperdesk.cli.{target}",
            name=name,
            help=summary,
            group=group,
            sort_key=order,
            **extra,
        )
    return result


app: Final = build()


def usage_failure(error: CycloptsError) -> CommandFailed:
    """Return the failure that says in one line what is wrong with the arguments."""
    if isinstance(error, UnknownCommandError) and error.app is app:
        # Cyclopts would import every command to find the one that was meant.
        wrong = error.unused_tokens[0] if error.unused_tokens else ""
        near = get_close_matches(wrong, [name for _, name, *_ in _COMMANDS], n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        message = f"There is no command `{wrong}`.{hint}"
    else:
        message = str(error)
    return CommandFailed(f"{message} Try `paperdesk --help`.", Exit.USAGE)
