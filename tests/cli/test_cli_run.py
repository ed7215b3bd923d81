"""`kcompile run program.py` behaves like `python program.py`, with tensorflow and keras resolved to kcompile."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest


def write(folder, name, text):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(textwrap.dedent(text))


FACTS = """
    import os, sys
    print(sys.argv)
    print(os.path.realpath(__file__), os.path.realpath(sys.path[0]))
    print(__name__, __package__, sys.modules["__main__"].__dict__ is globals(), __builtins__ is sys.modules["builtins"])
    print(os.path.realpath(os.getcwd()))
    import beside
    print(beside.value)
"""


def test_the_program_sees_what_python_would_show_it(command, tmp_path):
    write(tmp_path, "programs/facts.py", FACTS)
    write(tmp_path, "programs/beside.py", "value = 'a module beside the program'")
    ours = command("run", "programs/facts.py", "--epochs", "3", "-v", "--", "name")
    python = subprocess.run([sys.executable, "programs/facts.py", "--epochs", "3", "-v", "--", "name"], cwd=tmp_path, text=True,
                            capture_output=True, check=True)
    assert ours.stdout == python.stdout
    assert ours.returncode == 0 and ours.stderr == ""


@pytest.mark.parametrize("ending, code, err", [
    ("pass", 0, ""),
    ("import sys; sys.exit(7)", 7, ""),
    ("import sys; sys.exit('gone wrong')", 1, "gone wrong\n"),
    ("raise SystemExit", 0, ""),
    ("import os; os._exit(4)", 4, ""),
])
def test_exit_codes(command, tmp_path, ending, code, err):
    write(tmp_path, "program.py", ending)
    done = command("run", "program.py")
    assert (done.returncode, done.stderr) == (code, err)


@pytest.mark.parametrize("text", [
    "def f():\n    return 1 / 0\n\nf()\n",
    "print('start'\nx = 1\n",
    "import nothing_of_that_name\n",
    "try:\n    {}['a']\nexcept KeyError:\n    raise ValueError('second')\n",
    "import beside\nbeside.fail()\n",
    "raise FileNotFoundError('weights.h5')\n",
])
def test_tracebacks_are_pythons_own(command, tmp_path, text):
    write(tmp_path, "program.py", text)
    write(tmp_path, "beside.py", "def fail():\n    raise RuntimeError('from beside')\n")
    ours = command("run", "program.py")
    python = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, text=True, capture_output=True, check=False)
    assert ours.returncode == python.returncode == 1
    assert ours.stderr == python.stderr


def test_tensorflow_and_keras_are_kcompile(command, tmp_path):
    write(tmp_path, "program.py", """
        import keras
        import tensorflow as tf
        from tensorflow.keras import layers
        if __name__ == "__main__":
            print(keras.__name__, tf.__name__, layers.Dense.__module__.split(".")[0])
    """)
    assert command("run", "program.py").stdout.split() == ["kcompile", "kcompile.compat.tf", "kcompile"]


def test_classes_of_the_program_can_be_pickled(command, tmp_path):
    write(tmp_path, "program.py", """
        import pickle
        class Thing:
            pass
        print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)
    """)
    assert command("run", "program.py").stdout == "True\n"


def test_no_such_program(command):
    done = command("run", "nowhere.py")
    assert (done.returncode, done.stderr, done.stdout) == (2, "kcompile run: no such program: nowhere.py\n", "")


def test_a_folder_is_no_program(command, tmp_path):
    assert command("run", str(tmp_path)).returncode == 2


def test_interrupted_as_python_is(tmp_path):
    write(tmp_path, "program.py", "import time\nprint('ready', flush=True)\ntime.sleep(30)\n")
    process = subprocess.Popen([sys.executable, "-m", "kcompile", "run", "program.py"], cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ""},
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a shell's background job ignores it
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - started < 5
    assert process.returncode == -signal.SIGINT
    assert err.splitlines()[-1] == "KeyboardInterrupt" and "kcompile" not in err
