"""The command line: the functions that the notebooks call, for people who leave the notebook.

Each command reads its arguments, calls one function of the package and prints what it made. An error of ours is printed
as its one sentence; `svcnb --debug …` shows where it came from.

Notebook: 05_infer
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from svcnb.follow import follow
from svcnb.options import KNOWN, Options

OURS = (ValueError, OSError, KeyError, ImportError)  # what the package raises with a sentence for the person


class Plain(TyperGroup):
    """Prints an error as one sentence, without a traceback, and ends with exit code 1."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except OURS as error:
            sentence = _sentence(error)
            if ctx.params["debug"] or not sentence:
                raise
            typer.echo(f"Error: {sentence}", err=True)
            raise typer.Exit(1) from None


def _sentence(error: Exception) -> str:
    """What an error says, without Python's decoration; empty for a bare key, which is a slip of ours."""
    if isinstance(error, KeyError):
        return str(error.args[0]) if error.args and " " in str(error.args[0]) else ""
    return re.sub(r"^\[Errno \d+\] ", "", str(error))


app = typer.Typer(
    cls=Plain, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


def option(text: str, *names: str):
    return typer.Option(*names, help=text)


def about(name: str, *names: str):
    known = KNOWN[name]
    choices = f" One of {', '.join(known['choices'])}." if known["choices"] else ""
    usual = "" if known["usual"] is None else f" {known['usual']:g}, if not given."
    return option(known["meaning"] + choices + usual, *names)


@app.callback()
def options(debug: Annotated[bool, option("Show the traceback of an error.")] = False) -> None:
    """Singing voice conversion: prepare recordings, train a voice, convert a song. Ask the voices' owners first."""


@contextmanager
def _bar(unit: str) -> Iterator[Callable[[float, float], None]]:
    """A progress bar as the function of (done, total) that the package calls; only where someone watches."""
    from tqdm import tqdm

    with tqdm(disable=None, unit=unit, bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} {unit}, {remaining} left") as bar:

        def tell(done: float, total: float) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


@app.command()
def prepare(
    raw: Annotated[Path, typer.Argument(help="Folder with a folder of recordings for each singer.")],
    work: Annotated[Path, typer.Argument(help="Folder for clips, features, lists, settings and the training.")],
    encoder: Annotated[str, option("Speech encoder.")] = "vec768l12",
    encoder_path: Annotated[Path | None, option("Its weights file, if not the usual one.")] = None,
    f0: Annotated[str, option("Pitch predictor.")] = "fcpe",
    loudness: Annotated[str, option("Level of the recordings: peak, lufs or none.")] = "peak",
    preset: Annotated[str, option("Settings to start from: full, tiny or lesson.")] = "full",
    vol_aug: Annotated[bool, option("Learn loudness too.")] = False,
    processes: Annotated[int | None, option("How many at a time; as many as are sensible, if not given.")] = None,
    half: Annotated[
        bool, option("Compute in half precision: faster, units differ by a hundredth, pitch by under a cent.")
    ] = False,
    spectra: Annotated[bool, option("Store spectrograms and mels, which training else computes.")] = False,
) -> None:
    """Make training data of recordings, and report on them. Run again, it does only what has changed."""
    from svcnb.prepare import prepare

    with _bar("tasks") as progress:
        report = prepare(
            raw, work, encoder, f0, loudness, preset, vol_aug, encoder_path, processes, progress,
            half=half, spectra=spectra,
        )  # fmt: skip
    typer.echo(report)
    typer.echo(f"Ready to train: svcnb train {work}")


@app.command()
def import_features(
    folder: Annotated[Path, typer.Argument(help="Folder in which the original's dataset/44k and configs lie.")],
    work: Annotated[Path, typer.Argument(help="Folder for clips, features, lists, settings and the training.")],
    encoder: Annotated[str | None, option("What made the units; else what config.json says.")] = None,
    preset: Annotated[str, option("Settings to start from where there is no config.json.")] = "full",
) -> None:
    """Take over clips and features that the original has prepared, and report on them."""
    from svcnb.prepare import import_features

    typer.echo(import_features(folder, work, encoder, preset))
    typer.echo(f"Ready to train: svcnb train {work}")


@app.command()
def train(
    work: Annotated[Path, typer.Argument(help="Folder that `prepare` made.")],
    base: Annotated[Path | None, option("Model to start from: G_*.safetensors, or G_*.pth with D_* beside it.")] = None,
    steps: Annotated[int | None, option("Steps in all, those made before included.")] = None,
    resume: Annotated[bool, option("Go on where the last run stopped.")] = True,
    precision: Annotated[str, option("auto, fp32, bf16 or fp16.")] = "auto",
    device: Annotated[str, option("auto or cpu.")] = "auto",
    tensorboard: Annotated[bool, option("Write curves and sounds for TensorBoard.")] = False,
    lora: Annotated[int, option("Rank of low-rank weights beside the base, about 8; 0 trains the model itself.")] = 0,
) -> None:
    """Train a voice. Ctrl-C stops and saves; the same command goes on from there."""
    from svcnb.config import Config
    from svcnb.training import train_sovits

    config = Config.load(_prepared(work) / "configs/config.json")
    config, every = config.copy_with(train={"lora_rank": lora} if lora else {}), config.train.log_interval
    follow(train_sovits(work, config, base, resume, steps, precision, device, tensorboard), every)


@app.command()
def train_diffusion(
    work: Annotated[Path, typer.Argument(help="Folder that `prepare` made.")],
    vocoder: Annotated[Path | None, option("Folder or file of the vocoder; else what diffusion.yaml names.")] = None,
    base: Annotated[Path | None, option("Model to start from: .safetensors or .pt.")] = None,
    steps: Annotated[int | None, option("Steps in all, those made before included.")] = None,
    resume: Annotated[bool, option("Go on where the last run stopped.")] = True,
    precision: Annotated[str, option("auto, fp32, bf16 or fp16.")] = "auto",
    device: Annotated[str, option("auto or cpu.")] = "auto",
    tensorboard: Annotated[bool, option("Write curves and sounds for TensorBoard.")] = False,
) -> None:
    """Train the diffusion model beside a voice; its settings are in configs/diffusion.yaml."""
    from svcnb.config import DiffusionConfig
    from svcnb.training import train_diffusion

    every = DiffusionConfig.load(_prepared(work) / "configs/diffusion.yaml").train.interval_log
    follow(train_diffusion(work, None, vocoder, base, resume, steps, precision, device, tensorboard), every)


@app.command()
def train_vocoder(
    work: Annotated[Path, typer.Argument(help="Folder that `prepare` made.")],
    base: Annotated[Path | None, option("Vocoder to start from: folder or file; else the downloaded one.")] = None,
    out: Annotated[Path | None, option("Folder to write the result to as the community has it.")] = None,
    critics: Annotated[float, option("Width of the critics; 0.25 is enough for a small vocoder.")] = 1.0,
    steps: Annotated[int | None, option("Steps in all, those made before included.")] = None,
    resume: Annotated[bool, option("Go on where the last run stopped.")] = True,
    precision: Annotated[str, option("auto, fp32, bf16 or fp16.")] = "auto",
    device: Annotated[str, option("auto or cpu.")] = "auto",
    tensorboard: Annotated[bool, option("Write curves and sounds for TensorBoard.")] = False,
) -> None:
    """Fit a vocoder to a singer's recordings."""
    from svcnb import checkpoint, registry
    from svcnb.training.vocoder import LOGS, VocoderTraining, train_vocoder

    settings, base = VocoderTraining(disc_width=critics), base or registry.here("nsf-hifigan")
    made = train_vocoder(_prepared(work), base, None, settings, resume, steps, precision, device, tensorboard)
    follow(made, settings.log_interval)
    if out and (newest := checkpoint.latest(work / LOGS)):
        checkpoint.save_original_vocoder(out, checkpoint.load_vocoder(newest))
        typer.echo(f"Written: {out}")


def _prepared(work: Path) -> Path:
    if not (work / "configs/config.json").is_file():
        raise ValueError(f"{work} holds no prepared recordings; make them with: svcnb prepare RAW {work}")
    return work


@app.command()
def clusters(
    work: Annotated[Path, typer.Argument(help="Folder that `prepare` made.")],
    out: Annotated[Path | None, option("File to write, .safetensors or .pt; else in the folder's logs.")] = None,
    count: Annotated[int, option("Centres for each singer.")] = 10_000,
    device: Annotated[str, option("auto, cpu or cuda.")] = "auto",
) -> None:
    """Make k-means clusters of the recordings, for `convert --retrieval`."""
    from svcnb.retrieval import Clusters, save_clusters

    out = out or work / "logs/clusters.safetensors"
    save_clusters(out, Clusters.of(work, count, device=device))
    typer.echo(f"Written: {out}")


@app.command()
def index(
    work: Annotated[Path, typer.Argument(help="Folder that `prepare` made.")],
    out: Annotated[Path | None, option("File to write, .safetensors or .pkl; else in the folder's logs.")] = None,
) -> None:
    """Make an index of the recordings, for `convert --retrieval`."""
    from svcnb.retrieval import Index, save_index

    out = out or work / "logs/index.safetensors"
    save_index(out, Index.of(work))
    typer.echo(f"Written: {out}")


@app.command()
def convert(
    song: Annotated[Path, typer.Argument(help="A recording of singing without accompaniment.")],
    model: Annotated[Path | None, option("Voice: .safetensors, or .pth with --config; else the lesson voice.")] = None,
    config: Annotated[Path | None, option("config.json of an original model.")] = None,
    speaker: Annotated[str | None, option("Who should sing; a name or a number.")] = None,
    out: Annotated[Path | None, option("wav, flac, mp3 or ogg to write; else out/<song>-<speaker>.wav.")] = None,
    semitones: Annotated[float, about("semitones")] = Options.semitones,
    f0_predictor: Annotated[str, about("f0_predictor", "--f0")] = Options.f0_predictor,
    f0_threshold: Annotated[float, about("f0_threshold")] = Options.f0_threshold,
    auto_f0: Annotated[bool, about("auto_f0")] = Options.auto_f0,
    noise_scale: Annotated[float, about("noise_scale")] = Options.noise_scale,
    loudness_envelope: Annotated[float, about("loudness_envelope")] = Options.loudness_envelope,
    slice_db: Annotated[float, about("slice_db")] = Options.slice_db,
    pad_seconds: Annotated[float, about("pad_seconds")] = Options.pad_seconds,
    clip: Annotated[float, about("clip")] = Options.clip,
    linear_gradient: Annotated[float, about("linear_gradient")] = Options.linear_gradient,
    linear_gradient_retain: Annotated[float, about("linear_gradient_retain")] = Options.linear_gradient_retain,
    diffusion: Annotated[Path | None, option("Diffusion model that sings after the voice, or alone.")] = None,
    diffusion_config: Annotated[Path | None, option("Its config.yaml, if not the one beside it.")] = None,
    vocoder: Annotated[Path | None, option("Its vocoder, a folder or file; else the one that it names.")] = None,
    k_step: Annotated[int | None, about("k_step")] = Options.k_step,
    sampler: Annotated[str | None, about("sampler")] = Options.sampler,
    speedup: Annotated[int | None, about("speedup")] = Options.speedup,
    only_diffusion: Annotated[bool, about("only_diffusion")] = Options.only_diffusion,
    second_encoding: Annotated[bool, about("second_encoding")] = Options.second_encoding,
    half_diffusion: Annotated[bool, about("half_diffusion")] = Options.half_diffusion,
    enhancer: Annotated[Path | None, option("Vocoder that sings once more, without a diffusion model.")] = None,
    enhancer_key: Annotated[float, about("enhancer_key")] = Options.enhancer_key,
    retrieval: Annotated[Path | None, option("Clusters or index, for less of the source singer.")] = None,
    retrieval_ratio: Annotated[float | None, about("retrieval_ratio")] = Options.retrieval_ratio,
    mix: Annotated[Path | None, option("Speakers along the song: spkmix.py, or its tracks as .json.")] = None,
    encoder_path: Annotated[Path | None, option("The speech encoder's weights file, if not the usual one.")] = None,
    device: Annotated[str, option("auto, cpu, cuda, cuda:1, mps")] = "auto",
    precision: Annotated[str, option("fp32, bf16 or auto: bfloat16 where the device has it.")] = "fp32",
) -> None:
    """Convert a song: the same notes and words, another voice."""
    given = locals()
    from svcnb.convert import Converter
    from svcnb.lesson import voice_path
    from svcnb.mixing import Timeline

    files = "diffusion", "diffusion_config", "vocoder", "enhancer", "retrieval", "encoder_path", "device", "precision"
    model = model or (None if only_diffusion else voice_path())
    converter = Converter.load(model, config, **{name: given[name] for name in files})
    who = int(speaker) if speaker and speaker.isdecimal() else speaker
    out = out or Path("out") / f"{song.stem}-{speaker or ('mix' if mix else 'converted')}.wav"
    how = {name: given[name] for name in KNOWN if name in given}
    with _bar("s") as progress:
        mix = Timeline.load(mix) if mix else None
        conversion = converter.convert(song, speaker=who, mix=mix, out=out, progress=progress, **how)
    for note in conversion.notes:
        typer.echo(f"Note: {note}")
    typer.echo(f"Written: {out}")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to; it is what one gives away.")],
    model: Annotated[Path | None, option("Voice: .safetensors, or .pth with --config; else the lesson voice.")] = None,
    config: Annotated[Path | None, option("config.json of an original model.")] = None,
    diffusion: Annotated[Path | None, option("Diffusion model to go along.")] = None,
    diffusion_config: Annotated[Path | None, option("Its config.yaml, if not the one beside it.")] = None,
    vocoder: Annotated[Path | None, option("Its vocoder, a folder or file; else the one that it names.")] = None,
    encoder_path: Annotated[Path | None, option("The speech encoder's weights file, if not the usual one.")] = None,
    f0_predictor: Annotated[str, option("Pitch predictor to go along: fcpe or rmvpe.", "--f0")] = "fcpe",
    moevoicestudio: Annotated[str | None, option("Write for MoeVoiceStudio instead, under this name.")] = None,
) -> None:
    """Export a voice as ONNX, to be sung without torch; every graph is compared with its network."""
    from svcnb.convert import Converter
    from svcnb.export import export_moevoicestudio, export_voice
    from svcnb.lesson import voice_path

    converter = Converter.load(
        model or voice_path(), config, diffusion=diffusion, diffusion_config=diffusion_config, vocoder=vocoder,
        encoder_path=encoder_path, device="cpu",
    )  # fmt: skip
    if moevoicestudio:
        reports = export_moevoicestudio(converter, folder, moevoicestudio)
    else:
        reports = export_voice(converter, folder, f0_predictor)
    for report in reports:
        typer.echo(report)
    typer.echo(f"Written: {folder}")


