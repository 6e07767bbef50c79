"Packaging read from settings.ini; nbs/ travels in the wheel as minitrain/lessons/."
import json, re, shutil
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
            if notebook.name.startswith("5"): continue  # checks and solutions stay out of sight
            (lessons/notebook.name).write_text(light(notebook.read_text(encoding="utf-8")), encoding="utf-8")


def light(text):
    "A notebook without the PNG of what it has as SVG too: Jupyter and Colab show the SVG, and the wheel is a third smaller"
    nb = json.loads(text)
    for output in (o for cell in nb["cells"] for o in cell.get("outputs", ())):
        if "image/svg+xml" in output.get("data", {}): output["data"].pop("image/png", None)
    return json.dumps(nb, indent=1, ensure_ascii=False) + "\n"


def words(key): return cfg.get(key, "").split()


def absolute(readme):
    "README.md for other places than the repository: no link and no picture is relative"
    home = cfg["git_url"]
    page, file = f"{home}/blob/{cfg['branch']}/", home.replace("//github.com", "//raw.githubusercontent.com") + f"/{cfg['branch']}/"
    def link(m): return f"{m[1]}]({file if m[1].startswith('!') else page}{m[2]})"
    return re.sub(r"(!?\[[^\[\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)", link, readme)


pages = cfg["doc_host"] + cfg["doc_baseurl"]
setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=absolute((here/"README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
    author=cfg["author"],
    author_email=cfg["author_email"],
    project_urls={"Homepage": pages, "Source": cfg["git_url"], "Issues": cfg["git_url"] + "/issues",
        "Changelog": f"{cfg['git_url']}/blob/{cfg['branch']}/CHANGELOG.md"},
    keywords=cfg["keywords"],
    license="Apache-2.0",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Education",
        "Natural Language :: English",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    python_requires=">=" + cfg["min_python"],
    packages=find_packages(include=["minitrain", "minitrain.*"]),
    package_data={"": ["*.pyi"], "minitrain": ["py.typed", "assets/**/*", "assets/*"]},
    install_requires=words("requirements"),
    extras_require={k.removesuffix("_requirements"): words(k) for k in cfg if k.endswith("_requirements")},
    entry_points={"console_scripts": words("console_scripts"), "nbdev": ["minitrain=minitrain._modidx:d"]},
    cmdclass={"build_py": BuildWithLessons},
    zip_safe=False,
)
