from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from pellucid.errors import ConfigError
from pellucid.service.serve import listen

from ..faults import fault


def test_a_taken_address_is_told():
    with listen("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match="choose another"):
        listen("127.0.0.1", taken.getsockname()[1])


@fault("server", "the default address", "127.0.0.1 only")
def test_the_command_serves_this_machine_only_until_interrupted():
    command = [sys.executable, "-m", "pellucid", "web", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = re.search(r"http://\S+", process.stderr.readline())
            assert address and address[0].startswith("http://127.0.0.1:")
            with urllib.request.urlopen(f"{address[0]}/healthz", timeout=20) as answer:
                assert json.load(answer) == {"status": "alive"}
            with pytest.raises(OSError):
                port = int(address[0].rpartition(":")[2])
                socket.create_connection(("127.0.0.2", port), 1)  # another address of this machine
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(15) in (0, 130)
