#!/usr/bin/env python3
"""The way of a reading, shown on one machine: simulated meters → agents → Mosquitto → server → pages and API.

Run by `./run demo`, which builds the two binaries and names the tools. Everything happens in a new folder under
the system's temporary one, on free loopback ports, with passwords made for this run; Ctrl-C stops all of it.

    demo.py --bin DIR --mosquitto FILE [--once]
"""

import argparse
import datetime
import decimal
import json
import math
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unicodedata
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
METER = HERE.parent.parent / "tests/peers/meter.py"
MOSQUITTO = HERE.parent / "mosquitto"
SERVER = "baseflow-ingest"
USER = "duty"


class Failed(Exception):
    """Something that the demonstration needs did not come about; its text is for the person who started it."""


# ---------------------------------------------------------------- the stations


def wave(mean: float, share: float, seconds: float, now: float) -> float:
    """A value that swings round its mean, with a little noise."""
    swing = math.sin(now * 2 * math.pi / seconds) + 0.1 * math.sin(now * 7.3) + 0.05 * math.sin(now * 23.1)
    return mean * (1 + share * swing)


def luming(now):
    flow = wave(0.82, 0.06, 90, now)
    return [
        register(1, "input", 100, "f32", "abcd", flow * 3600),
        register(1, "input", 110, "u16", None, round(wave(24.3, 0.01, 40, now) * 100)),
    ]


def hongshi(now):
    flow = wave(5.6, 0.04, 120, now)
    return [
        register(3, "holding", 20, "u32", "abcd", round(flow * 1000)),
        register(3, "holding", 22, "i16", None, round(flow * 1900)),
    ]


def shuangshu(now):
    flow = wave(0.47, 0.1, 60, now)
    return [
        register(1, "holding", 0, "f32", "cdab", flow * 3600),
        register(1, "holding", 4, "f32", "cdab", flow / 0.196),
    ]


def register(unit, table, address, kind, order, value):
    return {
        "unit": unit, "table": table, "address": address, "type": kind, "order": order, "value": value,
    }  # fmt: skip


GATEWAYS = {"gw-luming": luming, "gw-hongshi": hongshi, "gw-shuangshu": shuangshu}
GAUGES = [
    ("BF-620721-04", "鹿鸣滩(示例)", "release-meter", "m3/s"),
    ("BF-620721-04", "鹿鸣滩(示例)", "cabinet-voltage", "V"),
    ("BF-620721-03", "红石湾(示例)", "eco-turbine-flow", "m3/s"),
    ("BF-620721-03", "红石湾(示例)", "eco-turbine-power", "kW"),
    ("BF-620722-01", "双树坪(示例)", "release-meter", "m3/s"),
    ("BF-620722-01", "双树坪(示例)", "pipe-velocity", "m/s"),
]