@app.command()
def compress(
    model: Annotated[Path, typer.Argument(help="Voice, of either format.")],
    out: Annotated[Path, typer.Argument(help="File to write, in the same format.")],
    half: Annotated[bool, option("Numbers of 16 bits in the place of 32.")] = False,
) -> None:
    """Copy a voice without what only training needs, and say what that saves and changes."""
    from svcnb import checkpoint
    from svcnb.evaluate.sameness import decibels_apart

    checkpoint.compress(model, out, half)
    before, after = (path.stat().st_size / 1e6 for path in (model, out))
    typer.echo(f"Written: {out}, {after:.1f} MB instead of {before:.1f} MB")
    if model.suffix == ".pth" and not model.with_name("config.json").exists():
        return typer.echo("What it changes can be heard only with the model's config.json beside it.")
    voice, config = checkpoint.load_sovits(model)
    apart = decibels_apart(voice, checkpoint.load_sovits(out, config)[0])
    typer.echo(
        "It sounds the same." if apart == float("inf") else f"What it changes is {apart:.0f} dB below the voice."
    )


@app.command()
def merge(
    base: Annotated[Path, typer.Argument(help="Model that the voices were trained from.")],
    voices: Annotated[
        list[Path], typer.Argument(help="What `train --lora` wrote, L_*.safetensors; several are mixed.")
    ],
    out: Annotated[Path, option("File to write, .safetensors.")],
    percent: Annotated[list[float] | None, option("How much of each, one for each; else the same of all.")] = None,
) -> None:
    """Put low-rank voices into their base: a plain voice, which everything opens."""
    from svcnb import checkpoint, lora

    checkpoint.save_sovits(out, *lora.merge(base, voices, percent or None))
    typer.echo(f"Written: {out}")


