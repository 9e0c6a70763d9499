"""Run the tests of the layers with another torch: make test-torch TORCH=2.4.1

TORCH=newest is the newest release there is. The venv .venv-torch-VERSION holds
it, several gigabytes where the registry serves CUDA's libraries with it; the
site's own environment stays as it is.
"""

import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDS = ["pytest", "hypothesis", "numpy", "onnx", "expecttest"]
TESTS = ["rnn_examples", "tests/recurrence", "tests/gates", "tests/gradients"]
ERRORS = "tests/recurrence/test_errors.py::"
OPTIONS = ERRORS + "test_wrong_options_raise_as_in_torch"
# What older releases of torch itself do otherwise, and the first that does as
# the test says. Nothing of our own layers stands here.
SINCE = {
    # It takes a size of 0 and of another type, and anything for a bool.
    f"{OPTIONS}[no input": "2.11.0",
    f"{OPTIONS}[NumPy's int": "2.11.0",
    f"{OPTIONS}[bias": "2.11.0",
    f"{OPTIONS}[layout": "2.11.0",
    # Whatever is unpickled, it warns of torch.load.
    "tests/recurrence/test_drop_in.py::test_it_is_a_module_as_torchs": "2.4.1",
    "tests/gates/test_lstm.py::test_it_is_a_module_as_torchs": "2.4.1",
    "tests/gates/test_gru.py::test_it_is_a_module_as_torchs": "2.4.1",
}


def release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def main() -> None:
    if len(sys.argv) != 2 or not re.fullmatch(r"\d+\.\d+\.\d+|newest", sys.argv[1]):
        sys.exit("test-torch: name a release of torch: make test-torch TORCH=2.4.1")
    version = sys.argv[1]
    folder = ROOT / f".venv-torch-{version}"
    python = str(folder / "bin" / "python")
    pins = (ROOT / "constraints.txt").read_text().split()
    needs = [pin for pin in pins if pin.partition("==")[0] in NEEDS]
    if not folder.exists():
        venv.create(folder, with_pip=True)
    print(f"test-torch: installing torch {version} in {folder.name}", flush=True)
    torch = "torch" if version == "newest" else f"torch=={version}"
    install = [python, "-m", "pip", "install", "-q", torch, *needs]
    if subprocess.run(install).returncode:
        sys.exit(f"test-torch: pip could not install torch {version}")
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *TESTS]
    for test, since in SINCE.items():
        if version != "newest" and release(version) < release(since):
            print(f"test-torch: left out, torch does so since {since}: {test}")
            command += ["--deselect", test]
    status = subprocess.run(command, cwd=ROOT).returncode
    print(f"test-torch: torch {version}; {folder.name} can be deleted")
    sys.exit(status)


if __name__ == "__main__":
    main()
