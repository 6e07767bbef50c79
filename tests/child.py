"""A function in a process of its own, to be killed or interrupted. On Linux it is a fork of
the test's, which saves the seconds of importing torch once more."""
import multiprocessing, os, sys


class Child(multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn").Process):
    "f(*args) from a folder, its outputs in files named here; a number that it returns is the exit status"
    def __init__(self, f, *args, folder=".", **outputs):
        super().__init__(args=(f, *args))
        self.folder, self.outputs = folder, outputs
        self.start()

    def run(self):
        for name, path in self.outputs.items():
            fd = dict(stdout=1, stderr=2)[name]
            with open(path, "w") as file: os.dup2(file.fileno(), fd)
            setattr(sys, name, open(fd, "w", closefd=False))
        os.chdir(self.folder)
        f, *args = self._args
        status = f(*args)
        sys.exit(status if isinstance(status, int) else 0)

    def send_signal(self, number): os.kill(self.pid, number)
    def poll(self): return self.exitcode

    def wait(self, timeout=None):
        "The exit status, of a killed process the negative number of the signal"
        self.join(timeout)
        return self.exitcode
