"""The improved network: every step from the published data sets to the weights and scores of docs/results.md.

    python benchmarks/improved.py features --work DIR      # what the stream's first stages give, computed once
    python benchmarks/improved.py train --work DIR --name frozen              # the readout, the stream as it is
    python benchmarks/improved.py train --work DIR --name tuned --start frozen --stream_rate 1e-4     # both
    python benchmarks/improved.py evaluate --work DIR --name tuned            # on the validation pictures
    python benchmarks/improved.py evaluate --work DIR --name tuned --sets osie-test mit1003-100

A run saves its state after every epoch and goes on from there when it is started again. The data are found through
MRSAL_DATA, or at ../shared/data beside the checkout. Training pictures are those of OSIE, of the SUN scenes and of EyeCrowd;
choices are made on their validation pictures, and MIT1003 is only ever scored on.
"""

import argparse
import csv
import json
import os
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional as F

from mrsal.datasets import FixationDataset, fixation_density, load
from mrsal.datasets.fixations import fixation_map
from mrsal.datasets.sun import SIGMA_SHARE
from mrsal.evaluation import comparison_picture, sheet
from mrsal.evaluation.baselines import CentreBias
from mrsal.metrics import protocol, score
from mrsal.model.checkpoint import save_checkpoint
from mrsal.model.improved import PRIOR_CELLS, ImprovedConfig, ImprovedNetwork, Stream, level_size, load_imagenet_weights

SETS = ("osie", "sun", "crowd")
FROZEN = 4  # the stages of the stream that are never trained; what they give is stored