@app.command()
def demo() -> None:
    """Convert a song from one lesson singer to another, and score it against what that singer really sings."""
    from svcnb.demo import run

    for line in run():
        typer.echo(line)


@app.command()
def models(
    names: Annotated[list[str] | None, typer.Argument(help="Files to download; none: list what there is.")] = None,
) -> None:
    """Files of speech encoders, pitch predictors, vocoders and base models: list them, or download some by name."""
    from svcnb import registry

    for name in names or ():
        with _bar("MB") as bar:
            typer.echo(registry.fetch(name, lambda done, total: bar(done / 1e6, (total or done) / 1e6)))
    if names:
        return
    for name, entry in registry.TABLE.items():
        size = f"{entry.size / 1e6:.0f} MB" if entry.size else "? MB"
        typer.echo(f"{name:24} {'here' if registry.here(name) else 'missing':8} {size:>8}  {entry.licence}")
        typer.echo(f"{'':34} for {entry.needed_for}")
    typer.echo(f"They are kept in {registry.home()}; `svcnb models NAME` downloads one.")


@app.command()
def doctor(
    mend: Annotated[bool, option("Repair torchaudio beside a CPU-only torch.")] = False,
) -> None:
    """Say what works on this machine, and what to do about the rest."""
    from svcnb.doctor import examine, mend_torchaudio

    if mend:
        typer.echo(mend_torchaudio())
        return
    rows = examine()
    width = max(len(row.name) for row in rows)
    for row in rows:
        mark = {True: "ok", False: "NO", None: "--"}[row.ok]
        typer.echo(f"{mark}  {row.name:<{width}}  {row.found}{'' if row.ok else f': {row.advice}'}")
    if any(row.ok is False for row in rows):
        raise typer.Exit(1)
