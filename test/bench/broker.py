"""What access control costs a Mosquitto broker: CPU time per delivery, and
per login, for several kinds of it, in turns, so that a busy machine is unfair
to all alike. Prints medians.

    make bench-broker
    make bench-broker BENCH='--subscribers 5000 --rounds 7
        --variants none,noop,loa-auth,acl16,dynsec'

  none      no access control at all
  noop      a plugin that allows everything
  loa-auth  the plugin of this repository
  acl16     acl_file with 16 patterns (and a password_file)
  dynsec    Mosquitto's dynamic-security plugin, one role of five rules
"""
import argparse
import base64
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
from loa_broker import Broker  # noqa: E402
from loa_identity import now_ms, new_root  # noqa: E402

AREA = "vn/08/070/02215"
TOPIC = f"loa/1/down/content/{AREA}"
FILTER = f"loa/1/down/+/{AREA}"
PASSWORD = "bench-password"
DYNSEC = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"


class Network:
    """The same people in every run; passwords are made for each."""

    def __init__(self, subscribers_n):
        self.root = new_root()
        province = self.root.authority("province_08", "vn/08")
        commune = province.authority("commune_02215", AREA)
        self.poles = [commune.device(f"pole_{i}", AREA)
                      for i in range(subscribers_n)]
        self.ingest = province.service("ingest_08", "content-ingest", "vn/08")

    def clients(self, signed):
        for who in self.poles + [self.ingest]:
            password = who.password() if signed else PASSWORD
            yield (f"{who.principal} {who.principal} {password} "
                   f"{FILTER if who is not self.ingest else '-'}\n")


def pbkdf2(salt, rounds):
    return hashlib.pbkdf2_hmac("sha512", PASSWORD.encode(), salt, rounds)


def password_file(network, path):
    salt = b"0123456789ab"
    text = "$7$101$%s$%s" % (base64.b64encode(salt).decode(),
                             base64.b64encode(pbkdf2(salt, 101)).decode())
    with open(path, "w", encoding="utf-8") as f:
        for who in network.poles + [network.ingest]:
            f.write(f"{who.principal}:{text}\n")


def acl16(network, folder):
    password_file(network, os.path.join(folder, "passwords"))
    kinds = ["alert", "programme", "content", "live", "command", "head",
             "trust", "ack"]
    with open(os.path.join(folder, "acl"), "w", encoding="utf-8") as f:
        for kind in ("state", "health", "receipt", "want"):
            f.write(f"pattern write loa/1/up/{kind}/+/+/+/+/@%u\n")
        for area in ("vn", "vn/08", "vn/08/070"):
            f.write(f"pattern read loa/1/down/+/{area}\n")
        f.write("pattern readwrite loa/1/rpc/+/+/+/+/+/@%u\n")
        for kind in kinds:
            f.write(f"pattern readwrite loa/1/down/{kind}/{AREA}\n")
    return (f"password_file {folder}/passwords\nacl_file {folder}/acl\n")


def dynsec(network, folder):
    salt = b"0123456789ab"
    secret = {"password": base64.b64encode(pbkdf2(salt, 101)).decode(),
              "salt": base64.b64encode(salt).decode(), "iterations": 101}

    def rule(kind, topic):
        return {"acltype": kind, "topic": topic, "priority": 0, "allow": True}

    config = {
        "defaultACLAccess": {k: False for k in (
            "publishClientSend", "publishClientReceive", "subscribe",
            "unsubscribe")},
        "roles": [{"rolename": "bench", "acls": [
            rule("publishClientSend", "loa/1/up/#"),
            rule("publishClientSend", "loa/1/down/content/#"),
            rule("publishClientReceive", "loa/1/rpc/#"),
            rule("publishClientReceive", "loa/1/down/#"),
            rule("subscribePattern", "loa/1/down/#")]}],
        "clients": [{"username": who.principal, "roles": [
            {"rolename": "bench"}], **secret}
            for who in network.poles + [network.ingest]],
    }
    path = os.path.join(folder, "dynsec.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    return f"plugin {DYNSEC}\nplugin_opt_config_file {path}\n"


def editor(variant, network, folder, build):
    """Turns the configuration of the plugin into that of another variant."""
    lines = {"none": lambda: "allow_anonymous true\n",
             "noop": lambda: f"plugin {build}/test/bench/noop_plugin.so\n",
             "acl16": lambda: acl16(network, folder),
             "dynsec": lambda: dynsec(network, folder)}[variant]()

    def edit(conf):
        kept = [x for x in conf.splitlines()
                if not x.startswith(("plugin", "allow_anonymous"))
                or variant != "none" and x.startswith("allow_anonymous")]
        return lines + "\n".join(kept) + "\n"
    return edit


def run_once(variant, network, args):
    folder = tempfile.mkdtemp(prefix="loa-bench-")
    edit = None
    if variant != "loa-auth":
        edit = editor(variant, network, folder, args.build)
    try:
        with Broker(network.root, folder=folder, edit=edit) as broker:
            clients = "".join(network.clients(variant == "loa-auth"))
            began = now_ms()
            out = subprocess.run(
                [os.path.join(args.build, "test/bench/mqtt_load"),
                 str(broker.port), str(broker.process.pid), TOPIC,
                 str(args.payload), str(args.seconds)],
                input=clients, text=True, stdout=subprocess.PIPE, check=True)
            assert now_ms() - began < 110000, "logins may have ended"
            return json.loads(out.stdout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def figures(run):
    n, d = run["clients"], run["delivered"]
    return {"user us/delivery": run["user_s"] / d * 1e6,
            "system us/delivery": run["sys_s"] / d * 1e6,
            "deliveries/s": d / run["seconds"],
            "user us/login": run["login_user_s"] / n * 1e6,
            "logins/s": n / run["login_s"]}


def main():
    a = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--build", default="build/plain")
    a.add_argument("--variants", default="none,noop,loa-auth")
    a.add_argument("--subscribers", type=int, default=1000)
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--seconds", type=float, default=4)
    a.add_argument("--payload", type=int, default=340, help="bytes")
    a.add_argument("--json", help="write every run to this file")
    args = a.parse_args()
    args.build = os.path.abspath(args.build)
    network = Network(args.subscribers)
    variants = args.variants.split(",")
    runs = {v: [] for v in variants}
    for _ in range(args.rounds):
        for v in variants:
            runs[v].append(figures(run_once(v, network, args)))
    print(f"{args.subscribers} subscribers, {args.payload} bytes, QoS 0, "
          f"MQTT 5; medians of {args.rounds} runs of {args.seconds} s "
          "[lowest..highest]")
    for name in runs[variants[0]][0]:
        for v in variants:
            x = [r[name] for r in runs[v]]
            digits = 2 if "delivery" in name else 0
            print(f"{name:20} {v:9} {statistics.median(x):10.{digits}f}  "
                  f"[{min(x):.{digits}f}..{max(x):.{digits}f}]")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(runs, f, indent=1)


if __name__ == "__main__":
    main()
