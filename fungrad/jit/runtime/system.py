"""What the operating system says of the processors that this process may use, and of their caches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/proc/self/cgroup")
_MOUNTS = Path("/proc/self/mountinfo")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def quota(groups: Path = _GROUPS, mounts: Path = _MOUNTS) -> float | None:
    """Processors' worth of time that the control groups of this process may use (`docker run --cpus`, the limits of a
    container or a systemd unit); None if nothing limits it.

    Both versions of control groups are known. A group has what the narrowest of the groups around it has.

    Args:
      groups: what the system says of the groups of this process; for tests.
      mounts: where the file systems of the groups are; for tests.
    """
    try:
        lines = groups.read_text().splitlines()
        roots = list(_mounted(mounts.read_text()))
    except OSError:  # not Linux
        return None
    limits = [
        limit
        for line in lines
        for _, controllers, path in [line.split(":", 2)]
        for root, seen_from, kind in roots
        if (kind == "cgroup2" and not controllers) or (kind == "cpu" and "cpu" in controllers.split(","))
        for limit in _limits(root, seen_from, path)
    ]
    return min(limits, default=None)


def _mounted(text: str) -> Iterator[tuple[Path, str, str]]:
    """Where groups are mounted: the place, the group that is its root, and `cgroup2`, or `cpu` for the first
    version."""
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        words, more = fields.split(" "), rest.split(" ")
        if len(words) < 5 or len(more) < 3:
            continue
        root, place = (re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), words[k]) for k in (3, 4))
        if more[0] == "cgroup2":
            yield Path(place), root, "cgroup2"
        elif more[0] == "cgroup" and "cpu" in more[2].split(","):
            yield Path(place), root, "cpu"


def _limits(root: Path, seen_from: str, path: str) -> Iterator[float]:
    """The limits of a group and of those around it."""
    inside = path.removeprefix(seen_from) if seen_from != "/" else path
    place = root / inside.lstrip("/")
    # in a container the path may be that of the host, whose groups are not visible: then the root is ours
    place = place if place.is_dir() else root
    for folder in (place, *place.parents):
        limit = _limit(folder)
        if limit is not None:
            yield limit
        if folder == root:
            return


def _limit(folder: Path) -> float | None:
    """Processors' worth of time that a group may use by itself."""
    try:
        if (folder / "cpu.max").exists():
            most, period = (folder / "cpu.max").read_text().split()
        else:
            most = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return int(most) / int(period) if most.strip() != "max" and int(most) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # a file of another version
        return None


def caches(folder: Path = _CACHES) -> dict[str, int]:
    """The caches for data as fields of `Machine`, so far as the system says: their sizes, and how many places the first
    has for lines of one address modulo its size divided by them.

    Args:
      folder: where the system describes the caches of a processor; for tests.
    """
    found: dict[str, int] = {}
    for cache in sorted(folder.glob("index*")):
        try:
            kind, level, size = ((cache / name).read_text().strip() for name in ("type", "level", "size"))
            nbytes = int(size[:-1]) * {"K": 1 << 10, "M": 1 << 20}[size[-1:]]
            ways = int((cache / "ways_of_associativity").read_text())
        except (OSError, ValueError, KeyError):  # not said, or in another way
            continue
        if kind == "Instruction" or level not in ("1", "2", "3") or nbytes <= 0:
            continue
        found[f"l{level}_bytes"] = nbytes
        if level == "1" and ways > 0:
            found["l1_ways"] = ways
    return found
