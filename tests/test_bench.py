"Stored tables name their commands, comparisons have tables, and no mutant survives."
import shutil, subprocess, sys

import pytest

from conftest import ROOT

sys.path[:0] = [str(ROOT/"bench")]
import again, mutants  # noqa: E402

TOOLS = {"again.py", "ledger.py"}  # make no table of their own


def test_each_table_has_its_command_and_each_script_a_table():
    named = {command.split()[1] for command in again.commands()}
    tools = {f"bench/{o}" for o in TOOLS}
    assert named | tools == {f"bench/{o.name}" for o in (ROOT/"bench").glob("*.py")}


def test_commands_are_listed_and_chosen():
    def run(*args):
        command = [sys.executable, ROOT/"bench"/"again.py", "--list", *args]
        return subprocess.run(command, capture_output=True, text=True)
    assert len(run().stdout.splitlines()) == len(again.commands())
    assert run("losses.py").stdout == "python bench/losses.py  (losses, losses_memory)\n"
    assert run("nothing").returncode == 2


def test_every_mutant_finds_its_one_place():
    "A list that fell behind the code would kill nothing"
    lessons = {}
    for o in mutants.listed():
        lesson = lessons.setdefault(o.lesson, mutants.Lesson(ROOT, o.lesson))
        i = lesson.place(o.old)
        assert o.old != o.new
        compile(lesson.source.replace(o.old, o.new), o.text, "exec")
        assert o.old in lesson.cells[i]
    assert len(mutants.listed()) >= 80 and len(lessons) == 33


def test_no_mutant_survives():
    "Each has a killer in the stored table, or a reason that nothing can notice it"
    assert {o.text for o in mutants.listed()} <= mutants.killed()


@pytest.mark.parametrize("all_gone", [True, False])
def test_a_child_takes_no_files_from_its_parent(all_gone, tmp_path):
    folder = tmp_path/"empty"
    (folder/"kept").mkdir(parents=True)
    (folder/"kept"/"file").write_text("old")
    (folder/"kept"/"link").symlink_to("file")
    with mutants.unchanged(folder):
        if all_gone: shutil.rmtree(folder/"kept")
        (folder/"new").mkdir()
        (folder/"new"/"file").write_text("x")
    assert [o.name for o in folder.iterdir()] == ["kept"] == [o.name for o in tmp_path.glob("*/*")]
    assert (folder/"kept"/"file").read_text() == "old"
    assert (folder/"kept"/"link").readlink().name == "file"


def test_a_mutant_out_of_step_is_an_error():
    with pytest.raises(ValueError): mutants.Lesson(ROOT, "01").place("nowhere")
