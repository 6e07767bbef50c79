"`python -m minitrain` and the `minitrain` command"
import sys


def main():
    try:
        from .cli import main
        return main()
    except KeyboardInterrupt: return 130  # before there was anything to stop


if __name__ == "__main__": sys.exit(main())
