#!/usr/bin/env python3
"""A simulated meter station that nobody of this project wrote the protocol of.

Framing, decoding, encoding and transport are pymodbus; this file adds registers that can be scripted,
faults, and a log of every word that was given out.

    meter.py tcp [--host H] [--port N]            Modbus TCP, port 0 picks a free one
    meter.py rtu-over-tcp [--host H] [--port N]   RTU frames on a TCP connection
    meter.py rtu --device PATH [--baud N] [--parity N|E|O]

It prints {"ready": true, "port": N} once it listens, then answers each command read from standard input
(one JSON object a line) with {"ok": true} or {"ok": false, "error": "…"}. A command is in force when its
answer is printed. It stops at the end of its standard input (unless --stay), so it never outlives a test.
`--setup FILE` runs commands from a file before listening. tests/peers/README.md describes commands and log.
"""

import argparse
import asyncio
import itertools
import json
import logging
import os
import random
import signal
import struct
import sys
import threading
import time
from collections import defaultdict

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FramerType
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import ExceptionResponse
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

TABLES = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
BITS = ("coil", "discrete")
OTHER_FUNCTION = {1: 2, 2: 1, 3: 4, 4: 3}
FAULTS = {
    "silent", "delay", "exception", "short", "truncated", "wrong_unit", "wrong_transaction",
    "wrong_function", "garbage", "bad_crc", "close", "extra_late", "late_twice",
}  # fmt: skip
STRUCTS = {
    "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "f32": "f", "f64": "d",
}  # fmt: skip


class CommandError(Exception):
    """A command that cannot be carried out; its text is the answer."""


# ---------------------------------------------------------------- values and words


def words_of(kind: str, value, order: str | None) -> list[int]:
    """The register words of a value.

    `order` names the bytes as they stand on the wire, `a` the most significant: `abcd`, `cdab`, `badc`, `dcba`,
    and for 64 bits `abcdefgh`, `ghefcdab`, …
    """
    if kind == "bool":
        return [1 if value else 0]
    try:
        if kind in ("bcd16", "bcd32"):
            raw = bytes.fromhex(f"{value:0{4 if kind == 'bcd16' else 8}d}")
        else:
            raw = struct.pack(">" + STRUCTS[kind], value)
    except (KeyError, struct.error, ValueError, TypeError, OverflowError) as exc:
        raise CommandError(f"cannot write {value!r} as {kind!r}: {exc}") from exc
    letters = "abcdefgh"[: len(raw)]
    order = order or letters
    if sorted(order) != sorted(letters):
        raise CommandError(f"order {order!r} does not fit {kind}: it names each of {letters!r} once")
    shuffled = bytes(raw[letters.index(letter)] for letter in order)
    return [int.from_bytes(shuffled[i : i + 2], "big") for i in range(0, len(shuffled), 2)]


class Counter:
    """A value that goes one step further with each read."""

    def __init__(self, kind, order, start, step):
        self.kind, self.order, self.value, self.step = kind, order, start, step

    def words(self) -> list[int]:
        return words_of(self.kind, self.value, self.order)

    def advance(self):
        self.value = (not self.value) if self.kind == "bool" else self.value + self.step
        try:
            self.words()
        except CommandError:  # past the type's end: begin again
            self.value = 0


class Sequence:
    """Given values, one for each read; after the last one it stays there, or begins again with `loop`."""

    def __init__(self, kind, order, values, loop):
        self.kind, self.order, self.values, self.loop, self.at = kind, order, values, loop, 0

    def words(self) -> list[int]:
        return words_of(self.kind, self.values[self.at], self.order)

    def advance(self):
        last = len(self.values) - 1
        self.at = self.at + 1 if self.at < last else (0 if self.loop else last)


class Table:
    """One table of one unit. An address that was never set does not exist: reading it is exception 2."""

    def __init__(self):
        self.words: dict[int, int] = {}
        self.generators: dict[int, Counter | Sequence] = {}

    def put(self, address: int, words: list[int]):
        for offset, word in enumerate(words):
            if not 0 <= address + offset <= 0xFFFF or not 0 <= word <= 0xFFFF:
                raise CommandError(f"no register {address + offset} or no word {word}")
            self.words[address + offset] = word

    def read(self, address: int, count: int) -> list[int] | None:
        """The words, or nothing where one is not defined. Generators whose first word was read advance."""
        try:
            given = [self.words[a] for a in range(address, address + count)]
        except KeyError:
            return None
        for at, generator in self.generators.items():
            if address <= at < address + count:
                generator.advance()
                self.put(at, generator.words())
        return given


# ---------------------------------------------------------------- the station


