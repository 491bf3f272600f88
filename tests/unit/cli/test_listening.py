"""Where a desk may listen, and what happens when it cannot."""

import socket

import pytest

from paperdesk.cli.client import desk_url, is_loopback, url_of
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.serve import listen, may_listen
from paperdesk.errors import SettingsError
from paperdesk.settings import Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_a_desk_without_keys_may_listen_on_loopback(host: str) -> None:
    assert may_listen(host, has_key=False)


EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound to it


@pytest.mark.parametrize(
    "host", [EVERYWHERE, "::", "192.168.1.2", "", "localhost.evil.example", "example.com"]
)
def test_beyond_loopback_it_takes_a_key(host: str) -> None:
    assert not may_listen(host, has_key=False)
    assert may_listen(host, has_key=True)
    assert not is_loopback(host)


def test_a_port_in_use_is_refused_before_anything_starts() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(CommandFailed, match=f"Port {port} on 127.0.0.1 cannot be used") as info:
            listen("127.0.0.1", port)

    assert info.value.exit_code is Exit.REFUSED


def test_a_host_that_is_not_known_is_refused_in_a_sentence() -> None:
    with pytest.raises(CommandFailed, match="cannot be used"):
        listen("no-such-host.invalid", 8000)


def test_localhost_is_the_address_that_every_client_tries() -> None:
    with listen("localhost", 0) as listener:
        assert listener.family == socket.AF_INET


def test_the_client_looks_where_serve_listens() -> None:
    assert desk_url(Settings()) == "http://127.0.0.1:8000"
    assert desk_url(Settings(port=9000)) == "http://127.0.0.1:9000"
    assert desk_url(Settings(port=9000, url="https://desk.example/")) == "https://desk.example"
    assert desk_url(Settings(host=EVERYWHERE, port=9000)) == "http://127.0.0.1:9000"
    assert url_of("::1", 9000) == "http://[::1]:9000"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://a", "http://", "http://a:b", "http://[a"])
def test_an_address_that_is_none_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError, match="PAPERDESK_URL"):
        desk_url(Settings(url=url))
