#!/usr/bin/python3
"""A stand-in for journald: runs a command with its error output on a stream that the journal would read, takes what
comes over the native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) and prints each entry as a line of JSON.

Usage: journal.py SOCKET COMMAND...    (SOCKET: /run/systemd/journal/socket, as seen from here)
"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys


def fields(datagram):
    """KEY=value lines, and for values with line breaks KEY, a 64-bit length and the value."""
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        key, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + length], rest[8 + length + 1 :]
        yield key.decode(), value.decode()
        datagram = rest


path, command = sys.argv[1], sys.argv[2:]
os.makedirs(os.path.dirname(path), exist_ok=True)
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind(path)
read_end, write_end = os.pipe()
stream = os.fstat(write_end)
environment = dict(os.environ, JOURNAL_STREAM=f"{stream.st_dev}:{stream.st_ino}")
child = subprocess.Popen(command, stderr=write_end, env=environment)
os.close(write_end)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
journal.settimeout(0.2)
while True:
    try:
        datagram = journal.recv(1 << 18)
    except TimeoutError:
        if child.poll() is not None:
            break
        continue
    if datagram:
        print(json.dumps(dict(fields(datagram))), flush=True)
for line in os.fdopen(read_end):
    print(json.dumps({"_TRANSPORT": "stdout", "MESSAGE": line.rstrip()}), flush=True)
os.unlink(path)
