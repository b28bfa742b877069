#!/usr/bin/env python3
"""What Prometheus needs to see a meter: at each scrape the registers are read and given out as metrics.

    exporter.py PORT METER_PORT STATIONS

Station N is the 32-bit float in input registers 2N and 2N + 1 of unit 1.
"""

import struct
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from pymodbus.client import ModbusTcpClient

PORT, METER, STATIONS = (int(argument) for argument in sys.argv[1:4])
CLIENT = ModbusTcpClient("127.0.0.1", port=METER)


def flows() -> str:
    words = CLIENT.read_input_registers(0, count=2 * STATIONS, device_id=1).registers
    values = [struct.unpack(">f", struct.pack(">HH", *words[2 * n : 2 * n + 2]))[0] for n in range(STATIONS)]
    return "# TYPE flow gauge\n" + "".join(
        f'flow{{station="s{number}"}} {value}\n' for number, value in enumerate(values)
    )


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        text = flows().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_arguments):
        pass


CLIENT.connect()
HTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
