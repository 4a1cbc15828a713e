"""Prints the path of a pip wheel, for a Python that has no pip. A wheel is a zip archive that Python can run.

Looks where Python and Debian keep one, then asks the package index of the settings (PIP_INDEX_URL, UV_DEFAULT_INDEX,
UV_INDEX_URL or pip.conf), whose pages are read as https://peps.python.org/pep-0503/ and 0691 say.

usage: python3 find_pip.py FOLDER
exit code: 0 = printed; 3 = none here and no index is set; 1 = the index could not be used, with the reason on stderr
"""

import base64
import configparser
import glob
import hashlib
import html.parser
import importlib.util
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT = 60
LARGEST = 20_000_000


def main(folder):
    local = bundled()
    if local:
        print(local)
        return 0
    index = configured_index()
    if not index:
        return 3
    try:
        print(fetch(index, folder))
    except (OSError, ValueError) as error:
        print(f"pip could not be fetched from the package index: {error}", file=sys.stderr)
        return 1
    return 0


def bundled():
    """The wheel that Python carries for its own venv; Debian keeps it in a folder of its own."""
    folders = ["/usr/share/python-wheels"]
    spec = importlib.util.find_spec("ensurepip")
    if spec and spec.submodule_search_locations:
        folders += [os.path.join(place, "_bundled") for place in spec.submodule_search_locations]
    found = [wheel for folder in folders for wheel in glob.glob(os.path.join(folder, "pip-*.whl"))]
    return max(found, key=lambda wheel: version(os.path.basename(wheel)), default=None)


def configured_index():
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if os.environ.get(name):
            # uv allows "name=https://…".
            return re.sub(r"^[\w-]+=(?=\w+://)", "", os.environ[name])
    index = None
    for file in config_files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (OSError, configparser.Error):
            continue  # pip itself will say what is wrong with it.
        for section in ("global", "install"):
            index = parser.get(section, "index-url", fallback=index)
    return index


def config_files():
    """In the order of https://pip.pypa.io/en/stable/topics/configuration/: later ones win."""
    home = os.path.expanduser("~")
    system = os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    user = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return [
        *[os.path.join(folder, "pip", "pip.conf") for folder in system],
        "/etc/pip.conf",
        os.path.join(home, ".pip", "pip.conf"),
        os.path.join(user, "pip", "pip.conf"),
        os.path.join(sys.prefix, "pip.conf"),
        *filter(None, [os.environ.get("PIP_CONFIG_FILE")]),
    ]


def fetch(index, folder):
    page_url = index.rstrip("/") + "/pip/"
    accept = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
    body, kind, page_url = get(page_url, accept)
    files = from_json(body) if "json" in kind else from_html(body)
    wheels = [file for file in files if wanted(file)]
    if not wheels:
        raise ValueError("it has no pip for this Python")
    best = max(wheels, key=lambda file: version(file["name"]))
    # A relative address is relative to the page; one on another host gets no credentials.
    content, _, _ = get(urllib.parse.urljoin(page_url, best["url"]), "*/*", like=index)
    if not best["sha256"] or hashlib.sha256(content).hexdigest() != best["sha256"]:
        raise ValueError(f"{best['name']} does not have the checksum that the index gives")
    path = os.path.join(folder, best["name"])
    with open(path, "wb") as out:
        out.write(content)
    return path


def get(url, accept, like=None):
    """The body, content type and final address. Credentials of the index go to its own host only."""
    parts = urllib.parse.urlsplit(url)
    source = urllib.parse.urlsplit(like or url)
    host = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(urllib.parse.urlunsplit(parts._replace(netloc=host)), headers={"Accept": accept})
    if source.username and host == source.netloc.rpartition("@")[2]:
        user, password = urllib.parse.unquote(source.username), urllib.parse.unquote(source.password or "")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=trust()) as response:
            body = response.read(LARGEST + 1)
            if len(body) > LARGEST:
                raise ValueError("the answer is too large")
            return body, response.headers.get("Content-Type", ""), response.url
    except urllib.error.HTTPError as error:
        raise ValueError(f"it answered {error.code} {error.reason}") from None


def trust():
    """The system's certificates, or those that pip was told to use."""
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        if os.path.isfile(os.environ.get(name, "")):
            return ssl.create_default_context(cafile=os.environ[name])
    return ssl.create_default_context()


def from_json(body):
    return [
        {
            "name": file["filename"],
            "url": file["url"],
            "sha256": file.get("hashes", {}).get("sha256"),
            "python": file.get("requires-python"),
            "yanked": bool(file.get("yanked")),
        }
        for file in json.loads(body)["files"]
    ]


def from_html(body):
    page = Page()
    page.feed(body.decode("utf-8", "replace"))
    return page.files


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.files = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        url, _, fragment = (values.get("href") or "").partition("#")
        if tag != "a" or not url:
            return
        name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
        checksum = re.fullmatch(r"sha256=([0-9a-f]{64})", fragment)
        self.files.append(
            {
                "name": name,
                "url": url,
                "sha256": checksum and checksum[1],
                "python": values.get("data-requires-python"),
                "yanked": "data-yanked" in values,
            }
        )


def wanted(file):
    """A final release that allows this Python; only ">=" is looked at, as pip itself says nothing else."""
    if file["yanked"] or not re.fullmatch(r"pip-[0-9]+(\.[0-9]+)*-py3-none-any\.whl", file["name"]):
        return False
    least = re.search(r">=\s*(\d+)\.(\d+)", file["python"] or "")
    return not least or sys.version_info[:2] >= (int(least[1]), int(least[2]))


def version(name):
    return tuple(int(part) for part in re.findall(r"\d+", name.split("-")[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
