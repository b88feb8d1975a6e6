"""The training loop: its schedule and constraint, random numbers, interruption, early stopping, and the files of a run."""

import itertools
import json
import signal
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from messages import mentions, naming
from obstacles import small_disk
from tiny_network import WIDTHS, tiny
from tiny_training import TINY, Crops, assert_same, weights
from torch.nn import functional as F

from mrsal.errors import DataError, FileError, InputError, Stopped, TrainingError
from mrsal.evaluation.report.curves import read_history
from mrsal.model.checkpoint import load_checkpoint
from mrsal.model.network import MrCNN
from mrsal.training import paper
from mrsal.training.config import TrainConfig, as_json, fit_input
from mrsal.training.loop import train
from mrsal.training.schedule import epoch_batches, momentum_at

ONE_STEP = replace(TINY, epochs=1, batch_size=2)


class SpoiltCrops(Crops):
    """Crops that are not numbers from the batch ``first`` on."""

    def __init__(self, count, *, first):
        super().__init__(count)
        self.first = first

    def batch(self, index):
        crops, labels = super().batch(index)
        return crops / 255 * (torch.nan if self.batches >= self.first else 1), labels


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of an uninterrupted run with 4 epochs of 2 steps. Tests must not change it."""
    out = tmp_path_factory.mktemp("run") / "new"
    assert train(Crops(8), out, TINY) == out / "cnn_epoch_4.pth"
    return out


# the schedule of the momentum and the order of the samples


@pytest.mark.parametrize("total", [2, 3, 100])
def test_momentum_rises_linearly_per_iteration_to_its_end(total):
    got = [momentum_at(step, total, TrainConfig()) for step in range(total)]
    np.testing.assert_allclose(got, np.linspace(0.9, 0.99, total))


def test_momentum_never_passes_its_end():
    assert momentum_at(99, 100, TrainConfig()) == momentum_at(5000, 100, TrainConfig()) == pytest.approx(0.99)
    falling = TrainConfig(start_momentum=0.9, end_momentum=0.5)
    assert momentum_at(5000, 100, falling) == pytest.approx(0.5)
    assert momentum_at(0, 1, TrainConfig()) == 0.9


@pytest.mark.parametrize(("count", "size", "lengths"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 256, [3])])
def test_an_epoch_visits_every_sample_once(count, size, lengths):
    batches = list(epoch_batches(count, size, seed=0, epoch=0))
    assert [len(batch) for batch in batches] == lengths
    assert sorted(np.concatenate(batches)) == list(range(count))


def test_the_order_is_shuffled_anew_each_epoch_and_repeats_with_the_seed():
    def order(seed, epoch):
        return np.concatenate(list(epoch_batches(100, 7, seed=seed, epoch=epoch))).tolist()

    assert order(3, 0) == order(3, 0)
    orders = [order(3, 0), order(3, 1), order(4, 0), list(range(100))]
    assert all(a != b for i, a in enumerate(orders) for b in orders[:i])


# what is computed


def by_hand(samples, config):
    """Train as the paper says: plain SGD with momentum and weight decay, then the constraint, filter by filter."""
    torch.manual_seed(config.seed)
    network = MrCNN(config.model)
    parameters = dict(network.named_parameters())
    velocity = {name: torch.zeros_like(value) for name, value in parameters.items()}
    orders = [epoch_batches(len(samples), config.batch_size, seed=config.seed, epoch=e) for e in range(config.epochs)]
    batches = [index for order in orders for index in order]
    momenta = np.linspace(config.start_momentum, config.end_momentum, len(batches))
    for step, (index, momentum) in enumerate(zip(batches, momenta, strict=True)):
        network.zero_grad()
        masks = np.random.SeedSequence([config.seed, step, 0]).generate_state(1, np.uint64)[0]  # 0: the only chunk
        torch.manual_seed(int(masks // 2))
        probability = torch.sigmoid(network(samples.crops[index].float() / 255))
        F.binary_cross_entropy(probability, samples.labels[index].float()).backward()
        with torch.no_grad():
            for name, value in parameters.items():
                velocity[name] = float(momentum) * velocity[name] + value.grad + config.weight_decay * value
                value -= config.learning_rate * velocity[name]
            for stream in network.streams:
                for filter_ in stream.conv1.weight:
                    if filter_.norm() > config.conv1_limit:
                        filter_ *= config.conv1_limit / filter_.norm()
    return network.state_dict()


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_training_equals_the_method_computed_by_hand(tmp_path, dropout):
    config = replace(TINY, epochs=2, weight_decay=0.1, start_momentum=0.5, conv1_limit=0.3, model=tiny(dropout=dropout))
    samples = Crops(6)  # in batches of 4 and 2
    got, expected = weights(train(samples, tmp_path, config)), by_hand(samples, config)
    torch.manual_seed(config.seed)
    for name, start in MrCNN(config.model).named_parameters():
        off, moved = (got[name] - expected[name]).norm(), (expected[name] - start).norm()
        assert off < 1e-3 * moved, name


def test_a_batch_in_chunks_has_the_gradient_of_the_whole(monkeypatch, tmp_path):
    """The chunks are unequal: 5 samples as 5, and as 2 + 2 + 1."""
    config = replace(TINY, epochs=1, batch_size=5, conv1_limit=0, model=tiny(dropout=0.0))
    whole = weights(train(Crops(5), tmp_path / "whole", config))
    monkeypatch.setattr(paper, "_CPU_CHUNK", 2)
    chunked = weights(train(Crops(5), tmp_path / "chunked", config))
    for name in whole:
        torch.testing.assert_close(chunked[name], whole[name], rtol=1e-4, atol=1e-6)
    [row], [other] = read_history(tmp_path / "whole"), read_history(tmp_path / "chunked")
    assert (row["loss"], row["accuracy"]) == pytest.approx((other["loss"], other["accuracy"]), rel=1e-5)


def test_the_loss_falls_and_the_accuracy_rises(run):
    rows = read_history(run)
    assert rows[-1]["loss"] < 0.3 * rows[0]["loss"]
    assert rows[-1]["accuracy"] == 1 > rows[0]["accuracy"]


def test_the_first_layer_stays_within_its_limit(run):
    for name, value in weights(run / "cnn_epoch_4.pth").items():
        if name.endswith("conv1.weight"):
            norms = np.linalg.norm(value.numpy().reshape(len(value), -1), axis=1)
            assert norms.max() == pytest.approx(0.1, rel=1e-5)


def test_without_a_limit_the_first_layer_is_free(tmp_path):
    value = weights(train(Crops(2), tmp_path, replace(ONE_STEP, conv1_limit=0)))["stream1.conv1.weight"]
    assert value.flatten(1).norm(dim=1).min() > 0.5


@pytest.mark.parametrize("model", [tiny(variant="blur"), tiny(shared_streams=True)], ids=["blur", "shared"])
def test_the_variants_learn_too(model, tmp_path):
    config = replace(ONE_STEP, epochs=2, model=model)
    network, _ = load_checkpoint(train(Crops(2), tmp_path, config))
    assert network.config == model
    torch.manual_seed(config.seed)
    start = MrCNN(model).state_dict()
    for name, value in network.state_dict().items():
        assert not torch.equal(value, start[name]), name


# the files of a run


def test_a_run_leaves_its_files(run):
    names = {path.name for path in run.iterdir()}
    checkpoints = {f"cnn_epoch_{n}.pth" for n in (1, 2, 3, 4)}
    assert names == checkpoints | {"cnn_average.pth", "metrics.csv", "tensorboard", "config.json", "state.pt"}


def test_metrics_csv_has_a_row_per_epoch(run):
    rows = read_history(run)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert list(rows[0]) == ["epoch", "loss", "accuracy", "momentum", "seconds", "samples_per_second"]
    np.testing.assert_allclose([row["momentum"] for row in rows], np.linspace(0.7, 0.85, 8)[1::2])


def test_config_json_holds_the_settings(run):
    assert json.loads((run / "config.json").read_text()) == {
        **json.loads(json.dumps(asdict(TINY))),
        "effective_batch": 4,
    }


def test_a_checkpoint_holds_its_epoch_seed_and_scores(run):
    network, about = load_checkpoint(run / "cnn_epoch_3.pth")
    assert network.config == TINY.model
    assert (about["epoch"], about["seed"]) == (3, 4)
    assert about["scores"] == read_history(run)[2]


def test_the_average_is_the_mean_of_the_last_epochs(run):
    third, last = (weights(run / f"cnn_epoch_{n}.pth") for n in (3, 4))
    for name, value in weights(run / "cnn_average.pth").items():
        torch.testing.assert_close(value, (third[name] + last[name]) / 2)
    assert load_checkpoint(run / "cnn_average.pth")[1]["mean of epochs"] == [3, 4]


def test_tensorboard_shows_the_curves(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard")).Reload()
    losses = events.Scalars("loss")
    assert [event.step for event in losses] == [1, 2, 3, 4]
    np.testing.assert_allclose([event.value for event in losses], [row["loss"] for row in read_history(run)], rtol=1e-6)


def test_progress_and_epochs_are_reported(tmp_path):
    states, rows = [], []
    train(Crops(5), tmp_path, replace(TINY, epochs=2), on_progress=states.append, on_epoch=rows.append)
    ends = [state for state in states if state.step == state.steps]
    assert [(state.epoch, state.steps) for state in ends] == [(1, 2), (2, 2)]
    assert [state.loss for state in ends] == [row["loss"] for row in rows]
    assert [state.measure for state in ends] == [("accuracy", row["accuracy"]) for row in rows]
    assert rows == read_history(tmp_path)


def test_statistics_of_the_samples_become_part_of_the_network(tmp_path):
    network, _ = load_checkpoint(train(Crops(2), tmp_path, fit_input(ONE_STEP, Crops(2))))
    assert (network.config.mean, network.config.std) == (Crops.mean, Crops.std)
    assert network.config.trained_range == Crops.value_range


# seeds, interruption, resuming


def test_another_seed_gives_other_weights(run, tmp_path):
    train(Crops(8), tmp_path, replace(TINY, epochs=1, seed=2))
    first, second = weights(run / "cnn_epoch_1.pth"), weights(tmp_path / "cnn_epoch_1.pth")
    assert not any(torch.equal(first[name], second[name]) for name in first if name.endswith("weight"))


def interrupt_in(epoch):
    def on_progress(state):
        if state.epoch == epoch:
            raise KeyboardInterrupt

    return on_progress


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(run, tmp_path):
    """On a CPU they are exactly the same, which also shows that a seed gives the same weights again."""
    with pytest.raises(KeyboardInterrupt):
        train(Crops(8), tmp_path, TINY, on_progress=interrupt_in(3))
    load_checkpoint(tmp_path / "cnn_epoch_2.pth")
    assert not (tmp_path / "cnn_epoch_3.pth").exists()
    assert_same(tmp_path / "cnn_epoch_2.pth", run / "cnn_epoch_2.pth")

    torch.rand(7)  # random numbers that the rest of a program may draw
    assert train(Crops(8), tmp_path, TINY, resume=True) == tmp_path / "cnn_epoch_4.pth"
    assert_same(tmp_path / "cnn_epoch_4.pth", run / "cnn_epoch_4.pth")
    for row, expected in zip(read_history(tmp_path), read_history(run), strict=True):
        assert (row["epoch"], row["loss"], row["accuracy"]) == (
            expected["epoch"],
            expected["loss"],
            expected["accuracy"],
        )


@pytest.mark.parametrize("at", [3, 4, 7])
def test_a_run_that_is_stopped_continues_at_the_same_step(at, run, tmp_path):
    """It is stopped in the first epoch, at its end, and in a later epoch; an epoch has 2 steps."""
    asked = itertools.count(1)
    with pytest.raises(Stopped, match=naming(2 - at % 2, 2, f"--resume {tmp_path}")) as stopped:
        train(Crops(8), tmp_path, TINY, should_stop=lambda: signal.SIGUSR1 * (next(asked) == at))
    assert stopped.value.signal == signal.SIGTERM  # not Ctrl-C
    samples = Crops(8)
    train(samples, tmp_path, TINY, resume=True)
    assert samples.batches == 8 - at
    assert_same(tmp_path / "cnn_epoch_4.pth", run / "cnn_epoch_4.pth")
    for row, expected in zip(read_history(tmp_path), read_history(run), strict=True):
        assert [row[name] for name in ("epoch", "loss", "accuracy")] == [
            expected[name] for name in ("epoch", "loss", "accuracy")
        ]


def test_a_validation_that_fails_costs_no_epoch(tmp_path):
    def fails(network):
        raise DataError("a damaged image")

    with pytest.raises(DataError):
        train(Crops(8), tmp_path, replace(TINY, epochs=1), validate=fails)
    samples = Crops(8)
    train(samples, tmp_path, replace(TINY, epochs=1), resume=True, validate=lambda network: {"CC": 0.5})
    assert samples.batches == 0
    assert (tmp_path / "cnn_best.pth").is_file()


def test_unfinished_files_of_a_killed_process_are_removed(tmp_path):
    train(Crops(2), tmp_path, ONE_STEP)
    (tmp_path / ".state.pt.x7.part").write_bytes(b"half")
    train(Crops(2), tmp_path, ONE_STEP, resume=True)
    assert not list(tmp_path.glob(".*"))


def test_memory_that_runs_out_is_an_error_of_one_line(tmp_path):
    class Greedy(Crops):
        def batch(self, index):
            return torch.empty(2**60), torch.empty(2)

    with pytest.raises(TrainingError, match=naming("memory", "--batch_size")):
        train(Greedy(2), tmp_path, ONE_STEP)


def test_a_complete_run_is_resumed_at_no_cost_and_can_be_made_longer(tmp_path):
    samples = Crops(2)
    train(samples, tmp_path, ONE_STEP)
    assert train(samples, tmp_path, ONE_STEP, resume=True) == tmp_path / "cnn_epoch_1.pth"
    assert samples.batches == 1
    assert train(samples, tmp_path, replace(ONE_STEP, epochs=2), resume=True) == tmp_path / "cnn_epoch_2.pth"
    assert samples.batches == 2


def test_a_run_is_resumed_with_scores_of_numpy_and_with_validation_added(tmp_path):
    train(Crops(2), tmp_path, ONE_STEP)
    for epochs in (2, 3):
        config = replace(ONE_STEP, epochs=epochs)
        train(Crops(2), tmp_path, config, validate=lambda network: {"CC": np.float64(0.5)}, resume=True)
    rows = read_history(tmp_path)
    assert [row.get("val_CC") for row in rows] == [None, 0.5, 0.5]


def test_a_run_cannot_be_resumed_with_other_settings_or_from_nothing(tmp_path):
    with pytest.raises(FileError, match=naming(tmp_path / "state.pt")):
        train(Crops(2), tmp_path, ONE_STEP, resume=True)
    train(Crops(2), tmp_path, ONE_STEP)
    changed = replace(ONE_STEP, learning_rate=0.5, watch="NSS", model=tiny(variant="blur"))
    with pytest.raises(InputError, match=naming("learning_rate", 0.05, 0.5, "model", "watch")):
        train(Crops(2), tmp_path, changed, resume=True)


def test_a_run_cannot_be_resumed_with_another_batch(tmp_path):
    train(Crops(2), tmp_path, ONE_STEP)
    with pytest.raises(InputError, match=naming("effective_batch", 2, 3)):
        train(Crops(2), tmp_path, replace(ONE_STEP, batch_size=3), resume=True)


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign"])
def test_a_damaged_state_is_refused(damage, tmp_path):
    state = tmp_path / "state.pt"
    torch.save({"X": torch.zeros(1000)}, state)
    if damage != "foreign":
        state.write_bytes(state.read_bytes()[: 1000 if damage == "truncated" else 0])
    with pytest.raises(DataError, match=r"state\.pt"):
        train(Crops(2), tmp_path, ONE_STEP, resume=True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state["history"].update(totals=[0.0, 10**400, 1.0]),
        lambda state: state["history"].update(totals=[float("nan")] * 3),
        lambda state: state["history"].update(epoch="1"),
        lambda state: state["history"].update(step=-1),
        lambda state: state["history"].update(rows=[]),
        lambda state: state["history"].update(rows=5),
        lambda state: state["optimiser"]["param_groups"][0].update(lr=None),
        lambda state: state["optimiser"]["param_groups"].clear(),
        lambda state: state["optimiser"]["state"].update({0: []}),
        lambda state: state["optimiser"]["state"].update({99: {"momentum_buffer": torch.zeros(1)}}),
        lambda state: state["optimiser"]["state"][0].update(momentum_buffer=torch.zeros(7)),
        lambda state: state["optimiser"]["state"][0].update(momentum_buffer="x"),
        lambda state: state.update(config=5),
    ],
)
def test_a_state_of_which_a_value_is_damaged_is_refused(damage, run, tmp_path):
    state = weights(run / "state.pt")
    damage(state)
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(DataError, match=r"state\.pt"):
        train(Crops(8), tmp_path, replace(TINY, epochs=6), resume=True)


def test_a_run_from_before_widths_could_be_set_can_be_resumed():
    """Its settings, with which those of the resumed run are compared, do not have widths."""
    assert not WIDTHS.keys() & as_json(TrainConfig())["model"].keys()
    assert as_json(TINY)["model"]["hidden"] == WIDTHS["hidden"]


# what can go wrong


@pytest.mark.parametrize("first", [2, 3])
def test_a_loss_that_is_not_a_number_ends_the_run_and_keeps_earlier_checkpoints(first, tmp_path):
    """The loss is not a number from the last batch of the first epoch on, or from the first batch of the second epoch."""
    with pytest.raises(TrainingError, match=naming("nan", "--learning_rate")):
        train(SpoiltCrops(4, first=first), tmp_path, replace(ONE_STEP, epochs=3))
    complete = ["cnn_epoch_1.pth"] if first == 3 else []
    assert [path.name for path in tmp_path.glob("cnn_*")] == complete
    for name in complete:
        load_checkpoint(tmp_path / name)


@pytest.mark.parametrize(("rate", "named"), [(1e30, ["nan", 2]), (3e38, [1])])
def test_a_learning_rate_that_is_far_too_high_ends_the_run_and_keeps_no_broken_checkpoint(rate, named, tmp_path):
    with pytest.raises(TrainingError, match=naming(*named, "--learning_rate")):
        train(Crops(2), tmp_path, replace(ONE_STEP, epochs=3, learning_rate=rate))
    for path in tmp_path.glob("cnn_*"):
        load_checkpoint(path)


def test_a_folder_that_cannot_be_made_is_a_file_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=naming(tmp_path / "file")):
        train(Crops(2), tmp_path / "file" / "run", ONE_STEP)


def test_a_full_disk_is_a_file_error_and_keeps_the_last_checkpoint(tmp_path):
    """There is enough room for a checkpoint, and too little for the state, which also holds the velocities of the optimiser."""
    with small_disk(60_000), pytest.raises(FileError, match=r"state\.pt"):
        train(Crops(2), tmp_path, ONE_STEP)
    load_checkpoint(tmp_path / "cnn_epoch_1.pth")


def test_no_samples_are_refused(tmp_path):
    with pytest.raises(InputError, match="sample"):
        train(Crops(0), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"start_momentum": -0.1},
        {"end_momentum": 1.0},
        {"weight_decay": -1e-4},
        {"conv1_limit": -0.1},
        {"patience": 0},
        {"patience": -2},
        {"devices": 0},
        {"average": 0},
        {"timeout": 0},
        {"seed": -1},
    ],
)
def test_impossible_settings_are_refused_by_name(settings):
    [(name, value)] = settings.items()
    with pytest.raises(InputError, match=naming(value)) as caught:
        TrainConfig(**settings)
    assert mentions(str(caught.value), name)


# validation and early stopping


def scripted(*scores):
    """A validation that returns these scores one after another."""
    upcoming = iter(scores)
    return lambda network: {"AUC": 0.5, "CC": next(upcoming)}


@pytest.mark.parametrize(
    ("patience", "scores", "epochs", "best"),
    [
        (2, [0.5, 0.5, 0.4], 3, 1),  # an equal score is not better
        (1, [0.5, 0.4], 2, 1),  # patience counts from the first epoch
        (1, [-0.3, -0.2, -0.25], 3, 2),
        (-1, [0.5, 0.4, 0.3, 0.2], 4, 1),
    ],
)
def test_training_stops_when_the_score_has_not_risen_and_keeps_the_best(patience, scores, epochs, best, tmp_path):
    config = replace(ONE_STEP, epochs=4, patience=patience)
    path = train(Crops(2), tmp_path, config, validate=scripted(*scores))
    assert path == tmp_path / "cnn_best.pth"
    assert len(list(tmp_path.glob("cnn_epoch_*.pth"))) == epochs
    assert_same(path, tmp_path / f"cnn_epoch_{best}.pth")
    assert load_checkpoint(path)[1]["epoch"] == best
    assert [row["val_CC"] for row in read_history(tmp_path)] == scores


def test_the_best_divergence_is_the_lowest(tmp_path):
    scores = iter([0.9, 0.6, 0.8])
    config = replace(ONE_STEP, epochs=3, watch="KL")
    best = train(Crops(2), tmp_path, config, validate=lambda network: {"KL": next(scores)})
    assert load_checkpoint(best)[1]["epoch"] == 2


def test_patience_outlives_an_interruption(tmp_path):
    config = replace(ONE_STEP, epochs=5, patience=2)
    with pytest.raises(KeyboardInterrupt):
        train(Crops(2), tmp_path, config, validate=scripted(0.5, 0.4), on_progress=interrupt_in(3))
    best = train(Crops(2), tmp_path, config, validate=scripted(0.45), resume=True)
    assert load_checkpoint(best)[1]["epoch"] == 1
    assert len(read_history(tmp_path)) == 3


def test_patience_begins_with_the_first_validation(tmp_path):
    train(Crops(2), tmp_path, replace(ONE_STEP, epochs=3))
    config = replace(ONE_STEP, epochs=9, patience=2)
    best = train(Crops(2), tmp_path, config, validate=scripted(0.5, 0.4, 0.3), resume=True)
    assert load_checkpoint(best)[1]["epoch"] == 4
    assert len(read_history(tmp_path)) == 6


def test_validation_sees_the_network_with_dropout_off_and_training_goes_on_with_it_on(tmp_path):
    modes = []

    def validate(network):
        modes.append(network.training)
        return {"CC": 0.0}

    train(Crops(2), tmp_path / "validated", replace(ONE_STEP, epochs=2), validate=validate)
    train(Crops(2), tmp_path / "plain", replace(ONE_STEP, epochs=2))
    assert modes == [False, False]
    assert_same(tmp_path / "validated" / "cnn_epoch_2.pth", tmp_path / "plain" / "cnn_epoch_2.pth")


def test_patience_without_validation_is_refused(tmp_path):
    with pytest.raises(InputError, match=naming("--use_val")):
        train(Crops(2), tmp_path, replace(ONE_STEP, patience=3))


def test_a_metric_that_validation_does_not_give_cannot_be_watched(tmp_path):
    with pytest.raises(InputError, match=naming("NSS", "AUC", "CC")):
        train(Crops(2), tmp_path, replace(ONE_STEP, watch="NSS"), validate=scripted(0.5))


def test_reading_the_history_of_no_run_is_a_file_error(tmp_path):
    with pytest.raises(FileError, match=r"metrics\.csv"):
        read_history(tmp_path)
