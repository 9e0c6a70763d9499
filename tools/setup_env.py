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
OLDEST, NEWEST = (3, 11), (3, 14)  # there are wheels of all pins: make check-wheels


def stop(message):
    sys.exit("setup: " + message)


def python_that_works():
    """The first on the PATH that the pins have wheels for, or None."""
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        name = "python3.%d" % minor
        with open(os.devnull, "w") as null:
            try:
                status = subprocess.call([name, "-c", "import ensurepip"], stderr=null)
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
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        here, name = "%d.%d" % sys.version_info[:2], python_that_works()
        what = "Use the one that is here" if name else "Install one, then name it"
        stop(
            "this is Python %s; the pinned packages need 3.%d to 3.%d. "
            "%s: make html PYTHON=%s"
            % (here, OLDEST[1], NEWEST[1], what, name or "python3.%d" % NEWEST[1])
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
        only_torch = ["--no-deps", "-c", "constraints.txt", "torch"]
        only_torch += ["--index-url", torch_index]
        steps.insert(0, only_torch)
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
