"""A receiver of other servers' events, as somebody would write it who never saw Livetape.

Prints its port, then one JSON object for each request: where it came, its fields, and what is wrong with it.
Refuses the first request at each path in the way of that path's server, so that each has a second attempt.
"""

import hashlib
import json
import os.path
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "testkey123"
TENCENT = {
    1: {"app", "appid", "appname", "channel_id", "errcode", "errmsg", "event_time", "event_type", "height", "idc_id",
        "node", "sequence", "set_id", "sign", "stream_id", "stream_param", "t", "user_ip", "width"},
    100: {"app", "appid", "appname", "callback_ext", "channel_id", "duration", "end_time", "end_time_usec", "event_type",
          "file_format", "file_id", "file_size", "media_start_time", "record_bps", "record_file_id", "record_temp_id",
          "sign", "start_time", "start_time_usec", "stream_id", "stream_param", "t", "task_id", "video_id", "video_url"},
    332: {"appid", "appname", "domain", "event_time", "event_type", "record_detail", "record_event", "seq", "session_id",
          "sign", "stream_id", "t"},
    341: {"appid", "domain", "event_type", "exception", "exception_level", "file_format", "interface", "path",
          "session_id", "sign", "stream_id", "t", "timestamp"},
}
TENCENT[0] = TENCENT[1] | {"push_duration"}
SRS = {"server_id", "service_id", "action", "client_id", "ip", "vhost", "app", "tcUrl", "stream", "param", "stream_url",
       "stream_id"}
SRS_MORE = {"on_publish": set(), "on_unpublish": set(), "on_dvr": {"cwd", "file"},
            "on_hls": {"duration", "cwd", "file", "url", "m3u8", "m3u8_url", "seq_no"}}
NGINX = ["app", "flashver", "swfurl", "tcurl", "pageurl", "addr", "clientid", "call"]
NGINX_MORE = {"publish": ["name", "type"], "publish_done": ["name"], "record_done": ["recorder", "name", "path"]}


def tencent(fields):
    t = fields.get("t")
    if not isinstance(t, int) or not 590 <= t - time.time() <= 601:
        yield f"t is {t!r}"
    if fields.get("sign") != hashlib.md5(f"{KEY}{t}".encode()).hexdigest():
        yield "sign is wrong"
    expected = TENCENT[fields["event_type"]]
    if fields["event_type"] == 332 and json.loads(fields["record_detail"])["start_model"] == 5:
        expected = expected | {"task_id"}
    if set(fields) != expected:
        yield f"fields differ: {sorted(set(fields) ^ expected)}"
    for nested in ["callback_ext", "record_detail"]:
        if nested in fields and not isinstance(json.loads(fields[nested]), dict):
            yield f"{nested} is no object"
    if fields["event_type"] == 100 and not time.time() - 60 < fields["start_time"] <= fields["end_time"]:
        yield "the times do not agree"


def srs(fields):
    if set(fields) != SRS | SRS_MORE[fields["action"]]:
        yield f"fields differ: {sorted(set(fields) ^ (SRS | SRS_MORE[fields['action']]))}"
    if fields["param"] and not fields["param"].startswith("?"):
        yield "param has lost its ?"
    if "file" in fields and not os.path.exists(os.path.join(fields["cwd"], fields["file"])):
        yield f"there is no {fields['file']} in {fields['cwd']}"


def nginx(pairs):
    names = [name for name, _ in pairs]
    fields = dict(pairs)
    expected = NGINX + NGINX_MORE[fields["call"]]
    if names[: len(expected)] != expected:
        yield f"fields are {names}"
    if any(names.count(name) > 1 for name in expected):
        yield f"a field comes twice: {names}"
    if "path" in fields and not os.path.isfile(fields["path"]) and not os.path.isdir(os.path.dirname(fields["path"])):
        yield f"there is no {fields['path']}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    refused = set()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode("utf-8", "strict")
        kind = self.headers["content-type"]
        if self.path == "/nginx":
            pairs = urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True, errors="strict")
            fields, wrong = dict(pairs), list(nginx(pairs))
            wrong += [] if kind == "application/x-www-form-urlencoded" else [f"it is {kind}"]
        else:
            fields = json.loads(body)
            wrong = list((tencent if self.path == "/tencent" else srs)(fields))
            wrong += [] if kind == "application/json" else [f"it is {kind}"]
        with self.lock:
            first = self.path not in self.refused
            self.refused.add(self.path)
            seen = {"path": self.path, "id": self.headers["webhook-id"], "fields": fields, "wrong": wrong, "first": first}
            print(json.dumps(seen), flush=True)
        # Tencent takes 200 alone, SRS nothing without a code, nginx-rtmp any 2xx.
        status, answer = {"/tencent": (202, b""), "/srs": (200, b""), "/nginx": (302, b"")}[self.path] if first else {
            "/tencent": (200, b""), "/srs": (200, b'{"code":0}'), "/nginx": (204, b"")}[self.path]
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
# It ends with the test that holds its input.
threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
server.serve_forever()
