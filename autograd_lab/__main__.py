"""``python -m autograd_lab`` is ``autograd-lab``."""

from autograd_lab.cli import main

if __name__ == "__main__":
    main()
