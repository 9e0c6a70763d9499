"""Make .venv and install the pinned set: python3 tools/setup_env.py

Runs under whatever Python the reader has, so it must parse on an old one.
Each way to fail ends in one line that says what to do, and leaves no stamp,
so that the next run starts over.
"""

from __future__ import print_function

import hashlib
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, ".installed")
PINS = ["requirements.txt", "constraints.txt"]


def stop(message):
    sys.exit("setup: " + message)


def newer_python():
    """A Python on the PATH that is new enough, the oldest first, or None."""
    for minor in range(11, 15):
        name = "python3.%d" % minor
        try:
            status = subprocess.call(
                [name, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL
            )
        except OSError:
            continue
        if status == 0:
            return name
    return None


def fingerprint():
    digest = hashlib.sha256(sys.version.encode())
    for name in PINS:
        with open(os.path.join(ROOT, name), "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def main():
    if sys.version_info < (3, 11):
        name = newer_python()
        what = "Use the one that is here" if name else "Install one, then name it"
        stop(
            "Python %d.%d is too old; this project needs 3.11 or newer. "
            "%s: make html PYTHON=%s"
            % (sys.version_info[0], sys.version_info[1], what, name or "python3.11")
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        stop(
            "this Python has no %s; install it (Debian and Ubuntu: "
            "apt install python3-venv python3-pip)" % error.name
        )
    want = fingerprint()
    if os.path.exists(STAMP):
        with open(STAMP) as f:
            if f.read() == want:
                os.utime(STAMP)
                return
        os.remove(STAMP)
    start = time.time()
    print("setup: making .venv with Python %d.%d" % sys.version_info[:2], flush=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", VENV], capture_output=True, text=True
    )
    if made.returncode:
        stop("python -m venv failed: " + (made.stdout + made.stderr).strip()[-300:])
    print("setup: installing the pinned packages (minutes the first time)", flush=True)
    pip = [os.path.join(VENV, "bin", "python"), "-m", "pip", "install"]
    pip += ["--quiet", "--disable-pip-version-check"]
    pip += os.environ.get("PIP_ARGS", "").split()
    steps = [
        ["-r", "requirements.txt"],
        ["--no-deps", "--no-build-isolation", "-e", "."],
    ]
    # torch alone and first: its index must not serve anything else.
    torch_index = os.environ.get("TORCH_INDEX")
    if torch_index:
        torch = ["torch", "-c", "constraints.txt", "--no-deps"]
        steps.insert(0, ["--index-url", torch_index] + torch)
    for step in steps:
        result = subprocess.run(pip + step, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        if result.returncode:
            lines = [x for x in result.stderr.splitlines() if "ERROR" in x]
            why = lines[-1] if lines else result.stderr.strip()[-300:]
            stop(
                "pip could not install (%s). The first install needs the "
                "network and about 1 GB of disk; run the same command again "
                "once both are there" % why.replace("ERROR: ", "")
            )
    with open(STAMP, "w") as f:
        f.write(want)
    print("setup: done in %.0f s" % (time.time() - start))


if __name__ == "__main__":
    main()
