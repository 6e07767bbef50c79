"""Run a command with the network cut, where this machine lets it: in a network namespace
with nothing but loopback.

    python offline.py COMMAND ...       (where that is forbidden it just runs the command)

The environment variable MINITRAIN_NETWORK tells the command which it was: "cut" or
"as it was".
"""
import ctypes, fcntl, os, socket, struct, sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def keep_ids(uid: int, gid: int):
    "In a new user namespace, be who one was"
    lines = dict(setgroups="deny", uid_map=f"{uid} {uid} 1", gid_map=f"{gid} {gid} 1")
    for name, line in lines.items():
        with open(f"/proc/self/{name}", "w") as f: f.write(line)


def loopback_up():
    "Switch on the one device of a new network namespace"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = bytearray(struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(s, SIOCGIFFLAGS, request)
        up = struct.unpack("16sh14x", request)[1] | IFF_UP
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", up))


def cut_network():
    "Move this process into a network namespace of its own; an error where it cannot"
    libc, uid, gid = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
    flags = CLONE_NEWNET if uid == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if libc.unshare(flags): raise OSError(ctypes.get_errno(), "unshare")
    if flags & CLONE_NEWUSER: keep_ids(uid, gid)
    loopback_up()


def can_cut() -> bool:
    """Whether `cut_network` goes through, tried in a child: some machines allow the first
    step and forbid the next, and this process must not stop half-way"""
    child = os.fork()
    if not child:
        try: cut_network()
        except Exception: os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def main():
    os.environ["MINITRAIN_NETWORK"] = "as it was"
    if can_cut():
        cut_network()
        os.environ["MINITRAIN_NETWORK"] = "cut"
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__": main()
