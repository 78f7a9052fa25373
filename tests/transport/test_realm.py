from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.errors import AccessDenied
from regimport.transport.origins import Origin, check_realm

_PUBLIC, _PLAIN = "https://r.example", "http://r.example:5000"
_LOOPBACK, _LOOPBACK_TLS = "http://127.0.0.1:5000", "https://localhost:5000"
_PRIVATE, _LINK_LOCAL = "https://10.1.2.3", "http://169.254.7.7:5000"

_ALLOWED_REALMS = [
    (_PUBLIC, "https://r.example/token", "https://r.example/token"),
    (_PUBLIC, "https://auth.example/token?a=1", "https://auth.example/token?a=1"),
    (_PUBLIC, "https://auth.example:8443/token", "https://auth.example:8443/token"),
    (_PUBLIC, "HTTPS://auth.example/token", "https://auth.example/token"),
    (_PUBLIC, "https://auth.example/token#part", "https://auth.example/token"),
    (_PUBLIC, "/service/token", "https://r.example:443/service/token"),
    (_PUBLIC, "/token?service=r", "https://r.example:443/token?service=r"),
    (_PUBLIC, "https://10.0.0.1/token", "https://10.0.0.1/token"),
    (_PUBLIC, "https://172.16.0.9/token", "https://172.16.0.9/token"),
    (_PUBLIC, "https://192.168.1.1/token", "https://192.168.1.1/token"),
    (_PUBLIC, "https://8.8.8.8/token", "https://8.8.8.8/token"),
    (_PUBLIC, "https://[2001:db8::1]/token", "https://[2001:db8::1]/token"),
    (_PUBLIC, "https://[fd12::1]/token", "https://[fd12::1]/token"),
    (_PUBLIC, "https://127.0.0.1.example/token", "https://127.0.0.1.example/token"),
    (_PUBLIC, "https://localhost.example/token", "https://localhost.example/token"),
    (_PUBLIC, "https://0x7f.example/token", "https://0x7f.example/token"),
    # The registry's own host is spoken to with TLS, at the registry's own port, whatever it says.
    (_PUBLIC, "http://r.example/token", "https://r.example:443/token"),
    (_PUBLIC, "http://r.example:8080/token?a=1", "https://r.example:443/token?a=1"),
    (_PUBLIC, "http://R.EXAMPLE./token", "https://r.example:443/token"),
    (_LOOPBACK_TLS, "http://localhost:5000/token", "https://localhost:5000/token"),
    (_PUBLIC, "//auth.example/token", "https://auth.example/token"),
    (_PUBLIC, "//r.example/token", "https://r.example/token"),
    (_PLAIN, "//auth.example/token", "http://auth.example/token"),
    (_PLAIN, "http://r.example:5000/token", "http://r.example:5000/token"),
    (_PLAIN, "http://auth.example/token", "http://auth.example/token"),
    (_PLAIN, "https://auth.example/token", "https://auth.example/token"),
    (_PLAIN, "/token", "http://r.example:5000/token"),
    (_LOOPBACK, "http://127.0.0.1:5001/token", "http://127.0.0.1:5001/token"),
    (_LOOPBACK, "http://localhost:5001/token", "http://localhost:5001/token"),
    (_LOOPBACK, "http://[::1]:5001/token", "http://[::1]:5001/token"),
    (_LOOPBACK, "https://auth.example/token", "https://auth.example/token"),
    (_LOOPBACK_TLS, "https://127.0.0.1:5001/token", "https://127.0.0.1:5001/token"),
    (_PRIVATE, "https://10.1.2.4/token", "https://10.1.2.4/token"),
    (_LINK_LOCAL, "http://169.254.7.8/token", "http://169.254.7.8/token"),
    ("https://0x7f.1", "https://0x7f.1/token", "https://0x7f.1/token"),
]

