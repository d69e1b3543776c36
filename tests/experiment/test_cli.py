import os
import re
import subprocess
import sys

import pytest

from mbrl_edu.__main__ import main
from mbrl_edu.experiment import registry, store, studies
from mbrl_edu.experiment.options import describe
from mbrl_edu.experiment.provenance import as_word

SHORT = ["--episodes", "2"]


def refused(capsys, *words):
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.strip().splitlines()) == 1
    return err


def test_without_words_it_lists_methods_with_chapters_and_tasks(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    for method in registry.METHODS.values():
        assert method.name in out and method.page in out
    for task in registry.TASKS.values():
        assert task.short in out
    assert main(["methods"]) == 0 and "dyna_q_plus" in capsys.readouterr().out
    assert main(["tasks"]) == 0 and "ShortcutMaze-v0" in capsys.readouterr().out


def test_run_does_one_run_and_says_where_it_lies(tmp_path, capsys):
    words = ["run", "dyna-q", "DynaMaze-v0", "--seed", "3", "--n=5", *SHORT]
    assert main([*words, "--folder", str(tmp_path)]) == 0
    out = capsys.readouterr().out.strip()
    (path,) = store.finished(tmp_path)
    assert out.startswith("dyna_q on DynaMaze-v0, seed 3: step ") and "return 1" in out
    assert out.endswith(f"s; kept in {path}") and len(out.splitlines()) == 1
    manifest = store.read_json(path / "manifest.json")
    assert manifest["config"]["n"] == 5 and manifest["config"]["episodes"] == 2


def test_the_command_in_a_manifest_repeats_the_run(tmp_path, capsys):
    words = ["run", "dyna_q_plus", "DynaMaze-v0", "--untried", "off", *SHORT]
    assert main([*words, "--folder", str(tmp_path / "a")]) == 0
    (path,) = store.finished(tmp_path / "a")
    command = store.read_json(path / "manifest.json")["command"]
    again = command.split()[3:]  # without python -m mbrl_edu
    assert main([*again, "--folder", str(tmp_path / "b")]) == 0
    (copy,) = store.finished(tmp_path / "b")
    assert copy.name == path.name
    metrics = [(p / "metrics.jsonl").read_bytes() for p in (path, copy)]
    assert metrics[0] == metrics[1] != b""


def test_help_of_a_method_shows_every_field_with_default_and_meaning(capsys):
    for method in registry.METHODS.values():
        with pytest.raises(SystemExit) as leave:
            main(["run", method.name, "--help"])
        assert leave.value.code == 0
        out = "".join(capsys.readouterr().out.split())
        for option in describe(method.config):
            default = "" if option.required else f"(default:{as_word(option.default)})"
            assert f"--{option.name}" in out and option.help
            assert "".join(f"{option.help}{default}".split()) in out


def test_a_preset_is_a_start_that_options_change(deep, monkeypatch, tmp_path, capsys):
    from mbrl_edu.algos import presets

    key = ("fake_deep", "Line-v0", "short")
    monkeypatch.setitem(presets.PRESETS, key, {"episodes": 2})
    words = ["run", "fake_deep", "Line-v0", "--preset", "short", "--folder"]
    for seed, more, episodes in (("0", [], 2), ("1", ["--episodes", "3"], 3)):
        assert main([*words, str(tmp_path), "--seed", seed, *more]) == 0
        assert f"episode {episodes}" in capsys.readouterr().out
    a, b = (store.read_json(p / "manifest.json") for p in store.finished(tmp_path))
    assert a["config"] == {"episodes": 2} and b["config"] == {"episodes": 3}
    assert a["device"] == "cpu" and a["command"].endswith("--device cpu --episodes 2")


def test_help_names_what_every_method_takes(capsys):
    with pytest.raises(SystemExit):
        main(["run", "pets", "--help"])
    out = capsys.readouterr().out
    for name in ("seed", "folder", "preset", "device", "save-every"):
        assert f"--{name}" in out


def test_hyphens_in_options_are_fine(fake, tmp_path, capsys):
    words = ["run", "q_planning", "DynaMaze-v0", "--log-every", "50", "--updates"]
    assert main([*words, "100", "--folder", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("rn", r"unknown command 'rn': did you mean run\?"),
        ("run", "run needs a method and a task"),
        ("run dynaq DynaMaze-v0", "unknown method 'dynaq': did you mean dyna_q"),
        ("run dyna_q", "TASK"),
        ("run dyna_q DynMaze-v0", "did you mean DynaMaze-v0"),
        ("run dyna_q CartPole-v1", "needs Discrete observations"),
        (
            "run dyna_q DynaMaze-v0 --alpa 1",
            "unknown option --alpa: did you mean alpha",
        ),
        ("run dyna_q DynaMaze-v0 --alpha", "--alpha"),
        ("run dyna_q DynaMaze-v0 --alpha fast", "option alpha is 'fast'"),
        ("run dyna_q DynaMaze-v0 --alpha 7", "alpha is 7.0"),
        ("run dyna_q DynaMaze-v0 --seed x", "seed is 'x'"),
        ("run dyna_q DynaMaze-v0 --seed -3", "seed is -3"),
        ("run dyna_q DynaMaze-v0 more", "'more' is one argument too many"),
        ("run dyna_q DynaMaze-v0 --device cuda", "dyna_q is a tabular method and runs"),
        ("run pets Line-v0 --device gpu", "device is 'gpu', but must be one of"),
        ("run pets CartPoleSwingUp-v0 --preset papr", "name is 'papr'.*'paper'"),
        ("run dyna_q DynaMaze-v0 --preset paper", "presets of dyna_q are for no task"),
        ("run dyna_q DynaMaze-v0 --save-every often", "save_every is 'often'"),
        ("run dyna_q DynaMaze-v0 --save-every -1", "save_every is -1"),
        ("run dyna_q DynaMaze-v0 --save-evry 1", "did you mean save-every"),
        ("run dyna_q DynaMaze-v0 --workers 2", "unknown option --workers"),
        ("run autombpo Line-v0 --workers few", "option workers is 'few'"),
        ("run autombpo Line-v0 --backend her", "backend is 'her', but must be one of"),
        ("resume", "FOLDER"),
        ("resume nowhere --workers 0", "workers is 0"),
        ("resume nowhere", "folder nowhere holds no unfinished run"),
        ("study nope", "unknown study 'nope'"),
        ("study nope --workers few", "workers is 'few'"),
    ],
)
def test_errors_are_one_line_and_exit_code_two(
    capsys, words, sentence, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert re.search(sentence, refused(capsys, *words.split()))
    assert os.listdir(tmp_path) == []


def test_an_unwritable_folder_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    words = ["run", "dyna_q", "DynaMaze-v0", "--folder", str(tmp_path / "file")]
    assert "cannot be used" in refused(capsys, *words)


def test_a_developer_can_ask_for_the_traceback(monkeypatch):
    monkeypatch.setenv("MBRL_EDU_TRACEBACK", "1")
    with pytest.raises(ValueError, match="unknown command"):
        main(["rn"])


def test_ctrl_c_is_one_line_and_130(fake, monkeypatch, tmp_path, capsys):
    import fake_method

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fake_method, "fake", stop)
    words = ["run", "fake", "DynaMaze-v0", "--folder", str(tmp_path)]
    assert main(words) == 130
    assert capsys.readouterr().err.strip() == "mbrl_edu: stopped; start it again"
    assert os.listdir(tmp_path) == []


def test_studies_are_listed_and_run(monkeypatch, tmp_path, capsys):
    import pandas as pd

    studies.all_studies()
    monkeypatch.setattr(studies, "STUDIES", {})
    monkeypatch.setattr(studies.pkgutil, "iter_modules", lambda path: [])

    @studies.study("demo", title="A demonstration", page="02-dyna")
    def demo(workers, folder, quick=False):
        return pd.DataFrame({"workers": [workers], "quick": [quick]})

    assert main(["study", "list"]) == 0
    assert "A demonstration (02-dyna)" in capsys.readouterr().out
    words = ["study", "demo", "--workers", "2", "--out", str(tmp_path), "--quick"]
    assert main(words) == 0
    assert str(tmp_path / "demo") in capsys.readouterr().out
    table = studies.load_study("demo", tmp_path).table
    assert table.values.tolist() == [[2, True]]


def shell(*words):
    return subprocess.run(
        [sys.executable, "-m", "mbrl_edu", *words], capture_output=True, text=True
    )


def test_the_listing_from_a_real_shell_loads_nothing_heavy():
    code = (
        "import sys; from mbrl_edu.__main__ import main; main([])\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'joblib', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("[]"), done.stderr


def test_a_refusal_from_a_real_shell_has_no_traceback():
    done = shell("run", "nope", "DynaMaze-v0")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("mbrl_edu: unknown method 'nope'")
    assert done.stderr.count("\n") == 1
