"""Runs on several processes, and processes that are stopped, killed, or lost."""

import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from messages import mentions, naming
from tiny_improved import CONFIG, tiny_improved
from tiny_training import TINY, Crops, assert_same, weights

import mrsal
from mrsal.datasets.archives.native import NativeArchive
from mrsal.errors import DataError, MrsalError, Stopped, TrainingError
from mrsal.evaluation.evaluator import evaluate
from mrsal.evaluation.report.curves import read_history
from mrsal.inference.predictor import Predictor
from mrsal.model.checkpoint import load_checkpoint, load_safely
from mrsal.training import distributed, improved, loop, paper
from mrsal.training.config import ImprovedTrainConfig
from mrsal.training.distributed import (
    catch_signals,
    exchange,
    launch,
    on_first,
    readable_memory_errors,
    shared_map,
)
from mrsal.training.features import TrainingImages
from mrsal.training.loop import train
from mrsal.training.run_folder import last_run

ROOT = Path(__file__).parents[2]
SHORT = replace(TINY, epochs=2, batch_size=6)
CPU = {"device": "cpu", "precision": "fp32", "devices": 1}

# children are forked from a process that has torch loaded, and so start at once
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["mrsal.training.loop", "mrsal.evaluation.evaluator", "tiny_training"])


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("LOCAL_RANK", "RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(world, job, *arguments):
    """Start processes as torchrun does, each of which runs ``job(fabric, *arguments)`` and puts the result into a queue."""
    results, port = forks.Queue(), free_port()
    children = [
        forks.Process(target=_child, args=(rank, world, port, job, results, arguments)) for rank in range(world)
    ]
    for process in children:
        process.start()
    return children, results


def _child(rank, world, port, job, results, arguments):
    torch.set_num_threads(1)
    own = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    os.environ.update({name: str(value) for name, value in own.items()})
    os.environ.update(TORCHELASTIC_RUN_ID="test", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    fabric = launch(**CPU, timeout=10)
    try:
        results.put((rank, job(fabric, *arguments)))
    except MrsalError as error:
        results.put((rank, error))
    results.close()
    results.join_thread()
    os._exit(0)  # without waiting for other processes, which may be lost


def collect(children, results, count=None):
    """The results of the processes, by rank."""
    answers = dict(results.get(timeout=120) for _ in range(count or len(children)))
    for process in children:
        process.kill()
        process.join()
    return answers


def run(world, job, *arguments):
    return collect(*start(world, job, *arguments))


# the same run on any number of processes


def _train(fabric, out, config, native_folder):
    paper._CPU_CHUNK = 2
    examples = list(NativeArchive(native_folder).examples("all"))[:4]

    def validate(network):
        predictor = Predictor(network, device="cpu", precision="fp32", mode="fast")
        return evaluate(predictor, examples, map_over=shared_map(fabric)).mean()

    return train(Crops(15), out, config, fabric=fabric, validate=validate)


def _fine_tune(fabric, out, config, native_folder, features):
    improved._CPU_CHUNK = 1
    images = TrainingImages([NativeArchive(native_folder)], features)
    return train(images, out, config, start=tiny_improved(), fabric=fabric)


@pytest.mark.slow
def test_the_improved_network_is_the_same_on_one_and_two_processes(native_folder, tmp_path):
    """With 8 images in batches of 6, the second batch has 2; the processes share the computing of the features."""
    config = ImprovedTrainConfig(
        epochs=2, learning_rate=1e-3, stream_rate=1e-3, precision="fp32", device="cpu", model=CONFIG
    )
    for world in (1, 2):
        settings = replace(config, batch_size=6 // world)
        run(world, _fine_tune, tmp_path / str(world), settings, native_folder, tmp_path / f"features{world}")
    for row, expected in zip(read_history(tmp_path / "2"), read_history(tmp_path / "1"), strict=True):
        for name in ("loss", "CC", "learning_rate"):
            assert row[name] == pytest.approx(expected[name], rel=1e-5), name
    start = tiny_improved().state_dict()
    alone, shared = (weights(tmp_path / world / "cnn_epoch_2.pth") for world in "12")
    for name in ("stream.stages.7.0.project.weight", "readout.conv2.weight", "prior_weight"):
        off, moved = (shared[name] - alone[name]).norm(), (alone[name] - start[name]).norm()
        assert off < 0.02 * moved, name


@pytest.mark.slow
def test_a_run_is_the_same_on_one_two_and_three_processes(native_folder, tmp_path):
    """With 15 samples in batches of 6 and chunks of 2, 2 processes have unequal shares, and 1 of 3 has none in the last batch.

    Dropout is on, since a chunk has the same masks on any process.
    """
    runs = {}
    for world in (1, 2, 3):
        config = replace(SHORT, batch_size=6 // world, learning_rate=0.002, model=replace(SHORT.model, dropout=0.5))
        best = run(world, _train, tmp_path / str(world), config, native_folder)
        assert set(best.values()) == {tmp_path / str(world) / "cnn_best.pth"}, "all processes agree"
        runs[world] = tmp_path / str(world)
    for world in (2, 3):
        for row, expected in zip(read_history(runs[world]), read_history(runs[1]), strict=True):
            for name in set(row) - {"seconds", "samples_per_second"}:
                assert row[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-6), name
        alone, shared = weights(runs[1] / "cnn_epoch_2.pth"), weights(runs[world] / "cnn_epoch_2.pth")
        for name in alone:
            torch.testing.assert_close(alone[name], shared[name], rtol=1e-3, atol=1e-5)


def _scores(fabric, native_folder, count):
    examples = list(NativeArchive(native_folder).examples("all"))[:count]
    names = []
    scores = evaluate(
        lambda image: image.mean(axis=2),
        examples,
        map_over=shared_map(fabric),
        on_image=lambda e, *_: names.append(e.name),
    )
    return scores.values, names


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 10])
def test_each_image_is_scored_once_by_one_process_and_all_get_all_scores(count, native_folder):
    """There are 10 images for 3 processes, or fewer images than processes."""
    answers = run(3, _scores, native_folder, count)
    examples = list(NativeArchive(native_folder).examples("all"))[:count]
    expected = evaluate(lambda image: image.mean(axis=2), examples).values
    for values, _ in answers.values():
        assert values.keys() == expected.keys()
        for metric in expected:
            # not to the bit: the processes have fewer threads, which add in another order
            np.testing.assert_allclose(values[metric], expected[metric], rtol=1e-12, atol=1e-14)
    reported = [name for _, names in answers.values() for name in names]
    assert sorted(reported) == sorted(example.name for example in examples)


# an error of one process ends all of them


def _one_fails(fabric):
    def work(item):
        if item == 1:
            raise DataError("a damaged image")
        return item

    return shared_map(fabric)(work, range(4))


def _first_fails(fabric):
    def work():
        raise DataError("a full disk")

    return on_first(fabric, work)


@pytest.mark.slow
@pytest.mark.parametrize(("job", "message"), [(_one_fails, "a damaged image"), (_first_fails, "a full disk")])
def test_an_error_of_one_process_is_raised_on_all(job, message):
    answers = run(2, job)
    assert [str(answer) for answer in answers.values()] == [message] * 2
    assert {type(answer) for answer in answers.values()} == {DataError}


class Fragile(Crops):
    """Crops whose third batch makes process 1 fail, kills it, or stops it."""

    def __init__(self, count, rank, trouble):
        super().__init__(count)
        self.rank, self.trouble = rank, trouble

    def batch(self, index):
        if self.rank == 1 and self.batches == 2:
            if self.trouble == "memory":
                raise MemoryError
            os.kill(os.getpid(), signal.SIGKILL if self.trouble == "kill" else signal.SIGSTOP)
        return super().batch(index)


def _in_trouble(fabric, out, trouble):
    return train(Fragile(12, fabric.global_rank, trouble), out, replace(SHORT, batch_size=3), fabric=fabric)


@pytest.mark.slow
@pytest.mark.parametrize(("trouble", "answering"), [("kill", 1), ("hang", 1), ("memory", 2)])
def test_the_others_end_with_one_message_when_a_process_is_lost_and_keep_the_checkpoints(trouble, answering, tmp_path):
    """The third step fails, so the first epoch, of 2 steps, is complete. The others wait 10 s for a process that hangs."""
    answers = collect(*start(2, _in_trouble, tmp_path, trouble), count=answering)
    assert isinstance(answers[0], TrainingError)
    assert mentions(str(answers[0]), 0, 2)
    assert "\n" not in str(answers[0]) and ".cc:" not in str(answers[0])
    if trouble == "memory":
        assert mentions(str(answers[1]), "memory", 1, 2)
    load_checkpoint(tmp_path / "cnn_epoch_1.pth")
    assert load_safely(tmp_path / "state.pt")["history"]["epoch"] == 1


class Signalled(Crops):
    """Crops whose third batch sends a signal to process 1, as a cluster may send it to any of them."""

    def __init__(self, count, rank):
        super().__init__(count)
        self.rank = rank

    def batch(self, index):
        if self.rank == 1 and self.batches == 2:
            os.kill(os.getpid(), signal.SIGUSR1)
        return super().batch(index)


def _stopped(fabric, out):
    with catch_signals() as asked:
        return train(
            Signalled(12, fabric.global_rank), out, replace(SHORT, batch_size=3), fabric=fabric, should_stop=asked
        )


@pytest.mark.slow
def test_all_processes_stop_together_when_one_gets_a_signal(tmp_path):
    answers = run(2, _stopped, tmp_path)
    assert {type(answer) for answer in answers.values()} == {Stopped}
    assert len({str(answer) for answer in answers.values()}) == 1
    assert load_safely(tmp_path / "state.pt")["history"]["step"] == 1


# killed at any moment


def _continued(fabric, out, begun):
    begun.set()
    return train(Crops(8), out, TINY, fabric=fabric, resume=(out / "state.pt").exists())


@pytest.mark.slow
def test_a_run_that_is_killed_twenty_times_loses_nothing(tmp_path):
    """It is killed at random moments, and mostly while it writes, since a step takes less time than a checkpoint."""
    begun = forks.Event()
    children, results = start(1, _continued, tmp_path / "calm", begun)
    assert begun.wait(60)
    began = time.monotonic()
    collect(children, results)
    duration = time.monotonic() - began
    rng, out, epochs = np.random.default_rng(0), tmp_path / "killed", 0
    for _ in range(20):
        begun = forks.Event()
        [process], _ = start(1, _continued, out, begun)
        assert begun.wait(60)
        process.join(rng.uniform(0, 0.5) * duration)
        process.kill()
        process.join()
        for path in out.glob("cnn_*.pth"):
            load_checkpoint(path)
        if (out / "state.pt").exists():
            done = load_safely(out / "state.pt")["history"]["epoch"]
            assert done >= epochs, "an epoch was lost"
            epochs = done
            assert all((out / f"cnn_epoch_{n}.pth").exists() for n in range(1, done + 1))
    run(1, _continued, out, forks.Event())
    assert_same(out / "cnn_epoch_4.pth", tmp_path / "calm" / "cnn_epoch_4.pth")
    rows, expected = read_history(out), read_history(tmp_path / "calm")
    assert [row["loss"] for row in rows] == [row["loss"] for row in expected]
    assert not list(out.glob(".*"))


# the command line

# a function that is registered first is called last, so the threads are counted after everything else
_WATCHED = """
import atexit, pathlib, runpy, sys
threads = pathlib.Path("/proc/self/task").glob  # none on other systems
atexit.register(lambda: print("threads at the end:", *(path.read_text().strip() for path in threads("*/comm"))))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_torchrun_trains_on_two_processes_and_a_terminated_run_goes_on(native_folder, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    (tmp_path / "script.py").write_text(_WATCHED)
    script = [tmp_path / "script.py", ROOT / "train.py"]
    command = [*torchrun, *script, "--data_dir", native_folder, "--out_dir", tmp_path, "--device", "cpu"]
    command += ["--epochs", "1", "--batch_size", "16", "--resume", "last"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    [process] = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    ]
    while not list(tmp_path.glob("trained/*/state.pt")):
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    run = last_run(tmp_path / "trained")
    log = (run / "log.txt").read_text()
    assert any(mentions(line, 32, 16, 2) for line in log.splitlines())
    assert mentions(log, f"--resume {run}")
    assert load_safely(run / "state.pt")["history"]["step"] > 0
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert last_run(tmp_path / "trained") == run
    assert (run / "cnn_epoch_1.pth").exists()
    assert done.stdout.count("epoch 1: loss") == 1, "only the first process speaks"
    ends = [line for line in done.stdout.splitlines() if line.startswith("threads at the end:")]
    assert len(ends) == 2 and not any("gloo" in line for line in ends), ends


# what training leaves as it was

MAPPED = 2**26  # bytes; by default glibc maps a block of this size by itself, and unmaps it when it is freed


class MallInfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int) for name in "arena ordblks smblks hblks hblkhd rest1 rest2 rest3 rest4 rest5".split()
    ]


def large_blocks_are_mapped():
    """Whether the C library of this process still handles large blocks in its default way; None if it is not glibc."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo"):
        return None
    library.mallinfo.restype, library.malloc.restype = MallInfo, ctypes.c_void_p
    library.malloc.argtypes, library.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    before = library.mallinfo().hblks
    block = library.malloc(MAPPED)
    after = library.mallinfo().hblks
    library.free(block)
    return after > before


def _trained_from_python(fabric, out):
    logger = logging.getLogger("lightning_fabric")
    logger.setLevel(logging.INFO)
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    mrsal.train(Crops(4), out, replace(SHORT, epochs=1))
    return large_blocks_are_mapped(), logger.level, torch.equal(torch.rand(3), expected)


def _after_the_setting(fabric):
    loop.keep_freed_memory()
    return large_blocks_are_mapped()


def test_training_from_python_changes_no_setting_of_the_process(tmp_path):
    """In a process of its own, since the jobs in other tests do change the setting of the C library."""
    [(mapped, level, is_same_state)] = run(1, _trained_from_python, tmp_path).values()
    assert mapped is not False
    assert level == logging.INFO
    assert is_same_state, "the random numbers of the program go on as if nothing had been trained"
    if mapped is not None:
        assert run(1, _after_the_setting) == {0: False}


# small parts


class Place:
    """Stands in for Fabric: the number of a process, and of all processes."""

    def __init__(self, global_rank, world_size):
        self.global_rank, self.world_size = global_rank, world_size


@pytest.mark.parametrize(
    ("environment", "layout"),
    [
        ({}, (3, 1)),
        ({"TORCHELASTIC_RUN_ID": "a", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}, (4, 2)),
        ({"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "train"}, (4, 2)),
        ({"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "interactive"}, (3, 1)),  # a shell inside an allocation
    ],
)
def test_torchrun_and_slurm_set_the_number_of_processes(environment, layout, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert distributed._layout(3) == layout


def test_one_process_shares_with_itself():
    fabric = launch(**CPU, timeout=10)
    assert shared_map(fabric)(str, [1, 2]) == ["1", "2"]
    assert on_first(fabric, lambda: 3) == 3
    with pytest.raises(ValueError, match="not about memory"), readable_memory_errors(fabric, hint=""):
        raise ValueError("not about memory")


@pytest.mark.parametrize(
    ("error", "backend", "is_lost"),
    [
        (torch.distributed.DistBackendError("unhandled system error"), "nccl", True),
        (torch.distributed.DistNetworkError("timed out"), "gloo", True),
        (RuntimeError("[pair.cc:534] Connection closed by peer"), "gloo", True),
        (RuntimeError("Connection closed by peer"), "nccl", False),
        (NotImplementedError("not for gloo, NCCL"), "gloo", False),
        (DataError("Connection closed by peer"), "gloo", False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "gloo", False),
    ],
    ids=lambda value: repr(value) if isinstance(value, Exception) else None,
)
def test_a_lost_process_is_recognised_by_the_type_of_the_error(error, backend, is_lost, monkeypatch):
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_backend", lambda: backend)
    with pytest.raises(TrainingError if is_lost else type(error)) as caught, exchange(Place(1, 2)):
        raise error
    assert mentions(str(caught.value), 1, 2, without="pair.cc") if is_lost else caught.value is error
    with pytest.raises(type(error)) as caught, exchange(Place(0, 1)):  # which has no others
        raise error
    assert caught.value is error


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory."), "empty"], ids=str)
def test_memory_that_runs_out_is_recognised_by_the_type_of_the_error_where_there_is_one(error):
    with (
        pytest.raises(TrainingError, match=naming("memory", "1 of 2", "less")),
        readable_memory_errors(Place(1, 2), hint="less"),
    ):
        if error == "empty":
            torch.empty(2**60)
        raise error
    with pytest.raises(RuntimeError, match="about memory"), readable_memory_errors(Place(1, 2), hint="less"):
        raise RuntimeError("something about memory")


def test_signals_are_noted_and_the_second_ctrl_c_interrupts():
    before = signal.getsignal(signal.SIGTERM)
    with catch_signals() as asked:
        assert asked() == 0
        signal.raise_signal(signal.SIGTERM)
        assert asked() == signal.SIGTERM
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before