_REFUSED_REALMS = [
    (_PUBLIC, "http://auth.example/token"),
    (_PUBLIC, "https://localhost/token"),
    (_PUBLIC, "https://LOCALHOST./token"),
    (_PUBLIC, "https://x.localhost/token"),
    (_PUBLIC, "https://127.0.0.1/token"),
    (_PUBLIC, "https://127.0.0.1./token"),
    (_PUBLIC, "https://127.255.255.254:8443/token"),
    (_PUBLIC, "https://[::1]/token"),
    (_PUBLIC, "https://[0:0:0:0:0:0:0:1]/token"),
    (_PUBLIC, "https://[::ffff:127.0.0.1]/token"),
    (_PUBLIC, "https://[::ffff:7f00:1]/token"),
    (_PUBLIC, "https://[2002:7f00:1::]/token"),
    (_PUBLIC, "https://[64:ff9b::7f00:1]/token"),
    (_PUBLIC, "https://[::127.0.0.1]/token"),
    (_PUBLIC, "https://169.254.169.254/latest/meta-data/"),
    (_PUBLIC, "https://169.254.170.2/v2/credentials"),
    (_PUBLIC, "https://[::ffff:169.254.169.254]/token"),
    (_PUBLIC, "https://[::ffff:a9fe:a9fe]/token"),
    (_PUBLIC, "https://[fe80::1]/token"),
    (_PUBLIC, "https://[fe80::1%25eth0]/token"),
    (_PUBLIC, "https://[fd00:ec2::254]/latest/"),
    (_PUBLIC, "https://100.100.100.200/latest/"),
    (_PUBLIC, "https://168.63.129.16/metadata"),
    (_PLAIN, "http://169.254.169.254/token"),
    (_LOOPBACK, "http://169.254.169.254/token"),
    (_PRIVATE, "https://169.254.169.254/token"),
    (_PRIVATE, "https://127.0.0.1/token"),
    (_PUBLIC, "https://0.0.0.0/token"),
    (_PUBLIC, "https://[::]/token"),
    (_PUBLIC, "https://[::ffff:0.0.0.0]/token"),
    (_PUBLIC, "https://224.0.0.1/token"),
    (_PUBLIC, "https://239.255.255.250/token"),
    (_PUBLIC, "https://[ff02::1]/token"),
    (_PUBLIC, "https://255.255.255.255/token"),
    (_PUBLIC, "https://240.0.0.1/token"),
    (_PUBLIC, "https://2130706433/token"),
    (_PUBLIC, "https://0x7f000001/token"),
    (_PUBLIC, "https://0X7F.0.0.1/token"),
    (_PUBLIC, "https://017700000001/token"),
    (_PUBLIC, "https://0177.0.0.1/token"),
    (_PUBLIC, "https://127.1/token"),
    (_PUBLIC, "https://127.0.1/token"),
    (_PUBLIC, "https://0/token"),
    (_PUBLIC, "https://2852039166/token"),
    (_PUBLIC, "https://0xa9.0xfe.0xa9.0xfe/token"),
    (_LOOPBACK, "http://2130706433/token"),
    ("https://0x7f.1", "https://0x7f.2/token"),
    (_PUBLIC, "https://user:password@auth.example/token"),
    (_PUBLIC, "https://user@auth.example/token"),
    (_PUBLIC, "https://@auth.example/token"),
    (_PUBLIC, "https://r.example@169.254.169.254/token"),
    (_PUBLIC, "https://r.example\\@attacker.example/token"),
    (_PUBLIC, "https://r.example:0/token"),
    (_PUBLIC, "https://r.example:99999/token"),
    (_PUBLIC, "//169.254.169.254/token"),
    (_PUBLIC, "//localhost/token"),
    (_PUBLIC, "//user@auth.example/token"),
    (_PUBLIC, "http://user:password@r.example/token"),
    (_LOOPBACK_TLS, "http://127.0.0.1:5000/token"),
    ("https://10.1.2.3", "http://10.1.2.4/token"),
    (_PUBLIC, "/\\auth.example/token"),
    (_PUBLIC, "token"),
    (_PUBLIC, ""),
    (_PUBLIC, "auth.example/token"),
    (_PUBLIC, "https:///token"),
    (_PUBLIC, "https:auth.example/token"),
    (_PUBLIC, "ftp://auth.example/token"),
    (_PUBLIC, "file:///etc/passwd"),
    (_PUBLIC, "javascript:alert(1)"),
    (_PUBLIC, "gopher://auth.example/"),
    (_PUBLIC, "https://auth.example/to ken"),
    (_PUBLIC, "https://auth.example/\r\nX: y"),
    (_PUBLIC, "ht\ntps://auth.example/token"),
    (_PUBLIC, " https://auth.example/token"),
    (_PUBLIC, "https://аuth.example/token"),  # noqa: RUF001 - a Cyrillic letter, on purpose
    (_PUBLIC, "https://１２７.0.0.1/token"),  # noqa: RUF001 - wide digits, on purpose
    (_PUBLIC, "https://%31%32%37.0.0.1/token"),
    (_PUBLIC, "https://[::1/token"),
]


@pytest.mark.parametrize(("registry", "realm", "url"), _ALLOWED_REALMS)
def test_a_realm_that_may_be_asked_is_given_as_an_absolute_url(
    registry: str, realm: str, url: str
) -> None:
    assert check_realm(realm, Origin.of(registry)) == url


@pytest.mark.parametrize(("registry", "realm"), _REFUSED_REALMS)
def test_a_realm_that_must_not_be_asked_is_refused(registry: str, realm: str) -> None:
    with pytest.raises(AccessDenied) as caught:
        check_realm(realm, Origin.of(registry))
    assert caught.value.hint
    assert "password" not in caught.value.message


@given(st.text() | st.text(alphabet=":/?#[]@%\\.1ax"))
def test_no_realm_raises_anything_but_access_denied(realm: str) -> None:
    for text in (realm, f"/{realm}", f"https://{realm}"):
        try:
            url = check_realm(text, Origin.of(_PUBLIC))
        except AccessDenied:
            continue
        assert url.startswith("https://")


@given(st.ip_addresses(v=4, network="127.0.0.0/8") | st.ip_addresses(v=4, network="169.254.0.0/16"))
def test_no_spelling_of_a_guarded_address_gets_through(address: IPv4Address) -> None:
    number = int(address)
    spellings = [
        str(address),
        str(number),
        hex(number),
        oct(number).replace("o", ""),
        f"[::ffff:{address}]",
    ]
    for host in spellings:
        with pytest.raises(AccessDenied):
            check_realm(f"https://{host}/token", Origin.of(_PUBLIC))