class Station:
    """All units behind one line: registers, faults, counts and the log."""

    def __init__(self, log_path: str | None, framing: str):
        self.units: dict[int, dict[str, Table]] = {}
        self.faults: dict[int, dict] = {}
        self.requests: dict[int, int] = {}
        self.framing = framing
        # of a unit and length, what comes once more in place of its next answer, on whatever connection
        self.copies: dict[tuple[int, int], tuple] = {}
        self.noise = random.Random(212)
        self.lines: set[Line] = set()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.log_fd = os.open(log_path, flags, 0o644) if log_path else None

    def log(self, entry: dict):
        """Append one line with one write, so that what a killed station leaves is whole lines."""
        if self.log_fd is not None:
            entry = {"ms": time.time_ns() // 1_000_000, **entry}
            os.write(self.log_fd, (json.dumps(entry, separators=(",", ":")) + "\n").encode())

    def table(self, unit: int, name: str) -> Table:
        if name not in TABLES.values():
            raise CommandError(f"no table {name!r}: coil, discrete, holding or input")
        if not 0 <= unit <= 255:
            raise CommandError(f"no unit {unit}")
        tables = self.units.setdefault(unit, {name: Table() for name in TABLES.values()})
        return tables[name]

    def take_fault(self, unit: int) -> dict | None:
        """The fault for this request, counted down."""
        fault = self.faults.get(unit)
        if fault and fault["count"] is not None:
            fault["count"] -= 1
            if fault["count"] <= 0:
                del self.faults[unit]
        return fault

    # what pymodbus asks of a data store

    async def async_getValues(self, unit, function, address, count):  # noqa: N802
        table = TABLES[function]
        words = self.units[unit][table].read(address, count)
        if words is None:
            return ExcCodes.ILLEGAL_ADDRESS
        return [bool(word) for word in words] if table in BITS else words

    # commands

    def command(self, line: bytes) -> dict:
        """Carry out one line and say how it went; `id` comes back as given."""
        answer = {}
        try:
            body = json.loads(line)
            if not isinstance(body, dict):
                raise CommandError("a command is a JSON object")
            if "id" in body:
                answer["id"] = body.pop("id")
            known = {"set", "fill", "drop", "counter", "sequence", "fault", "say", "stats"}
            if len(body) != 1 or not set(body) <= known:
                raise CommandError(f"one of {sorted(known)} a line, not {sorted(body)}")
            ((name, what),) = body.items()
            for one in what if isinstance(what, list) else [what]:
                answer.update(getattr(self, f"do_{name}")(**one) or {})
            return {"ok": True, **answer}
        except (CommandError, TypeError, ValueError, KeyError) as exc:
            return {"ok": False, "error": str(exc), **answer}

    def do_set(self, unit, table, address, words=None, type=None, order=None, value=None):
        if words is None:
            words = words_of(type, value, order)
        elif type is not None or value is not None:
            raise CommandError("either words, or type and value")
        target = self.table(unit, table)
        target.put(address, words)
        for at in range(address, address + len(words)):
            target.generators.pop(at, None)

    def do_fill(self, unit, table, address, count, word=0):
        self.do_set(unit, table, address, [word] * count)

    def do_drop(self, unit):
        self.units.pop(unit, None)

    def do_counter(self, unit, table, address, type, order=None, start=0, step=1):
        self.generate(unit, table, address, Counter(type, order, start, step))

    def do_sequence(self, unit, table, address, type, values, order=None, loop=False):
        if not values:
            raise CommandError("a sequence needs values")
        self.generate(unit, table, address, Sequence(type, order, values, loop))

    def generate(self, unit, table, address, generator):
        self.do_set(unit, table, address, generator.words())
        self.table(unit, table).generators[address] = generator

    def do_fault(self, unit, kind, ms=0, code=4, count=None, rtt=0, bytes=""):
        if kind is None:
            self.faults.pop(unit, None)
            return
        if kind not in FAULTS:
            raise CommandError(f"no fault {kind!r}: one of {sorted(FAULTS)}")
        if kind == "bad_crc" and self.framing == "tcp":
            raise CommandError("Modbus TCP has no CRC")
        if kind == "wrong_transaction" and self.framing != "tcp":
            raise CommandError("RTU has no transaction id")
        if kind == "close" and self.framing == "rtu":
            raise CommandError("a serial line cannot be closed by the meter")
        if count is not None and count < 1:
            raise CommandError("count is 1 or more, or null for always")
        self.faults[unit] = {"kind": kind, "ms": ms, "code": code, "count": count, "rtt": rtt, "bytes": bytes}

    def do_say(self, unit=None, table=None, words=None, bytes=None):
        """Say something that nobody asked for on every connection: an RTU answer, or any bytes."""
        if self.framing == "tcp":
            raise CommandError("by Modbus TCP nobody speaks unasked")
        if bytes is not None:
            frame = bytearray.fromhex(bytes)
        else:
            function = next(code for code, name in TABLES.items() if name == table)
            values = b"".join(word.to_bytes(2, "big") for word in words)
            frame = bytearray([unit, function, len(values)]) + values
            frame += FramerRTU.compute_CRC(frame).to_bytes(2, "big")
        self.log({"event": "unasked", "frame": frame.hex()})
        for line in self.lines:
            line.write(frame)

    def do_stats(self):
        requests = {str(unit): n for unit, n in self.requests.items()}
        faults = {str(unit): f["kind"] for unit, f in self.faults.items()}
        return {"requests": requests, "faults": faults}


# ---------------------------------------------------------------- the line


class Line(ServerRequestHandler):
    """One connection (or the serial line): requests in, replies out, faults between."""

    numbers = itertools.count(1)

    def __init__(self, owner, station: Station):
        super().__init__(owner, None, None, None)
        self.station = station
        self.conn = next(self.numbers)
        self.tasks: set[asyncio.Task] = set()
        # a unit behind a serial line does one thing after the other
        self.turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def callback_connected(self):
        super().callback_connected()
        self.station.lines.add(self)
        self.station.log({"event": "connect", "conn": self.conn})

    def callback_disconnected(self, exc):
        super().callback_disconnected(exc)
        self.station.lines.discard(self)
        self.station.log({"event": "disconnect", "conn": self.conn})

    def callback_data(self, data, addr=None):
        """Take every whole request out of `data`; says how many bytes were used."""
        used = 0
        while used < len(data):
            try:
                step, request = self.framer.handleFrame(data[used:], 0, 0)
            except ModbusIOException as exc:
                self.note({"event": "unreadable", "bytes": data[used:].hex(), "error": str(exc)})
                return len(data)
            used += step
            if request:
                self.keep(self.take_turn(request))
            if not step:
                break
        return used

    def keep(self, work):
        """Do it beside everything else."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def again(self, delay, request, response):
        """Say once more what was answered."""
        await asyncio.sleep(delay)
        self.give(request, response, "extra_late")

    async def take_turn(self, request):
        """Answer a request, on a serial line after those before it."""
        if self.station.framing == "tcp":
            await self.answer(request)
            return
        async with self.turns[request.dev_id]:
            await self.answer(request)

    async def answer(self, request):
        """Answer one request as its unit's fault allows."""
        unit, function = request.dev_id, request.function_code
        station = self.station
        station.requests[unit] = station.requests.get(unit, 0) + 1
        if unit not in station.units:
            self.note({"event": "unknown_unit", "unit": unit, "function": function})
            return  # as on a bus: nobody there
        if function not in TABLES:
            self.note({"event": "not_a_read", "unit": unit, "function": function})
            refusal = ExceptionResponse(function, ExcCodes.ILLEGAL_FUNCTION, unit)
            refusal.transaction_id = request.transaction_id
            self.write(self.framer.buildFrame(refusal))
            return
        fault = station.take_fault(unit)
        kind, delay = (fault["kind"], fault["ms"] / 1000) if fault else (None, 0)

        if kind == "silent":
            self.note(self.asked(request) | {"fault": kind})
            return
        if kind == "close":
            self.note(self.asked(request) | {"fault": kind})
            self.close()
            return
        if kind == "exception":
            self.give(request, ExceptionResponse(function, fault["code"]), kind)
            return
        response = await self.respond(request)
        if kind == "garbage":
            noise = bytes.fromhex(fault["bytes"]) or station.noise.randbytes(9)
            self.note(self.asked(request) | {"fault": kind, "frame": noise.hex()})
            self.write(noise)
        elif kind == "delay":
            await asyncio.sleep(delay)
            self.give(request, response, kind)
        elif kind == "late_twice":
            await asyncio.sleep(delay)
            self.give(request, response, kind)
            station.copies[unit, len(self.framer.buildFrame(response))] = (request, response)
        elif kind == "extra_late":
            await asyncio.sleep(fault["rtt"] / 1000)
            self.give(request, response)
            # a repeater's doing: its unit answers the next question meanwhile
            self.keep(self.again(delay, request, response))
        elif isinstance(response, ExceptionResponse):
            self.give(request, response)
        else:
            self.give(request, response, kind)

    async def respond(self, request):
        """What pymodbus answers, from the station's registers."""
        if request.address + request.count > 0x10000:
            return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_ADDRESS)
        return await request.datastore_update(self.station, request.dev_id)

    def give(self, request, response, fault=None):
        """Log what will be given out, then send it."""
        response.transaction_id, response.dev_id = request.transaction_id, request.dev_id
        if copied := self.station.copies.pop((request.dev_id, len(self.framer.buildFrame(response))), None):
            self.give(*copied, "late_twice")
        if fault == "wrong_unit":
            response.dev_id = request.dev_id % 247 + 1
        elif fault == "wrong_transaction":
            response.transaction_id = (request.transaction_id + 1) & 0xFFFF
        elif fault == "wrong_function":
            response.function_code = OTHER_FUNCTION[request.function_code]
        elif fault == "short":
            shorten(response)
        frame = self.framer.buildFrame(response)
        if fault == "truncated":
            frame = frame[: len(frame) // 2]
        elif fault == "bad_crc":
            frame = frame[:-1] + bytes([frame[-1] ^ 0xFF])

        entry = self.asked(request)
        if self.gone():
            self.note(entry | {"lost": True} | ({"fault": fault} if fault else {}))
            return
        if isinstance(response, ExceptionResponse):
            entry["exception"] = int(response.exception_code)
        elif fault != "truncated":
            entry["words"] = given_words(request, response)
            del entry["count"]
        if fault:
            entry["fault"] = fault
            entry["frame"] = frame.hex()
        self.note(entry)
        self.write(frame)

    def gone(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def write(self, frame: bytes):
        if not self.gone():
            self.transport.write(frame)

    def note(self, entry: dict):
        self.station.log({"conn": self.conn, **entry})

    @staticmethod
    def asked(request) -> dict:
        return {
            "unit": request.dev_id, "table": TABLES[request.function_code],
            "address": request.address, "count": request.count,
        }  # fmt: skip


def shorten(response):
    """Fewer words than asked for, in a frame that is sound otherwise."""
    if response.registers:
        response.registers = response.registers[: len(response.registers) // 2]
    else:
        response.bits = response.bits[: (len(response.bits) - 1) // 8 * 8]


def given_words(request, response) -> list[int]:
    """The words in a reply; of coils and discrete inputs one 0 or 1 each."""
    if TABLES[request.function_code] in BITS:
        return [int(bit) for bit in response.bits[: request.count]]
    return list(response.registers)


# ---------------------------------------------------------------- running


def server_class(base):
    class Server(base):
        def __init__(self, station, **settings):
            placeholder = SimDevice(0, [SimData(0, datatype=DataType.REGISTERS)])
            super().__init__(placeholder, **settings)
            self.station = station

        def callback_new_connection(self):
            return Line(self, self.station)

    return Server


def make_server(args, station):
    if args.mode == "rtu":
        return server_class(ModbusSerialServer)(
            station, framer=FramerType.RTU, port=args.device, baudrate=args.baud, parity=args.parity,
        )  # fmt: skip
    framer = FramerType.SOCKET if args.mode == "tcp" else FramerType.RTU
    return server_class(ModbusTcpServer)(station, framer=framer, address=(args.host, args.port))


def say(answer: dict):
    print(json.dumps(answer), flush=True)


def read_commands(loop, station, stop, stay):
    """Standard input to commands, in a thread of its own: it may be a pipe, a file or a terminal."""
    pending = b""
    while chunk := os.read(0, 65536):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in filter(bytes.strip, lines):
            loop.call_soon_threadsafe(lambda line=line: say(station.command(line)))
    if not stay:
        loop.call_soon_threadsafe(stop.set)


async def run(args):
    station = Station(args.log, args.mode)
    if args.setup:
        with open(args.setup, "rb") as lines:
            for number, line in enumerate(lines, 1):
                answer = station.command(line) if line.strip() else {"ok": True}
                if not answer["ok"]:
                    sys.exit(f"{args.setup}:{number}: {answer['error']}")
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = make_server(args, station)
    await server.serve_forever(background=True)
    port = None if args.mode == "rtu" else server.transport.sockets[0].getsockname()[1]
    say({"ready": True, "port": port})
    reader = (loop, station, stop, args.stay)
    threading.Thread(target=read_commands, args=reader, daemon=True).start()
    await stop.wait()
    await server.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mode", choices=["tcp", "rtu", "rtu-over-tcp"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--device", help="serial device, for rtu")
    parser.add_argument("--baud", type=int, default=9600)
    parser.add_argument("--parity", choices=["N", "E", "O"], default="N")
    parser.add_argument("--log", help="append every reply to this file, one JSON object a line")
    parser.add_argument("--setup", help="commands to run before listening, one a line")
    parser.add_argument("--stay", action="store_true", help="do not stop when standard input ends")
    args = parser.parse_args()
    if (args.mode == "rtu") != bool(args.device):
        parser.error("--device goes with rtu, and rtu with --device")
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # our log has what matters
    asyncio.run(run(args))


if __name__ == "__main__":
    main()
