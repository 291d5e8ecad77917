"""What there is to attack at all: a loudspeaker's inputs, and what is in the
programs and files that everybody can read."""
import os
import re
import subprocess

import pytest

import loa_identity as li
from loa_broker import BUILD, ROOT_DIR
from speaker_rig import SPEAKER, Rig, speechlike

PROGRAMS = [os.path.join(BUILD, n) for n in (
    "loa-registry", "loa-content-ingest", "loa-scheduler",
    "loa-telemetry-collector", "loa-encode", "loa-speaker", "loactl",
    "loa-auth.so")]
LISTEN = "0A"
# By which bytes could reach a program that asks for none.
INPUT_CALLS = {"listen", "accept", "accept4", "recvfrom", "recvmsg", "mkfifo",
               "mkfifoat", "snd_pcm_readi", "snd_pcm_readn", "snd_seq_open",
               "snd_rawmidi_open", "popen", "system", "execve", "execv",
               "execvp", "posix_spawn", "dlopen", "curl_easy_perform",
               "uv_tcp_bind", "uv_udp_bind", "uv_pipe_bind", "uv_listen",
               "uv_spawn", "shm_open", "mq_open"}


# --- #4 #6 #8 #12, P4: the inputs of a loudspeaker --------------------------------

def sockets(pid):
    """{inode} of the process's sockets, and the targets of its other files."""
    inodes, files = set(), []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            to = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if to.startswith("socket:["):
            inodes.add(to[8:-1])
        else:
            files.append(to)
    return inodes, files


def lines(pid, table):
    with open(f"/proc/{pid}/net/{table}", encoding="ascii") as f:
        return [x.split() for x in f.read().splitlines()[1:]]


def test_inputs_of_a_loudspeaker():
    """P4 P5 #4 #6 #8 #12: one connection, which it opened itself, to its broker;
    no listening socket of any family, no datagrams, no pipe, no device that
    records; the same before, while and after it speaks."""
    with Rig() as rig:
        pole = rig.speaker("pole_1").wait_online()
        content = rig.content(speechlike(1.5))
        check_inputs(pole, rig.port)
        b = rig.bulletin(content, rig.soon(8))
        rig.publish_programme(pole.area, [b])
        rig.push(content, pole.area)
        pole.wait_receipt("STARTED", b.id)
        check_inputs(pole, rig.port)
        pole.wait_receipt("FINISHED", b.id)
        check_inputs(pole, rig.port)


def check_inputs(pole, port):
    pid = pole.process.pid
    inodes, files = sockets(pid)
    tcp = [x for t in ("tcp", "tcp6") for x in lines(pid, t)
           if x[9] in inodes]
    assert [x for x in tcp if x[3] == LISTEN] == []
    assert [int(x[2].split(":")[1], 16) for x in tcp] == [port]
    for table in ("udp", "udp6", "udplite", "raw", "raw6", "icmp"):
        assert [x for x in lines(pid, table) if x[9] in inodes] == [], table
    assert [x for x in lines(pid, "packet") if x[-1] in inodes] == []
    named = [x for x in lines(pid, "unix") if x[6] in inodes and len(x) > 7]
    assert named == []
    # Other files: its own folder, nothing that brings bytes from outside.
    inside = (pole.folder + "/", "anon_inode:", "/dev/null", "/proc/")
    own_pipe = [x for x in files if x.startswith("pipe:")]
    assert len(own_pipe) % 2 == 0, own_pipe      # both ends: libuv's wake-up
    assert [x for x in files if not x.startswith(inside)
            and x not in own_pipe] == []


def imported(path):
    out = subprocess.run(["nm", "-D", "-u", path], check=True,
                         capture_output=True, text=True).stdout
    return {x.split()[-1].split("@")[0] for x in out.splitlines()}


def test_loudspeaker_cannot_open_other_inputs():
    """P4 #4 #8: its program does not even import what would open one, and links
    nothing that reads a URL, a tuner or a microphone."""
    assert imported(SPEAKER) & INPUT_CALLS == set()
    needed = subprocess.run(["objdump", "-p", SPEAKER], check=True,
                            capture_output=True, text=True).stdout
    assert set(re.findall(r"NEEDED +lib([\w+-]+)\.so", needed)) <= {
        "uv", "mosquitto", "opus", "asound", "sodium", "protobuf-c", "m",
        "c", "pthread"}


# --- #7, P5: keys and secrets --------------------------------------------------------

# NAME=value as settings and environments have it, NAME = "value" as programs do.
SECRET = re.compile(
    rb"-----BEGIN[A-Z ]*PRIVATE KEY|(?:pass(?:word|wd)?|secret|token|api_?key)"
    rb"(?:=(?=\w)|[\"']? ?[=:] ?(?=[\"']\w))[\"']?\w[^\s\"'&|;,)(]{3,}"
    rb"(?![\w.]*\()", re.I)
