"""Makes one of Tencent's older calls as programs written for them do, and prints what is answered.

caller.py BASE KEY INTERFACE NAME=VALUE ...
"""
import hashlib
import json
import sys
import time
import urllib.parse
import urllib.request

base, key, interface, *pairs = sys.argv[1:]
t = str(int(time.time()) + 60)
query = {"appid": "1250000000", "interface": interface, "t": t, "sign": hashlib.md5((key + t).encode()).hexdigest()}
query.update(pair.split("=", 1) for pair in pairs)
with urllib.request.urlopen(f"{base}/common_access?{urllib.parse.urlencode(query)}", timeout=20) as answer:
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    print(json.dumps(json.load(answer)))