class Meter:
    """One simulated station, whose registers are set from here."""

    def __init__(self, demo, name, values):
        self.name, self.values = name, values
        command = [sys.executable, METER, "tcp"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = demo.start(f"{name}.meter", command, **pipes)
        ready = self.process.stdout.readline()
        if not ready:
            raise Failed(f"the simulated meter of {name} did not start")
        self.port = json.loads(ready)["port"]
        for unit, table in {(one["unit"], one["table"]) for one in values(0)}:
            # An agent may read across small holes, so there are none.
            self.tell({"fill": {"unit": unit, "table": table, "address": 0, "count": 200}})

    def turn(self, now):
        """Set the registers to what the river does at this moment."""
        self.tell({"set": self.values(now)})

    def tell(self, command):
        print(json.dumps(command), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        if not answer["ok"]:
            raise Failed(f"the simulated meter of {self.name}: {answer['error']}")


# ---------------------------------------------------------------- processes and files


def free_port(wanted: int = 0) -> int:
    """The wanted port if nobody has it, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise Failed("no free port on 127.0.0.1")


def at_ports(settings: str, ports: dict[int, int]) -> str:
    """Settings with other ports on 127.0.0.1; their comments stay as they are."""
    lines = settings.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("#"):
            for old, new in ports.items():
                line = line.replace(f"127.0.0.1:{old}\"", f"127.0.0.1:{new}\"")
            lines[number] = line
    return "".join(lines)

class Demo:
    def __init__(self, binaries: Path, mosquitto: str):
        self.server, self.agent, self.mosquitto = binaries / "baseflow", binaries / "baseflow-edge", mosquitto
        self.folder = Path(tempfile.mkdtemp(prefix="baseflow-demo-"))
        self.running: list[tuple[str, subprocess.Popen]] = []
        self.mqtt, self.http = free_port(1883), free_port(8080)
        self.token = self.password = ""

    def start(self, name, command, **pipes) -> subprocess.Popen:
        """Start a process in a session of its own, so that Ctrl-C here is answered here."""
        with open(self.folder / f"{name}.log", "wb") as log:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": log, **pipes}
            process = subprocess.Popen(
                command, cwd=self.folder, stderr=log, start_new_session=True, **pipes
            )
        self.running.append((name, process))
        return process

    def stop(self):
        """Stop what was started: agents first, then the server, the meters and the broker."""
        order = {".agent": 0, ".server": 1, ".meter": 2, ".broker": 3}
        for name, process in sorted(self.running, key=lambda one: order[Path(one[0]).suffix]):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=12)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    print(f"{name} did not stop within 12 s and was killed", file=sys.stderr)

    def check(self):
        """Fail where something has ended by itself."""
        for name, process in self.running:
            if process.poll() is not None:
                log = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
                tail = "\n    ".join(log[-15:])
                raise Failed(f"{name} ended with {process.returncode}; the end of its log:\n    {tail}")

    def wait_for(self, what: str, ready, seconds: float):
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise Failed(f"{what} did not come within {seconds:.0f} s")
            time.sleep(0.1)

    def write(self, name: str, text: str):
        (self.folder / name).write_text(text)

    def secret(self, account: str):
        """A password for an account: its file for the client, its hash for the broker."""
        password = secrets.token_hex(16)
        path = self.folder / f"{account}.password"
        path.touch(mode=0o600)
        path.write_text(password)
        maker = shutil.which("mosquitto_passwd", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin")
        if not maker:
            raise Failed("mosquitto_passwd is missing; it comes with Mosquitto")
        accounts = self.folder / "baseflow.passwd"
        accounts.touch(mode=0o600)
        subprocess.run([maker, "-b", accounts, account, password], check=True)

    def command(self, *arguments) -> str:
        """Run a command of the server's binary and give back what it printed."""
        call = [self.server, *arguments, "--config", "baseflow.toml"]
        done = subprocess.run(call, cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            shown = " ".join(["baseflow", *arguments])
            raise Failed(f"`{shown}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    # the parts, in the order of the stream

    def start_broker(self):
        """Mosquitto with the shipped rules; the address and the files alone are the demonstration's."""
        for account in (SERVER, *GATEWAYS):
            self.secret(account)
        shutil.copy(MOSQUITTO / "baseflow.acl", self.folder)
        settings = (MOSQUITTO / "baseflow.conf").read_text()
        settings = settings.replace("listener 1883 ", f"listener {self.mqtt} ")
        settings = settings.replace("/etc/mosquitto/baseflow.", f"{self.folder}/baseflow.")
        settings += f"\npersistence_location {self.folder}/\n"
        if os.geteuid() == 0:
            settings += "user root\n"  # another user could not read the folder
        self.write("mosquitto.conf", settings)
        self.start("mosquitto.broker", [self.mosquitto, "-c", "mosquitto.conf"])
        self.wait_for("the broker", lambda: answers(self.mqtt), 10)

    def start_agent(self, meter: Meter):
        name = meter.name
        ports = {1883: self.mqtt, 502: meter.port, 8090: free_port()}
        self.write(f"{name}.toml", at_ports((HERE / f"{name}.toml").read_text(), ports))
        self.start(f"{name}.agent", [self.agent, "run", "--config", f"{name}.toml"])

    def start_server(self):
        ports = {1883: self.mqtt, 8080: self.http, 9464: free_port(9464)}
        self.write("baseflow.toml", at_ports((HERE / "baseflow.toml").read_text(), ports))
        shutil.copy(HERE / "registry.toml", self.folder)
        self.command("registry", "import", "registry.toml")
        self.token = self.command("token", "add", "--name", "demo", "--role", "viewer")
        self.password = self.command("user", "add", USER, "--role", "duty")
        self.start("baseflow.server", [self.server, "run", "--config", "baseflow.toml"])
        self.wait_for("the server's API", lambda: answers(self.http), 20)
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.http}/", timeout=5).close()
        except urllib.error.HTTPError as refused:
            raise Failed("the server was built without its pages; `./run pages` builds them") from refused

    # what the API says

    def get(self, path: str) -> dict:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/api/v1{path}")
        request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer, parse_float=str)  # values as the API printed them

    def latest(self, station: str, gauge: str) -> dict | None:
        """The newest sample of the last two minutes."""
        now = datetime.datetime.now(datetime.timezone.utc)
        since = (now - datetime.timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        samples = self.get(f"/gauges/{station}/{gauge}/samples?from={since}&limit=10000")["samples"]
        return max(samples, key=lambda sample: sample["at"]) if samples else None

    def table(self) -> list[tuple]:
        return [(*gauge, self.latest(gauge[0], gauge[2])) for gauge in GAUGES]

    def verdicts(self) -> list[tuple]:
        """The newest hour of each station that owes water, once anything is said of it, in the order of the values."""
        rows, order = [], [station for station, *_ in GAUGES]
        for station in sorted(self.get("/stations")["stations"], key=lambda one: order.index(one["id"])):
            if any(section["required"] for section in station["sections"]):
                hours = self.get(f"/stations/{station['id']}/verdicts?by=hour")["verdicts"]
                rows.extend((station["id"], station["name"], hour) for hour in hours[-1:])
        return rows


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


# ---------------------------------------------------------------- what is shown


def pad(text: str, width: int) -> str:
    """Padded to a width in columns: a Chinese character takes two."""
    columns = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return text + " " * max(0, width - columns)


def rounded(value: str | None) -> str:
    """With three decimals, so that a column can be read down."""
    return "-" if value is None else str(decimal.Decimal(value).quantize(decimal.Decimal("0.001")))


def show(rows: list[tuple]):
    print(f"\n{pad('station', 32)}{pad('gauge', 20)}{'value':>12}  unit  at (UTC)")
    for station, name, gauge, unit, sample in rows:
        value, at = ("-", "") if sample is None else (rounded(sample["value"]), sample["at"])
        print(f"{pad(station, 16)}{pad(name, 16)}{pad(gauge, 20)}{value:>12}  {pad(unit, 6)}{at}")
    sys.stdout.flush()


def show_verdicts(demo: Demo):
    """What the hour is so far, of each station that owes water."""
    rows = demo.verdicts()
    if rows:
        print(f"\n{pad('station', 32)}{pad('hour from (UTC)', 24)}{pad('verdict', 24)}{'mean m3/s':>10}{'owed m3/s':>11}")
    for station, name, verdict in rows:
        word = f"{verdict['verdict']} so far" if verdict["provisional"] else verdict["verdict"]
        observed, required = rounded(verdict["observed"]), rounded(verdict["required"])
        print(
            f"{pad(station, 16)}{pad(name, 16)}{pad(verdict['from'], 24)}{pad(word, 24)}"
            f"{observed:>10}{required:>11}"
        )
    sys.stdout.flush()


def show_address(demo: Demo):
    pages = f"http://127.0.0.1:{demo.http}"
    address = f"{pages}/api/v1"
    print(f"""
pages    {pages}/    (log in as {USER} with {demo.password}, which is made for this run)
API      {address}    ({address}/openapi.json describes it)
try      curl -H 'Authorization: Bearer {demo.token}' {address}/stations
         curl -H 'Authorization: Bearer {demo.token}' '{address}/stations/BF-620721-04/verdicts?by=hour'
files    {demo.folder}    (settings and logs of each part; removed at the end)
stop     Ctrl-C""")


def run(demo: Demo, once: bool):
    meters = [Meter(demo, name, values) for name, values in GATEWAYS.items()]

    def go_on():
        demo.check()
        for meter in meters:
            meter.turn(time.time())

    go_on()
    demo.start_broker()
    demo.start_server()
    for meter in meters:
        demo.start_agent(meter)

    print("waiting for the first values …", flush=True)
    deadline = time.monotonic() + 60
    rows = demo.table()
    while any(sample is None for *_, sample in rows):
        if time.monotonic() > deadline:
            show(rows)
            raise Failed("not every gauge had a value within 60 s")
        time.sleep(0.5)
        go_on()
        rows = demo.table()
    show(rows)
    if once:
        return
    show_address(demo)

    shown_at = time.monotonic()
    while True:
        time.sleep(1)
        go_on()
        if time.monotonic() - shown_at >= 5:
            show(demo.table())
            show_verdicts(demo)
            shown_at = time.monotonic()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bin", type=Path, required=True, help="the folder of baseflow and baseflow-edge")
    parser.add_argument("--mosquitto", required=True, help="the broker's binary")
    parser.add_argument("--once", action="store_true", help="show the values once, then stop")
    args = parser.parse_args()

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    # a shell that starts it in the background has switched this off
    signal.signal(signal.SIGINT, signal.default_int_handler)
    demo = Demo(args.bin.resolve(), args.mosquitto)
    keep = False
    try:
        run(demo, args.once)
    except KeyboardInterrupt:
        print("\nstopping …")
    except (Failed, OSError, urllib.error.URLError, subprocess.CalledProcessError) as failure:
        keep = True
        print(f"\n{failure}\n\nThe settings and logs of this run stay in {demo.folder}", file=sys.stderr)
    finally:
        demo.stop()
        if not keep:
            shutil.rmtree(demo.folder, ignore_errors=True)
    return 1 if keep else 0


if __name__ == "__main__":
    sys.exit(main())
