"""Run a command with the network cut, where this machine lets it: a network namespace with nothing but loopback.

    python offline.py COMMAND ...       (elsewhere than on Linux, or without the right, it just runs the command)
"""
import ctypes, fcntl, os, socket, struct, sys

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def cut_network() -> bool:
    "Move this process into a network namespace of its own, loopback up; False where that is refused"
    try: libc = ctypes.CDLL(None, use_errno=True)
    except OSError: return False
    if not hasattr(libc, "unshare"): return False
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNET if uid == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if libc.unshare(flags): return False
    if flags & CLONE_NEWUSER:
        for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as f: f.write(line)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = bytearray(struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(s, SIOCGIFFLAGS, request)
        up = struct.unpack("16sh14x", request)[1] | IFF_UP
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", up))
    return True


if __name__ == "__main__":
    os.environ["MINITRAIN_NETWORK"] = "cut" if cut_network() else "as it was"
    os.execvp(sys.argv[1], sys.argv[1:])
