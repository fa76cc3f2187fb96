"""What a process and all that it started use."""
import os

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """Returns a process and its descendants."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as f:
                children.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
        except OSError:
            pass
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def seconds(pids):
    """Returns the processor seconds that they have used."""
    used = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            used += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return used / TICKS


def mebibytes(pids):
    """Returns how much memory they hold."""
    held = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status") as f:
                held += int(next(line for line in f if line.startswith("VmRSS")).split()[1])
        except (OSError, StopIteration):
            pass
    return held / 1024


def descriptors(pid):
    """Returns how many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def marked(name, value):
    """Returns the processes that have this variable, which whatever they start inherits."""
    wanted, found = f"{name}={value}".encode(), []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/environ", "rb") as f:
                if wanted in f.read().split(b"\0"):
                    found.append(int(entry))
        except OSError:
            pass
    return found
