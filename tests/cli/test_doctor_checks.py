"""What the doctor says of a machine that is well, and of ones that are not."""

import json
import shutil
import sys

import pytest
from messages import mentions

from mrsal import cli
from mrsal.cli import doctor_checks
from mrsal.cli.doctor_checks import CHECKS, Finding, examine
from mrsal.model import pretrained


@pytest.fixture
def quick(monkeypatch):
    """Without the self-test, which takes a second or two."""
    monkeypatch.setitem(CHECKS, "self-test", lambda: iter([Finding("self-test", "left out")]))
    monkeypatch.delenv("MRSAL_DATA", raising=False)


def by_name(findings):
    return {finding.name: finding for finding in findings}


@pytest.mark.slow
def test_this_machine_is_well(native_folder):
    findings = by_name(examine(native_folder.parent))
    assert [finding for finding in findings.values() if finding.state == "broken"] == []
    assert mentions(findings["self-test"].value, "exact")
    assert findings["weights mrcnn"].state == "fine"
    assert mentions(findings["data"].value, native_folder)
    assert {"mrsal", "Python", "torch", "numpy", "CPU", "disk"} <= findings.keys()


def test_damaged_weights_are_found(quick, monkeypatch, tmp_path):
    shutil.copytree(pretrained.WEIGHTS, tmp_path / "weights")
    file = tmp_path / "weights" / pretrained.BUNDLED["mrcnn"]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr("mrsal.model.WEIGHTS", tmp_path / "weights")
    assert by_name(examine())["weights mrcnn"].state == "broken"


@pytest.mark.slow
def test_a_network_that_is_off_fails_the_self_test(monkeypatch):
    """A convolution that computes nonsense in one mode only, as a broken library does."""
    from mrsal.model import dense

    monkeypatch.setitem(dense.MODES, "exact", lambda *arguments: dense._crop_features(*arguments) + 0.5)
    (finding,) = doctor_checks._self_test()
    assert finding.state == "broken" and mentions(finding.value, "exact")


def test_a_check_that_breaks_is_reported_and_the_others_go_on(quick, monkeypatch):
    def broken():
        raise ImportError("libcuda.so is not there")
        yield

    monkeypatch.setitem(CHECKS, "devices", broken)
    findings = by_name(examine())
    assert findings["devices"].state == "broken" and "libcuda.so" in findings["devices"].value
    assert findings["disk"].state == "fine" and findings["data"].state == "missing"


def test_extras_are_those_of_the_installed_package(quick, monkeypatch):
    wanted = ["numpy>=1", 'nope>=2; extra == "video"', "numpy>=1; extra == 'hdf5'", 'nope>=1; extra == "dev"']
    monkeypatch.setattr(doctor_checks.importlib.metadata, "requires", lambda _: wanted)
    findings = by_name(doctor_checks._extras())
    assert findings.keys() == {"extra video", "extra hdf5"}
    assert findings["extra video"].mend == "pip install 'mrsal[video]'"
    assert findings["extra hdf5"].state == "fine"


def test_data_are_named(tmp_path, monkeypatch):
    (tmp_path / "osie").mkdir()
    monkeypatch.setenv("MRSAL_DATA", str(tmp_path))
    assert mentions(by_name(doctor_checks._data(None))["data"].value, "osie", tmp_path)
    assert by_name(doctor_checks._data(tmp_path / "gone"))["data"].state == "missing"
    assert by_name(doctor_checks._data(tmp_path / "osie"))["data"].state == "missing"


@pytest.mark.parametrize("state", ["missing", "broken"])
def test_the_command_prints_json_and_tells_by_its_exit_status(quick, monkeypatch, capsys, state):
    monkeypatch.setitem(CHECKS, "disk", lambda: iter([Finding("disk", "full [of] files", state, "make room")]))
    for arguments in (["--json"], []):
        monkeypatch.setattr(sys, "argv", ["mrsal", "doctor", *arguments])
        status = 0
        try:
            cli.main()
        except SystemExit as leaving:
            status = leaving.code or 0
        assert status == (state == "broken")
        out = capsys.readouterr().out
        if arguments:
            result = json.loads(out)
            assert result["ok"] == (state != "broken")
            expected = {"name": "disk", "value": "full [of] files", "state": state, "mend": "make room"}
            assert expected in result["findings"]
        else:
            assert "full [of] files; make room" in out
