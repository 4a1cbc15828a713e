"""Prints the path of a pip wheel, for a Python that has no pip. A wheel is a zip archive that Python can run.

Looks where Python and Debian keep one, then asks the package index of the settings (PIP_INDEX_URL, UV_DEFAULT_INDEX,
UV_INDEX_URL or pip.conf), whose pages are read as https://peps.python.org/pep-0503/ and 0691 say, for the wheel that wheels/pip.txt
names.

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

PINNED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wheels", "pip.txt")
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
    name, sha256 = pinned()
    url = (from_json(body) if "json" in kind else from_html(body)).get(name)
    if url is None:
        raise ValueError(f"it has no {name}")
    # A relative address is relative to the page; one on another host gets no credentials.
    content, _, _ = get(urllib.parse.urljoin(page_url, url), "*/*", like=index)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{name} does not have the recorded hash")
    path = os.path.join(folder, name)
    with open(path, "wb") as out:
        out.write(content)
    return path


def pinned():
    """The name of the wheel, and its hash."""
    with open(PINNED, encoding="utf-8") as lines:
        text = lines.read()
    found = re.search(r"^pip==([0-9.]+)", text, re.MULTILINE)
    return f"pip-{found[1]}-py3-none-any.whl", re.search(r"sha256:([0-9a-f]{64})", text)[1]


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
    """Addresses by the names of the files."""
    return {file["filename"]: file["url"] for file in json.loads(body)["files"]}


def from_html(body):
    page = Page()
    page.feed(body.decode("utf-8", "replace"))
    return page.files


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.files = {}

    def handle_starttag(self, tag, attrs):
        url = (dict(attrs).get("href") or "").partition("#")[0]
        if tag == "a" and url:
            self.files[urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])] = url


def version(name):
    return tuple(int(part) for part in re.findall(r"\d+", name.split("-")[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
