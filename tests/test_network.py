import subprocess
import sys

import pytest

from regimport.errors import InvalidOptions
from regimport.network import Pin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "r.example",
        "r.example:443",
        "r.example:0:192.0.2.1",
        "r.example:65536:192.0.2.1",
        "r.example:443:elsewhere",
        "r.example:443:192.0.2.1,",
        ":443:192.0.2.1",
    ],
)
def test_what_is_not_host_port_and_addresses_is_refused(text: str) -> None:
    with pytest.raises(InvalidOptions, match="invalid value for `resolve`"):
        Pin.parse(text)


def test_an_ipv6_address_may_be_in_brackets() -> None:
    assert Pin.parse("[2001:DB8::1]:443:[2001:db8::2],192.0.2.1") == Pin(
        "2001:db8::1", 443, ("2001:db8::2", "192.0.2.1")
    )


@pytest.mark.parametrize("text", ["r.example", "r.example:0:192.0.2.1"])
def test_options_are_checked_under_python_o_too(text: str) -> None:
    """Python leaves out every `assert` with `-O`."""
    code = (
        "import sys\n"
        "from regimport.network import Pin\n"
        "from regimport.errors import InvalidOptions\n"
        "try: Pin.parse(sys.argv[1])\n"
        "except InvalidOptions: print('refused')"
    )
    command = [sys.executable, "-O", "-c", code, text]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("refused", "")
