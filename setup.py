"Packaging read from settings.ini; nbs/ travels in the wheel as minitrain/lessons/."
import shutil
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

here = Path(__file__).parent
config = ConfigParser(delimiters=["="])
config.read(here/"settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]


class BuildWithLessons(build_py):
    "Copy the notebooks into the built package, so that `minitrain lessons DIR` works without a clone"
    def run(self):
        super().run()
        if self.editable_mode: return
        lessons = Path(self.build_lib)/"minitrain"/"lessons"
        shutil.rmtree(lessons, ignore_errors=True)
        lessons.mkdir(parents=True)
        for notebook in sorted((here/"nbs").glob("*.ipynb")):
            if not notebook.name.startswith("5"): shutil.copy(notebook, lessons)  # checks and solutions stay out of sight


def words(key): return cfg.get(key, "").split()


setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(here/"README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=cfg["author"],
    author_email=cfg["author_email"],
    url=cfg["git_url"],
    keywords=cfg["keywords"],
    license="Apache-2.0",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Education",
        "Natural Language :: English",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    python_requires=">=" + cfg["min_python"],
    packages=find_packages(include=["minitrain", "minitrain.*"]),
    package_data={"": ["*.pyi"], "minitrain": ["py.typed", "assets/**/*", "assets/*"]},
    install_requires=words("requirements"),
    extras_require={"dev": words("dev_requirements"), "distributed": words("distributed_requirements"), "atari": words("atari_requirements"), "tensorboard": words("tensorboard_requirements")},
    entry_points={"console_scripts": words("console_scripts"), "nbdev": ["minitrain=minitrain._modidx:d"]},
    cmdclass={"build_py": BuildWithLessons},
    zip_safe=False,
)