# 32 bytes as text: hex, base64, base64url. A key, unless it is an alphabet.
KEY_TEXT = re.compile(
    rb"(?<![\w+/=-])(?:[0-9a-f]{64}|[\w-]{43}|[A-Za-z0-9+/]{43}=)(?![\w+/=-])")
KEY_BYTES = 32


def looks_random(text):
    """Not a name of a function, not an alphabet."""
    digits = sum(48 <= c < 58 for c in text)
    if len(text) == 64:
        return digits >= 10 and len(set(text)) >= 12
    upper, lower = sum(65 <= c < 91 for c in text), sum(97 <= c for c in text)
    return digits >= 2 and upper >= 6 and lower >= 6 and \
        len(set(text)) < len(text) and not re.search(rb"[a-z]{8}", text)


def without_texts(data):
    """Strings, Vietnamese ones too, become zeros."""
    chunks = data.split(b"\0")
    for i, c in enumerate(chunks):
        try:
            c.decode("utf-8")
            chunks[i] = bytes(len(c))
        except UnicodeDecodeError:
            pass
    return b"\0".join(chunks)


def raw_keys(data):
    """Places of 32 bytes as chance makes them: hardly one twice, half of them no
    letters, no steps in them. No text and no table of numbers is like that."""
    found = []
    for i in range(len(data) - KEY_BYTES + 1):
        w = data[i:i + KEY_BYTES]
        if len(set(w)) >= 26 and sum(c >= 128 for c in w) >= 8 and \
                sum(c == 0 for c in w) <= 1 and \
                len({(b - a) & 255 for a, b in zip(w, w[1:])}) >= 22:
            found.append(i)
    return found


def section(path, name, tmp):
    out = os.path.join(tmp, "section")
    subprocess.run(["objcopy", "-O", "binary", "--only-section", name, path,
                    out], check=True, capture_output=True)
    with open(out, "rb") as f:
        return f.read()


def secrets_of(path, tmp=None):
    """What in this file could be a key or a password."""
    with open(path, "rb") as f:
        data = f.read()
    found = [m.group()[:60] for m in SECRET.finditer(data)]
    found += [m.group() for m in KEY_TEXT.finditer(data)
              if looks_random(m.group())]
    if tmp is not None:
        for name in (".rodata", ".data"):
            body = section(path, name, tmp)
            found += [f"{name}+{i:#x}"
                      for i in raw_keys(without_texts(body))]
    return found


def deploy_files():
    out = subprocess.run(["git", "ls-files", "deploy", "schema", "proto",
                          "services", "devices", "broker-plugins", "Makefile",
                          "README.md", "docs"], cwd=ROOT_DIR, check=True,
                         capture_output=True, text=True).stdout
    return [os.path.join(ROOT_DIR, x) for x in out.splitlines()]


@pytest.mark.parametrize("path", PROGRAMS, ids=os.path.basename)
def test_no_key_in_a_program(path, tmp_path):
    """P5 #7: no private key, no default secret in what everybody can download."""
    assert secrets_of(path, str(tmp_path)) == []


def test_no_secret_in_what_is_delivered():
    """P5 #7: nor in the sources, the settings and the pages."""
    found = {p: s for p in deploy_files() if (s := secrets_of(p))}
    assert found == {}


def test_planted_keys_are_found(tmp_path):
    """The search itself: a key of each form, put where there is none."""
    key = li.blake2b(b"a key that is nobody's")[:32]
    for text in (b"-----BEGIN PRIVATE KEY-----", b"password=loa12345",
                 b'"password": "loa12345"', key.hex().encode(),
                 li.base64url(key).encode()):
        path = tmp_path / "conf"
        path.write_bytes(b"listener 1883\n" + text + b"\n")
        assert secrets_of(str(path)) != [], text
    source = tmp_path / "a.c"
    source.write_text("const unsigned char k[33] = {1," + ",".join(
        map(str, key)) + "};int main(void){return k[0];}")
    program = str(tmp_path / "a")
    subprocess.run(["cc", "-O0", "-o", program, str(source)], check=True)
    assert secrets_of(program, str(tmp_path)) != []


def test_keys_are_made_on_the_machine_and_private(tmp_path):
    """P5 #7: each new key differs, and only its owner can read the file."""
    keys = set()
    for name in ("a", "b"):
        path = tmp_path / (name + ".id")
        subprocess.run([os.path.join(BUILD, "loactl"), "key", "new",
                        str(path)], check=True, capture_output=True)
        assert path.stat().st_mode & 0o077 == 0
        keys.add(path.read_bytes())
    assert len(keys) == 2


# --- M11: the broker's version ---------------------------------------------------------

def test_version_of_the_broker_is_the_one_stated():
    """M11: docs/security.md names the package that all this was tested with."""
    version = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "mosquitto"], check=True,
        capture_output=True, text=True).stdout
    with open(os.path.join(ROOT_DIR, "docs", "security.md"),
              encoding="utf-8") as f:
        assert version in f.read(), version
