#!/usr/bin/env python3
"""Checks that the simulated meters do what the tests believe of them, byte by byte, over raw sockets.

Run by `./run test` before the tests that rely on it. BASEFLOW_SOCAT and BASEFLOW_METER_C name the tools
for the serial line and the libmodbus peer; without them those two checks are skipped.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import tty
import unittest
from pathlib import Path

HERE = Path(__file__).parent
SETUP = [
    {"set": {"unit": 1, "table": "input", "address": 100, "type": "f32", "order": "cdab", "value": 0.612}},
    {"set": {"unit": 1, "table": "holding", "address": 0, "words": [1, 2, 3, 65535]}},
    {"set": {"unit": 1, "table": "coil", "address": 0, "words": [1, 0, 1, 1, 0, 0, 0, 0, 1]}},
    {"counter": {"unit": 2, "table": "input", "address": 0, "type": "u32", "start": 65535}},
]


def crc(data: bytes) -> bytes:
    """Modbus CRC-16, low byte first, written here again so that it is not the meter's own."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return struct.pack("<H", value)


class Meter:
    """A running meter.py, its log and a connection to it."""

    def __init__(self, *arguments):
        handle, self.log_path = tempfile.mkstemp()
        os.close(handle)
        command = [sys.executable, HERE / "meter.py", *arguments, "--log", self.log_path]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]
        for command in SETUP:
            self.tell(command)

    def tell(self, command) -> dict:
        print(json.dumps(command), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def log(self) -> list[dict]:
        return [json.loads(line) for line in Path(self.log_path).read_text().splitlines()]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=0.4)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=5)
        self.process.stdout.close()
        os.unlink(self.log_path)


def receive(line: socket.socket) -> bytes | None:
    """What arrives next; nothing at a time-out, empty when the other side closed."""
    try:
        return line.recv(1024)
    except TimeoutError:
        return None


def tcp(tid, unit, function, address, count) -> bytes:
    return struct.pack(">HHHBBHH", tid, 0, 6, unit, function, address, count)


def tcp_reply(tid, unit, function, payload: bytes) -> bytes:
    return struct.pack(">HHHBBB", tid, 0, 3 + len(payload), unit, function, len(payload)) + payload


def rtu(unit, function, address, count) -> bytes:
    frame = struct.pack(">BBHH", unit, function, address, count)
    return frame + crc(frame)


def rtu_reply(unit, function, payload: bytes) -> bytes:
    frame = struct.pack(">BBB", unit, function, len(payload)) + payload
    return frame + crc(frame)


