"`python -m minitrain` and the `minitrain` command"
import sys


def main():
    from .cli import main
    return main()


if __name__ == "__main__": sys.exit(main())