def data_root() -> Path:
    root = Path(os.environ.get("MRSAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not root.is_dir():
        sys.exit(f"no data at {root}; set MRSAL_DATA to the folder that holds osie/, sun/, crowd/ and mit1003/")
    return root


def sigma_of(data: FixationDataset, index: int) -> float:
    """Standard deviation of a picture's fixation density as a share of its longer side."""
    longer = max(data.stimuli[index].shape)
    return SIGMA_SHARE if data.name == "sun" else data.pixels_per_degree / longer


def level_of(image: np.ndarray, longer: int) -> Tensor:
    """``(H, W, 3)`` uint8 to ``(1, 3, h, w)`` in [0, 1]."""
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    size = level_size(*image.shape[:2], longer)
    return F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def features(work: Path, resolutions: list[int]) -> None:
    """Store what the stream's first stages give for each picture and its mirror image, float16."""
    stream = Stream().eval()
    load_imagenet_weights(stream)
    stream.to(memory_format=torch.channels_last)
    (work / "cache").mkdir(parents=True, exist_ok=True)
    for name in SETS:
        data = load(name, data_root() / name)
        members = np.sort(np.concatenate([data.split("train"), data.split("val")]))
        for longer in resolutions:
            path = work / "cache" / f"{name}-{longer}.pt"
            if path.is_file():
                continue
            began, stored = time.monotonic(), {}
            for n, i in enumerate(members):
                level = level_of(data.stimuli[i].read(), longer)
                both = torch.cat([level, level.flip(-1)]).contiguous(memory_format=torch.channels_last)
                with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                    stored[int(i)] = stream.until(both, FROZEN).half().contiguous()  # (2, C, h, w)
                if n % 50 == 0:
                    print(f"{name} {longer}: {n}/{len(members)}, {time.monotonic() - began:.0f} s", flush=True)
            torch.save(stored, path.with_suffix(".part"))
            path.with_suffix(".part").rename(path)


# -------------------------------------------------------------------------------------------------------------- the pictures


@dataclass
class Picture:
    """One picture as training sees it: stored features, and where its fixations fell on the output's grid."""

    name: str  # of its data set
    stored: list[Tensor]  # per resolution (2, C, h, w): as it is, mirrored
    counts: Tensor  # (H, W) fixations
    density: Tensor  # (H, W), sums to 1
    x: np.ndarray  # fixations in units of the sides
    y: np.ndarray


def pictures(work: Path, split: str, sets: tuple[str, ...], options: "Options") -> list[Picture]:
    """The pictures of a split; the output's grid has ``options.fine`` cells along each side of a cell of the readout."""
    return at_resolutions(work, split, sets, options, options.resolutions)


def at_resolutions(
    work: Path, split: str, sets: tuple[str, ...], options: "Options", resolutions: tuple[int, ...]
) -> list[Picture]:
    found = []
    for name in sets:
        data = load(name, data_root() / name)
        stored = {r: torch.load(work / "cache" / f"{name}-{r}.pt", mmap=True) for r in resolutions}
        for i in data.split(split).tolist():
            points, shape = data.fixations_of(i), data.stimuli[i].shape
            size = output_size(level_size(*shape, resolutions[0]), options)
            x, y = points.x / shape[1], points.y / shape[0]
            at = (x * size[1], y * size[0])
            sigma = sigma_of(data, i) * max(size)
            found.append(
                Picture(
                    name,
                    [stored[r][i] for r in resolutions],
                    torch.from_numpy(fixation_map(*at, size)).float(),
                    torch.from_numpy(fixation_density(*at, size, sigma=sigma)).float(),
                    x,
                    y,
                )
            )
    return found


def output_size(level: tuple[int, int], options: "Options") -> tuple[int, int]:
    return level[0] * options.fine // options.cell, level[1] * options.fine // options.cell


def log_priors(train: list[Picture]) -> dict[str, Tensor]:
    """Log-density of where people look whatever is shown, (64, 64): of each set, and "" for a picture of unknown origin."""
    found = {}
    for name in dict.fromkeys(p.name for p in train):
        members = [p for p in train if p.name == name]
        x, y = (np.concatenate([getattr(p, axis) for p in members]) for axis in "xy")
        counts = fixation_map(x * PRIOR_CELLS, y * PRIOR_CELLS, (PRIOR_CELLS, PRIOR_CELLS))
        smooth = gaussian_filter(counts, 0.05 * PRIOR_CELLS, mode="reflect")
        found[name] = 0.99 * smooth / smooth.sum() + 0.01 / smooth.size
    found[""] = np.mean(list(found.values()), axis=0)
    return {name: torch.from_numpy(np.log(value * value.size)).float() for name, value in found.items()}


# -------------------------------------------------------------------------------------------------------------- the training


@dataclass
class Options:
    """What a run is; stored beside its weights."""

    resolutions: tuple[int, ...] = (512, 256)
    strides: tuple[int, ...] = (8, 16, 32)
    cell: int = 16
    fine: int = 2  # cells of the output along each side of a cell of the readout
    widths: tuple[int, int, int] = (128, 64, 32)
    dropout: float = 0.25
    sets: tuple[str, ...] = SETS
    epochs: int = 8
    stop: int = 0  # stop after this epoch, with a schedule for all of them; 0: go on to the end
    batch: int = 8
    rate: float = 2e-3  # of the readout
    stream_rate: float = 0.0  # of the stream, in units of each tensor's root mean square; 0 leaves it as it is
    stage_decay: float = 1.0  # factor of the stream's rate from a stage to the one before it
    decay: float = 1e-2
    kl: float = 1.0
    nll: float = 0.0
    cc: float = 1.0
    nss: float = 0.0
    unknown: float = 0.3  # share of the pictures that are trained with the prior for unknown origin
    flips: bool = True
    also: tuple[int, ...] = ()  # other sizes to train at too: as many numbers as resolutions, once or several times
    average: float = 0.995  # decay of the averaged weights, per step
    seed: int = 0
    start: str = ""  # name of the run whose averaged weights this one starts from

    def config(self) -> ImprovedConfig:
        return ImprovedConfig(self.resolutions, self.strides, self.cell, self.widths, self.dropout)


def new_network(options: Options, train: list[Picture]) -> ImprovedNetwork:
    """Pretrained stream, fresh readout; the features' mean and deviation measured on every fourth training picture."""
    torch.manual_seed(options.seed)
    network = ImprovedNetwork(options.config())
    load_imagenet_weights(network.stream)
    network.to(memory_format=torch.channels_last).eval()
    sums: list[list[Tensor]] = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for picture in train[::4]:
            maps = [f[s] for f in stream_features(network, [picture], [0]) for s in options.strides]
            sums.append([torch.stack([m.float().mean((0, 2, 3)), m.float().square().mean((0, 2, 3))]) for m in maps])
    for n, part in enumerate(network.readout.standardise):
        mean, square = torch.stack([row[n] for row in sums]).mean(0)
        part.mean.copy_(mean)
        part.std.copy_((square - mean.square()).clamp_min(0).sqrt() + 1e-3)
    network.log_prior.copy_(log_priors(train)[""])
    return network


def stream_features(network: ImprovedNetwork, batch: list[Picture], flips: list[int]) -> list[dict[int, Tensor]]:
    found = []
    for level in range(len(network.config.resolutions)):
        x = torch.stack([p.stored[level][flip].float() for p, flip in zip(batch, flips, strict=True)])
        found.append(network.stream(x.contiguous(memory_format=torch.channels_last), begin=FROZEN))
    return found


def predict(network: ImprovedNetwork, batch: list[Picture], flips: list[int], prior: Tensor | None) -> Tensor:
    """Log-densities ``(B, H, W)`` of pictures of one size."""
    with torch.autocast("cpu", torch.bfloat16):
        found = stream_features(network, batch, flips)
        size = tuple(batch[0].counts.shape)
        grid = tuple(side * 8 // network.config.cell for side in batch[0].stored[0].shape[-2:])
        return network.from_features(found, grid, size, log_prior=prior)


def loss_of(log_p: Tensor, counts: Tensor, target: Tensor, options: Options) -> Tensor:
    """Weighted sum of the losses, ``(B,)``: lower is better."""
    p, both = log_p.exp(), (1, 2)
    share = counts / counts.sum(both, keepdim=True)
    z = (p - p.mean(both, keepdim=True)) / p.std(both, keepdim=True)
    zt = (target - target.mean(both, keepdim=True)) / target.std(both, keepdim=True)
    loss = options.kl * (target * ((target + 1e-9).log() - log_p)).sum(both)
    loss = loss - options.nll * (share * log_p).sum(both)
    loss = loss - options.cc * (z * zt).mean(both)
    return loss - options.nss * (z * share).sum(both)


def parameter_groups(network: ImprovedNetwork, options: Options) -> list[dict]:
    """Readout as one group; each tensor of the stream that is trained as its own.

    Filters of one channel are left as they are: their gradient takes half of all the time in bfloat16, and they are 1 % of
    the stream's weights.
    """
    network.stream.requires_grad_(False)
    rest = [p for name, p in network.named_parameters() if not name.startswith("stream.")]
    groups = [{"params": rest, "lr": options.rate, "weight_decay": options.decay}]
    if options.stream_rate:
        for name, p in network.stream.named_parameters():
            stage = int(name.split(".")[1])
            if stage < FROZEN or "depthwise" in name or name.startswith(f"stages.{FROZEN}.0.expand"):
                continue
            p.requires_grad_(True)
            scale = options.stream_rate * options.stage_decay ** (len(network.stream.stages) - 1 - stage)
            groups.append({"params": [p], "lr": scale * float(p.detach().square().mean().sqrt()), "weight_decay": 0.0})
    return groups


def train(work: Path, name: str, options: Options) -> None:
    folder = work / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "options.json").write_text(json.dumps(asdict(options), indent=1))
    members, held = (
        pictures(work, split, options.sets if split == "train" else SETS, options) for split in ("train", "val")
    )
    priors = log_priors(members)
    count = len(options.resolutions)
    others = [options.also[i : i + count] for i in range(0, len(options.also), count)]
    scales = [members] + [at_resolutions(work, "train", options.sets, options, sizes) for sizes in others]
    network = new_network(options, members)
    if options.start:
        network.load_state_dict(torch.load(work / "runs" / options.start / "average.pt"))
        network.log_prior.copy_(priors[""])
    network.to(memory_format=torch.channels_last)
    groups = parameter_groups(network, options)
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    steps = len(members) // options.batch
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: one_cycle(step / (steps * options.epochs)))
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    done, rows = 0, []
    if (folder / "state.pt").is_file():
        state = torch.load(folder / "state.pt", weights_only=False)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        average, done, rows = state["average"], state["epoch"], state["rows"]
    for epoch in range(done, options.epochs):
        rng = np.random.default_rng([options.seed, epoch])
        torch.manual_seed(1000 * options.seed + epoch)
        order, total, began, cpu = rng.permutation(len(members)), 0.0, time.monotonic(), time.process_time()
        network.train()
        for step in range(steps):
            scale = scales[rng.integers(len(scales))]
            chosen = [scale[i] for i in order[step * options.batch : (step + 1) * options.batch]]
            optimiser.zero_grad(set_to_none=True)
            for batch in same_size(chosen):
                flips = rng.integers(0, 2, len(batch)).tolist() if options.flips else [0] * len(batch)
                unknown = rng.random(len(batch)) < options.unknown
                prior = torch.stack([priors["" if u else p.name] for p, u in zip(batch, unknown, strict=True)])
                counts, target = torch.stack([p.counts for p in batch]), torch.stack([p.density for p in batch])
                mirrored = torch.tensor(flips, dtype=torch.bool)[:, None, None]
                prior, counts, target = (torch.where(mirrored, v.flip(-1), v) for v in (prior, counts, target))
                loss = loss_of(predict(network, batch, flips, prior), counts, target, options).sum() / options.batch
                loss.backward()
                total += float(loss.detach())
            torch.nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], 5.0)
            optimiser.step()
            schedule.step()
            passed = epoch * steps + step + 1
            keep = min(options.average, passed / (passed + 10))
            for k, v in network.state_dict().items():
                average[k].lerp_(v, 1 - keep)
        row = {"epoch": epoch + 1, "loss": total / steps, "seconds": time.monotonic() - began}
        row["cpu"] = time.process_time() - cpu
        now = {k: v.clone() for k, v in network.state_dict().items()}
        if epoch % 2 or epoch == options.epochs - 1:
            network.load_state_dict(average)
            row |= validate(network, held, priors)
            network.load_state_dict(now)
        rows.append(row)
        state = {"network": now, "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
        save(state | {"average": average, "epoch": epoch + 1, "rows": rows}, folder / "state.pt")
        save(average, folder / "average.pt")
        (folder / "log.json").write_text(json.dumps(rows, indent=1))
        print(name, {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
        if epoch + 1 == options.stop:
            break


def save(value: object, path: Path) -> None:
    torch.save(value, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def one_cycle(done: float) -> float:
    """Share of the highest rate: up in the first tenth, then down along a cosine."""
    return 0.05 + 0.95 * done / 0.1 if done < 0.1 else 0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * (done - 0.1) / 0.9))


def same_size(chosen: list[Picture]) -> list[list[Picture]]:
    groups: dict[tuple, list[Picture]] = {}
    for picture in chosen:
        groups.setdefault((picture.stored[0].shape, picture.stored[-1].shape), []).append(picture)
    return list(groups.values())


@torch.inference_mode()
def validate(network: ImprovedNetwork, held: list[Picture], priors: dict[str, Tensor]) -> dict[str, float]:
    """Mean scores per set on the output's grid, with the prior for unknown origin; IG over the set's own training prior."""
    network.eval()
    found: dict[str, list[float]] = {}
    for name in dict.fromkeys(p.name for p in held):
        members = [p for p in held if p.name == name]
        for picture in members:
            log_p = predict(network, [picture], [0], None)[0]
            others = [p for p in members if p is not picture]
            row = grid_scores(log_p, picture, others, priors.get(name, priors[""]))
            for metric, value in row.items():
                found.setdefault(f"{name} {metric}", []).append(value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def grid_scores(log_p: Tensor, picture: Picture, others: list[Picture], log_prior: Tensor) -> dict[str, float]:
    p, (H, W) = log_p.exp(), log_p.shape
    z = (p - p.mean()) / p.std(correction=0)
    t = picture.density
    zt = (t - t.mean()) / t.std(correction=0)
    at = (picture.counts / picture.counts.sum()).flatten()
    base = F.interpolate(log_prior[None, None], size=(H, W), mode="bilinear", align_corners=False)[0, 0]
    base = base - base.flatten().logsumexp(0)
    negatives = torch.stack([resized_counts(o, (H, W)) for o in others]).sum(0).flatten()
    order = log_p.flatten().argsort()
    below = negatives[order].cumsum(0) - 0.5 * negatives[order]
    sauc = float((at[order] * below).sum() / negatives.sum())
    return {
        "NSS": float((z.flatten() * at).sum()),
        "CC": float((z * zt).mean()),
        "KL": float((t * ((t + 1e-9).log() - log_p)).sum()),
        "IG": float((((log_p - base).flatten()) * at).sum() / np.log(2)),
        "sAUC": sauc,
    }


def resized_counts(picture: Picture, size: tuple[int, int]) -> Tensor:
    if picture.counts.shape == size:
        return picture.counts
    at = (np.clip(picture.x, 0, 1 - 1e-9) * size[1], np.clip(picture.y, 0, 1 - 1e-9) * size[0])
    return torch.from_numpy(fixation_map(*at, size)).float()


# ------------------------------------------------------------------------------------------------------------------ the scores


def examples_of(name: str) -> tuple[FixationDataset, list[int]]:
    """A data set and the pictures to score: ``"osie-val"``, ``"osie-test"``, ``"mit1003-100"``, ``"mit1003-all"`` and so on."""
    base, part = name.split("-")
    data = load(base, data_root() / base)
    if base != "mit1003":
        return data, data.split(part).tolist()
    data = data.without_first_fixations()
    members = [i for i, s in enumerate(data.stimuli) if part == "all" or s.density_path is not None]
    return data, members


@torch.inference_mode()
def evaluate(work: Path, name: str, sets: list[str]) -> None:
    """Score a run's averaged weights at the size of the pictures, by the protocol "tuebingen"; one row per picture."""
    network = load_run(work, name)
    for part in sets:
        path = work / "runs" / name / f"scores-{part}.csv"
        data, members = examples_of(part)
        scored = [
            SimpleNamespace(name=data.stimuli[i].name, fixations=data.fixations_of(i), shape=data.stimuli[i].shape)
            for i in members
        ]
        for example in scored:
            example.pyramid = example  # all that the centre bias asks of it is the shape
        bias, rules = CentreBias(scored), protocol("tuebingen")
        relative = [(e.fixations.x / e.shape[1], e.fixations.y / e.shape[0]) for e in scored]
        rows = []
        for n, (i, example) in enumerate(zip(members, scored, strict=True)):
            H, W = example.shape
            x = torch.from_numpy(data.stimuli[i].read().copy()).permute(2, 0, 1)[None].float() / 255
            with torch.autocast("cpu", torch.bfloat16):
                map_ = network(x)[0].exp().numpy().astype(np.float64)
            others = [relative[m] for m in range(len(scored)) if m != n]
            sigma = (
                sigma_of(data, i) * max(H, W) if data.name == "sun" else rules.sigma(data.name, data.pixels_per_degree)
            )
            points = example.fixations
            row = score(
                map_,
                protocol=rules,
                x=points.x,
                y=points.y,
                target=fixation_density(points.x, points.y, example.shape, sigma=sigma),
                other_x=np.minimum(np.concatenate([o[0] for o in others]) * W, W - 1e-6),
                other_y=np.minimum(np.concatenate([o[1] for o in others]) * H, H - 1e-6),
                baseline=bias.density(example.shape, leave_out=example.name),
                density=map_,
            )
            rows.append({"name": example.name, **row})
            if n % 100 == 0:
                print(part, n, flush=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        values = np.array([[row[metric] for metric in rules.metrics] for row in rows])
        half = 1.96 * values.std(0, ddof=1) / np.sqrt(len(rows))
        line = "  ".join(f"{m} {v:.3f} ±{h:.3f}" for m, v, h in zip(rules.metrics, values.mean(0), half, strict=True))
        print(f"{name} on {part} ({len(rows)}): {line}", flush=True)


def load_run(work: Path, name: str) -> ImprovedNetwork:
    folder = work / "runs" / name
    known = {field.name for field in fields(Options)}
    stored = json.loads((folder / "options.json").read_text())
    options = Options(**{k: tuple(v) if isinstance(v, list) else v for k, v in stored.items() if k in known})
    network = ImprovedNetwork(options.config()).eval()
    network.load_state_dict(torch.load(folder / "average.pt"))
    return network.to(memory_format=torch.channels_last)


def blend(work: Path, name: str, names: list[str]) -> None:
    """The mean of the averaged weights of several runs that started from the same weights, as a run of its own."""
    states = [torch.load(work / "runs" / part / "average.pt") for part in names]
    folder = work / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    mean = {key: torch.stack([state[key] for state in states]).mean(0) for key in states[0]}
    save(mean, folder / "average.pt")
    stored = json.loads((work / "runs" / names[0] / "options.json").read_text())
    (folder / "options.json").write_text(json.dumps({**stored, "blend": names}, indent=1))


def export(work: Path, name: str, path: Path) -> None:
    """The averaged weights of a run as float16 ``.safetensors``, with the configuration in its header."""
    network = load_run(work, name)
    save_checkpoint(network, path, about={"run": name}, half=True)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


@torch.inference_mode()
def draw(work: Path, name: str, part: str, out: Path, count: int) -> None:
    """Predicted beside measured densities of a scored set: the worst third by CC, then evenly from the rest, worst first.

    The pictures are those of the data sets, so the file is for whoever ran this and not for the repository.
    """
    network, (data, members) = load_run(work, name), examples_of(part)
    with (work / "runs" / name / f"scores-{part}.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    order = sorted(members, key=lambda i: float(rows[data.stimuli[i].name]["CC"]))
    rest = np.linspace(count // 3, len(order) - 1, count - count // 3).round().astype(int)
    drawn = []
    for i in [*order[: count // 3], *(order[n] for n in rest)]:
        stimulus, points, row = data.stimuli[i], data.fixations_of(i), rows[data.stimuli[i].name]
        image = stimulus.read()
        x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            map_ = network(x)[0].exp().numpy()
        target = fixation_density(points.x, points.y, stimulus.shape, sigma=sigma_of(data, i) * max(stimulus.shape))
        caption = f"{stimulus.name}  " + "  ".join(f"{m} {float(row[m]):.2f}" for m in ("CC", "NSS", "IG", "sAUC"))
        drawn.append(comparison_picture(image, map_, target, caption=caption))
    Image.fromarray(sheet(drawn, width=760, columns=3)).save(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("features")
    one.add_argument("--work", type=Path, required=True)
    one.add_argument("--resolutions", type=int, nargs="+", default=list(Options.resolutions))
    one = commands.add_parser("train")
    one.add_argument("--work", type=Path, required=True)
    one.add_argument("--name", required=True, help="of the run")
    for field in fields(Options):
        many = isinstance(field.default, tuple)
        kind = type((*field.default, 0)[0]) if many else type(field.default)
        if kind is bool:
            one.add_argument(f"--{field.name}", type=int, default=field.default)
        else:
            one.add_argument(f"--{field.name}", type=kind, default=field.default, nargs="*" if many else None)
    one = commands.add_parser("evaluate")
    one.add_argument("--work", type=Path, required=True)
    one.add_argument("--name", required=True, help="of the run")
    one.add_argument("--sets", nargs="+", default=["osie-val", "sun-val", "crowd-val"])
    one = commands.add_parser("blend")
    one.add_argument("--work", type=Path, required=True)
    one.add_argument("--name", required=True, help="of the new run")
    one.add_argument("--names", nargs="+", required=True, help="of the runs to average")
    one = commands.add_parser("export")
    one.add_argument("--work", type=Path, required=True)
    one.add_argument("--name", required=True, help="of the run")
    one.add_argument("--out", type=Path, required=True, help="a .safetensors file")
    one = commands.add_parser("draw")
    one.add_argument("--work", type=Path, required=True)
    one.add_argument("--name", required=True, help="of a run that is scored")
    one.add_argument("--part", default="osie-val")
    one.add_argument("--out", type=Path, required=True, help="a .png file")
    one.add_argument("--count", type=int, default=30)
    arguments = vars(parser.parse_args())
    command, work = arguments.pop("command"), arguments.pop("work")
    if command == "features":
        features(work, arguments["resolutions"])
    elif command == "evaluate":
        evaluate(work, arguments["name"], arguments["sets"])
    elif command == "draw":
        draw(work, arguments["name"], arguments["part"], arguments["out"], arguments["count"])
    elif command == "blend":
        blend(work, arguments["name"], arguments["names"])
    elif command == "export":
        export(work, arguments["name"], arguments["out"])
    else:
        name = arguments.pop("name")
        train(work, name, Options(**{k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}))


if __name__ == "__main__":
    main()