class OverTcp(unittest.TestCase):
    def setUp(self):
        self.meter = Meter("tcp")
        self.addCleanup(self.meter.close)
        self.line = self.meter.connect()
        self.addCleanup(self.line.close)

    def ask(self, *request) -> bytes | None:
        self.line.sendall(tcp(*request))
        return receive(self.line)

    def fault(self, kind, **settings):
        self.assertEqual(self.meter.tell({"fault": {"unit": 1, "kind": kind, **settings}}), {"ok": True})

    def test_registers_and_bits_read_as_set(self):
        low, high = struct.pack(">f", 0.612)[2:], struct.pack(">f", 0.612)[:2]
        self.assertEqual(self.ask(1, 1, 4, 100, 2), tcp_reply(1, 1, 4, low + high))
        self.assertEqual(self.ask(2, 1, 3, 0, 4), tcp_reply(2, 1, 3, struct.pack(">4H", 1, 2, 3, 65535)))
        self.assertEqual(self.ask(3, 1, 1, 0, 9), tcp_reply(3, 1, 1, b"\x0d\x01"))

    def test_a_counter_gives_each_read_its_own_value_and_the_log_has_it(self):
        self.assertEqual(self.ask(1, 2, 4, 0, 2), tcp_reply(1, 2, 4, struct.pack(">I", 65535)))
        self.assertEqual(self.ask(2, 2, 4, 0, 2), tcp_reply(2, 2, 4, struct.pack(">I", 65536)))
        given = [entry["words"] for entry in self.meter.log() if "words" in entry]
        self.assertEqual(given, [[0, 65535], [1, 0]])

    def test_two_requests_in_one_segment_are_both_answered(self):
        self.line.sendall(tcp(1, 2, 4, 0, 2) + tcp(2, 1, 3, 0, 1))
        expected = tcp_reply(1, 2, 4, struct.pack(">I", 65535)) + tcp_reply(2, 1, 3, b"\x00\x01")
        got = b""
        while len(got) < len(expected):
            got += receive(self.line) or self.fail(f"only {got.hex()}")
        self.assertEqual(got, expected)

    def test_what_is_not_there_is_an_exception_or_silence(self):
        self.assertEqual(self.ask(1, 1, 3, 0, 5)[7:], b"\x83\x02")
        self.assertEqual(self.ask(2, 1, 6, 0, 126)[7:], b"\x86\x01")
        self.assertIsNone(self.ask(3, 9, 3, 0, 1))
        self.assertIsNone(self.ask(4, 1, 3, 0, 126))
        events = [e["event"] for e in self.meter.log() if "event" in e]
        self.assertEqual(events, ["connect", "not_a_read", "unknown_unit", "unreadable"])

    def test_silent_for_two_requests_then_well(self):
        self.fault("silent", count=2)
        self.assertIsNone(self.ask(1, 1, 3, 0, 1))
        self.assertIsNone(self.ask(2, 1, 3, 0, 1))
        self.assertEqual(self.ask(3, 1, 3, 0, 1), tcp_reply(3, 1, 3, b"\x00\x01"))
        self.assertEqual([e.get("words") for e in self.meter.log()[1:]], [None, None, [1]])

    def test_a_fault_stays_on_its_unit_until_cleared(self):
        self.fault("silent")
        self.assertIsNone(self.ask(1, 1, 3, 0, 1))
        self.assertIsNotNone(self.ask(2, 2, 4, 0, 2))
        self.fault(None)
        self.assertIsNotNone(self.ask(3, 1, 3, 0, 1))

    def test_delay(self):
        self.fault("delay", ms=200, count=1)
        began = time.monotonic()
        self.assertEqual(self.ask(1, 1, 3, 0, 1), tcp_reply(1, 1, 3, b"\x00\x01"))
        self.assertGreater(time.monotonic() - began, 0.19)

    def test_a_delayed_reply_comes_after_a_later_request(self):
        self.fault("delay", ms=200, count=1)
        self.line.sendall(tcp(1, 1, 3, 0, 1))
        self.assertEqual(self.ask(2, 1, 3, 1, 1), tcp_reply(2, 1, 3, b"\x00\x02"))
        self.assertEqual(receive(self.line), tcp_reply(1, 1, 3, b"\x00\x01"))

    def test_a_reply_to_a_closed_connection_is_logged_as_lost(self):
        self.fault("delay", ms=200, count=1)
        self.line.sendall(tcp(1, 1, 3, 0, 1))
        time.sleep(0.05)
        self.line.close()
        time.sleep(0.3)
        self.assertEqual([e.get("lost") for e in self.meter.log()], [None, None, True])

    def test_exception(self):
        self.fault("exception", code=6, count=1)
        self.assertEqual(self.ask(1, 1, 3, 0, 1)[7:], b"\x83\x06")
        self.assertEqual(self.meter.log()[-1]["exception"], 6)

    def test_short(self):
        self.fault("short", count=2)
        self.assertEqual(self.ask(1, 1, 3, 0, 4), tcp_reply(1, 1, 3, struct.pack(">2H", 1, 2)))
        self.assertEqual(self.meter.log()[-1]["words"], [1, 2])
        self.assertEqual(self.ask(2, 1, 1, 0, 9), tcp_reply(2, 1, 1, b"\x0d"))

    def test_truncated(self):
        self.fault("truncated", count=1)
        whole = tcp_reply(1, 1, 3, struct.pack(">4H", 1, 2, 3, 65535))
        self.assertEqual(self.ask(1, 1, 3, 0, 4), whole[: len(whole) // 2])

    def test_wrong_unit_transaction_and_function(self):
        self.fault("wrong_unit", count=1)
        self.assertEqual(self.ask(1, 1, 3, 0, 1), tcp_reply(1, 2, 3, b"\x00\x01"))
        self.fault("wrong_transaction", count=1)
        self.assertEqual(self.ask(2, 1, 3, 0, 1), tcp_reply(3, 1, 3, b"\x00\x01"))
        self.fault("wrong_function", count=1)
        self.assertEqual(self.ask(4, 1, 3, 0, 1), tcp_reply(4, 1, 4, b"\x00\x01"))

    def test_garbage(self):
        self.fault("garbage", count=1)
        noise = self.ask(1, 1, 3, 0, 1)
        self.assertEqual(noise.hex(), self.meter.log()[-1]["frame"])

    def test_close(self):
        self.fault("close", count=1)
        self.assertEqual(self.ask(1, 1, 3, 0, 1), b"")
        self.line.close()
        self.line = self.meter.connect()
        self.addCleanup(self.line.close)
        self.assertIsNotNone(self.ask(2, 1, 3, 0, 1))

    def test_extra_late(self):
        self.fault("extra_late", ms=100, count=1)
        reply = tcp_reply(1, 1, 3, b"\x00\x01")
        self.assertEqual(self.ask(1, 1, 3, 0, 1), reply)
        self.assertEqual(receive(self.line), reply)
        self.assertEqual([e.get("fault") for e in self.meter.log()], [None, None, "extra_late"])

    def test_late_twice(self):
        self.fault("late_twice", ms=50, count=1)
        late, reply = tcp_reply(1, 1, 3, b"\x00\x01"), tcp_reply(2, 1, 3, b"\x00\x01")
        self.assertEqual(self.ask(1, 1, 3, 0, 1), late)
        both = self.ask(2, 1, 3, 0, 1)
        while len(both) < len(late + reply):
            both += receive(self.line)
        self.assertEqual(both, late + reply)
        self.assertEqual(self.ask(3, 1, 3, 0, 1), tcp_reply(3, 1, 3, b"\x00\x01"))

    def test_bad_commands_are_answered_and_change_nothing(self):
        for command in (
            {"set": {"unit": 1, "table": "inputs", "address": 0, "words": [1]}},
            {"set": {"unit": 1, "table": "input", "address": 0, "words": [70000]}},
            {"set": {"unit": 1, "table": "input", "address": 0, "type": "u16", "value": -1}},
            {"set": {"unit": 1, "table": "input", "address": 0, "type": "u32", "order": "ab", "value": 1}},
            {"fault": {"unit": 1, "kind": "bad_crc"}},
            {"fault": {"unit": 1, "kind": "sleepy"}},
            {"dance": {}},
            {},
        ):
            self.assertFalse(self.meter.tell({"id": 7, **command})["ok"], command)
        self.assertEqual(self.meter.tell({"id": 7, "stats": {}})["faults"], {})


class RtuOverTcp(unittest.TestCase):
    def setUp(self):
        self.meter = Meter("rtu-over-tcp")
        self.addCleanup(self.meter.close)
        self.line = self.meter.connect()
        self.addCleanup(self.line.close)

    def ask(self, *request) -> bytes | None:
        self.line.sendall(rtu(*request))
        return receive(self.line)

    def test_reads_and_bad_crc(self):
        good = rtu_reply(1, 3, b"\x00\x01")
        self.assertEqual(self.ask(1, 3, 0, 1), good)
        self.meter.tell({"fault": {"unit": 1, "kind": "bad_crc", "count": 1}})
        self.assertEqual(self.ask(1, 3, 0, 1), good[:-1] + bytes([good[-1] ^ 0xFF]))
        self.assertEqual(self.ask(1, 3, 0, 1), good)

    def test_a_late_reply_looks_like_the_next_one(self):
        self.meter.tell({"fault": {"unit": 1, "kind": "delay", "ms": 600, "count": 1}})
        self.assertIsNone(self.ask(1, 3, 0, 1))
        self.line.settimeout(2)
        both = rtu_reply(1, 3, b"\x00\x01") + rtu_reply(1, 3, b"\x00\x02")
        got = self.ask(1, 3, 1, 1) or b""
        while len(got) < len(both) and (more := receive(self.line)):
            got += more
        self.assertEqual(got, both)


@unittest.skipUnless(os.environ.get("BASEFLOW_SOCAT"), "no socat")
class SerialLine(unittest.TestCase):
    def test_reads_over_a_pair_of_pseudo_terminals(self):
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = f"{folder}/ours", f"{folder}/theirs"
            ends = [f"pty,raw,echo=0,link={end}" for end in (ours, theirs)]
            socat = subprocess.Popen([os.environ["BASEFLOW_SOCAT"], *ends])
            self.addCleanup(socat.wait)
            self.addCleanup(socat.terminate)
            deadline = time.monotonic() + 5
            while not (os.path.exists(ours) and os.path.exists(theirs)):
                self.assertLess(time.monotonic(), deadline, "socat made no pseudo-terminals")
                time.sleep(0.01)
            meter = Meter("rtu", "--device", theirs, "--baud", "9600")
            self.addCleanup(meter.close)
            line = os.open(ours, os.O_RDWR | os.O_NOCTTY)
            self.addCleanup(os.close, line)
            tty.setraw(line)
            attributes = termios.tcgetattr(line)
            attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 0, 10
            termios.tcsetattr(line, termios.TCSANOW, attributes)
            expected = rtu_reply(1, 3, struct.pack(">4H", 1, 2, 3, 65535))
            os.write(line, rtu(1, 3, 0, 4))
            got = b""
            while len(got) < len(expected) and (more := os.read(line, 256)):
                got += more
            self.assertEqual(got, expected)


@unittest.skipUnless(os.environ.get("BASEFLOW_METER_C"), "no libmodbus peer")
class Libmodbus(unittest.TestCase):
    def test_registers_read_as_its_table_says(self):
        process = subprocess.Popen(
            [os.environ["BASEFLOW_METER_C"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        port = json.loads(process.stdout.readline())["port"]
        with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
            for function, address, form, order, value in (
                (4, 0, ">H", "ab", 54321),
                (4, 1, ">h", "ab", -1234),
                (4, 2, ">I", "abcd", 3000000000),
                (4, 4, ">i", "cdab", -123456789),
                (4, 6, ">f", "abcd", 0.75),
                (4, 8, ">f", "cdab", 1.25),
                (4, 10, ">f", "badc", -12.5),
                (4, 12, ">f", "dcba", 2700.5),
                (4, 14, ">Q", "abcdefgh", 1234567890123456789),
                (4, 18, ">q", "ghefcdab", -9876543210),
                (4, 22, ">d", "abcdefgh", 3.141592653589793),
                (4, 26, ">d", "hgfedcba", -0.001),
                (3, 100, ">H", "ab", 0x1234),
                (3, 101, ">I", "abcd", 0x12345678),
            ):
                size = struct.calcsize(form)
                line.sendall(tcp(1, 1, function, address, size // 2))
                wire = line.recv(1024)[9:]
                letters = "abcdefgh"[:size]
                big_endian = bytes(wire[order.index(letter)] for letter in letters)
                self.assertEqual(struct.unpack(form, big_endian), (value,), (function, address))
            line.sendall(tcp(2, 1, 1, 0, 4))
            self.assertEqual(line.recv(1024)[9:], b"\x05")
            line.sendall(tcp(3, 1, 2, 0, 4))
            self.assertEqual(line.recv(1024)[9:], b"\x0a")


if __name__ == "__main__":
    unittest.main()
