"""``python -m toolkit doctor``: is this machine fit, and what mends it where it is not."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

import psutil
from packaging.requirements import Requirement

from toolkit import hardware, paths

MIN_MEMORY_GIB = 4


@dataclass(frozen=True)
class Finding:
    """One line of the doctor; ``remedy`` is empty where all is well."""

    subject: str
    found: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing needs a remedy."""
        return not self.remedy


def examine() -> Iterator[Finding]:
    """Every finding: Python, packages, processor, memory, GPU, data mirror, reports folder, printing."""
    python = ".".join(map(str, sys.version_info[:3]))
    fit = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("python", python, "" if fit else "make a .venv with Python 3.11, 3.12 or 3.13 (make PYTHON=...)")
    yield from _packages()
    cores = hardware.usable_cores()
    yield Finding("cpu", f"{hardware.cpu_name()}, {cores} usable core{'s' if cores > 1 else ''}")
    memory = psutil.virtual_memory().total / 2**30
    remedy = "" if memory >= MIN_MEMORY_GIB else f"at least {MIN_MEMORY_GIB} GiB; use profile smoke"
    yield Finding("memory", f"{memory:.1f} GiB", remedy)
    yield _gpu()
    yield from _mirror()
    yield _reports()
    yield from _printing()


def _packages() -> Iterator[Finding]:
    for text in requires("llm-routing-toolkit") or []:
        needed = Requirement(text)
        if needed.marker is not None:  # extras are optional
            continue
        try:
            found = version(needed.name)
        except PackageNotFoundError:
            yield Finding(needed.name, "missing", f"pip install '{needed.name}{needed.specifier}'")
            continue
        fits = needed.specifier.contains(found, prereleases=True)
        yield Finding(needed.name, found, "" if fits else f"pip install '{needed.name}{needed.specifier}'")


def _gpu() -> Finding:
    try:
        gpu = hardware.cuda()
    except (ImportError, OSError, RuntimeError) as err:
        return Finding(
            "gpu", f"torch does not load: {err}", "pip install --force-reinstall torch (make TORCH=cpu on Linux)"
        )
    if gpu is None:
        return Finding("gpu", "no CUDA device; --device auto uses the CPU")
    return Finding("gpu", f"{gpu['name']}, {gpu['memory_gib']} GiB, CUDA {gpu['cuda']}")


def _mirror() -> Iterator[Finding]:
    from toolkit.datasets import registry
    from toolkit.datasets.catalogue import CATALOGUE
    from toolkit.errors import ToolkitError

    mirror = paths.mirror_dir()
    if mirror is None:
        yield Finding("data mirror", f"TOOLKIT_DATA_MIRROR is not set; files are fetched into {paths.cache_dir()}")
        return
    if not mirror.is_dir():
        yield Finding("data mirror", f"{mirror} is no folder", "point TOOLKIT_DATA_MIRROR at the mirror, or unset it")
        return
    held = 0
    for name, entry in CATALOGUE.items():
        files = entry.file_names()
        at_hand = [file for file in files if registry.where(file) == "mirror"]
        held += len(at_hand)
        if not at_hand:
            continue
        try:
            for file in at_hand:
                registry.fetch(file)
        except ToolkitError as err:
            yield Finding(f"mirror {name}", str(err), "restore the file in the mirror, or unset TOOLKIT_DATA_MIRROR")
            continue
        lacks = f"copy the other {len(files) - len(at_hand)} into the mirror" if len(at_hand) < len(files) else ""
        yield Finding(f"mirror {name}", f"{len(at_hand)} of {len(files)} files, hashes right", lacks)
    if not held:
        remedy = "lay it out as data/registry.txt says, or unset TOOLKIT_DATA_MIRROR"
        yield Finding("data mirror", f"{mirror} holds none of the registered files", remedy)


def _printing() -> Iterator[Finding]:
    """What decisions in PDF and figures in Chinese take; nothing else lacks anything without."""
    try:
        import matplotlib as mpl

        from toolkit.figures import decision, use_style
        from toolkit.reporting.decision import printing
    except ImportError:  # what is missing has been named
        return
    browser = printing.chromium()
    yield Finding("chromium", browser or f"none on the path or in {printing.VARIABLE}; decisions are not made as PDF")
    with mpl.rc_context():
        use_style()
        found = decision.reads_chinese()
    fonts = "found" if found else "not found; decisions in Chinese have English figures and no PDF"
    yield Finding("font for Chinese", fonts)


def _reports() -> Finding:
    folder = paths.reports_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.touch()
        probe.unlink()
    except OSError as err:
        return Finding("reports", f"{folder}: {err.strerror}", "make the folder writable, or give --out")
    return Finding("reports", f"{folder} can be written")
