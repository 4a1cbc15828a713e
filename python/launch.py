"""Entry point of an app's Python: `python launch.py <app>`, then its order on stdin, which says what to run and where.

The order may come late. Until then, it does what takes longest: the import of Streamlit, which is the same for every
release of an environment. Where no order comes, the server is gone or does not need this process, and nothing is run.
Runs with every Python that an app may have: 3.7 is enough.
"""
import copy
import json
import os
import re
import socket
import sys

# Older ones look for the app's config.toml and secrets.toml as they are imported, and the place is not known yet.
FIRST_THAT_LOOKS_LATE = (1, 56)


def main():
    # Python puts the folder of this file first (https://docs.python.org/3/library/sys.html#sys.path).
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != here]
    if streamlit_version() >= FIRST_THAT_LOOKS_LATE:
        import_ahead()
    with open(0, "rb", closefd=False) as stdin:
        text = stdin.read()
    if not text:
        sys.exit(1)
    order = json.loads(text.decode("utf-8"))
    obey(order)
    from streamlit.web.cli import main as streamlit

    serve_on(listener_of(order))
    # As `python -m` has it, but not before Streamlit is there: no file of the app's takes the place of what that imports.
    sys.path.insert(0, os.getcwd())
    sys.path.extend(own_packages(os.getcwd()))
    describe_project(os.getcwd())
    streamlit(prog_name="streamlit")


def own_packages(project):
    """The folders of a project's own packages: those that its requirements install, and the usual one of tools.

    They come last, as those of an editable install do (https://setuptools.pypa.io/en/latest/userguide/package_discovery.html#src-layout).
    """
    source = os.path.join(project, "src")
    settings = ("pyproject.toml", "setup.cfg", "setup.py")
    is_project = any(os.path.isfile(os.path.join(project, name)) for name in settings)
    usual = [source] if is_project and os.path.isdir(source) else []
    named = [os.path.normpath(os.path.join(project, folder)) for folder in installed_from()]
    return named + [folder for folder in usual if folder not in named]


def describe_project(project):
    """Makes the project known to `importlib.metadata` by its name and version, as an editable install does.

    Packages often ask for their own version (https://packaging.python.org/en/latest/discussions/single-source-version/). What
    the environment has installed goes first.
    """
    try:
        from importlib.metadata import Distribution, DistributionFinder
    except ImportError:  # Python 3.7
        return
    facts = project_facts(project)
    if facts is None:
        return
    normal = re.sub(r"[-_.]+", "-", facts["Name"]).lower()
    metadata = "".join("%s: %s\n" % fact for fact in facts.items())

    class Project(Distribution):
        def read_text(self, filename):
            return metadata if filename == "METADATA" else None

        def locate_file(self, path):
            return os.path.join(project, path)

    class Finder(DistributionFinder):
        def find_spec(self, fullname, path=None, target=None):
            return None

        def find_distributions(self, context=DistributionFinder.Context()):
            if context.name is None or re.sub(r"[-_.]+", "-", context.name).lower() == normal:
                yield Project()

    sys.meta_path.append(Finder())


def project_facts(project):
    """The name and the version of a project, as far as its settings and its code say so; None where it has no name."""
    settings = os.path.join(project, "pyproject.toml")
    if not os.path.isfile(settings):
        return None
    try:
        import tomllib as toml
    except ImportError:  # Before Python 3.11; Streamlit brings it.
        try:
            import toml
        except ImportError:
            return None
    try:
        with open(settings, encoding="utf-8") as file:
            found = toml.loads(file.read())
        own = found.get("project") or found.get("tool", {}).get("poetry") or {}
        name, version = own.get("name"), own.get("version")
    except Exception:  # Not there, or not what its tools would read. The app runs all the same.
        return None
    if not isinstance(name, str) or not re.match(r"[\w.-]+$", name):
        return None
    if not isinstance(version, str) or not re.match(r"[\w.+!-]+$", version):
        version = version_in_code(project, re.sub(r"[-.]", "_", name)) or "0+unknown"
    return {"Metadata-Version": "2.1", "Name": name, "Version": version}


def version_in_code(project, package):
    """The version that build tools would read from a package; None where it has none there, as with one that git has."""
    for folder in (os.path.join("src", package), package):
        for file in ("__init__.py", "__about__.py", "_version.py", "version.py"):
            try:
                with open(os.path.join(project, folder, file), encoding="utf-8") as code:
                    found = re.search(r"""^(?:__version__|version|VERSION)\s*(?::\s*str\s*)?=\s*["']([\w.+!-]+)["']""", code.read(), re.M)
            except (OSError, ValueError):
                continue
            if found:
                return found.group(1)
    return None


def installed_from():
    """The folders of the project whose packages the environment leaves there (`src/environments/own-packages.ts`)."""
    try:
        with open(os.path.join(sys.prefix, "streamlit-host.json"), encoding="utf-8") as facts:
            return json.load(facts).get("own") or []
    except (OSError, ValueError):  # An environment of the app's own.
        return []


def streamlit_version():
    """Returns major and minor; (0,) where they are unknown."""
    try:
        from importlib.metadata import PackageNotFoundError, distributions, version

        try:
            found = version("streamlit")
        except PackageNotFoundError:  # Another package has brought it, such as streamlit-nightly.
            found = next(one.version for one in distributions() if brings_streamlit(one))
        return tuple(int(part) for part in found.split(".")[:2])
    except Exception:  # Not installed, or without a version number: the import will say so.
        return (0,)


def brings_streamlit(distribution):
    name = distribution.metadata["Name"] or ""
    return name.startswith("streamlit") and any(str(file) == "streamlit/__init__.py" for file in distribution.files or ())


def import_ahead():
    """Imports Streamlit without output: the release that it would belong to may never come."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    held = [(target, os.dup(target)) for target in (1, 2)]
    for target, _ in held:
        os.dup2(nothing, target)
    os.close(nothing)
    try:
        import streamlit.web.cli  # noqa: F401
    except Exception:  # Imported again when there is somebody to say so to.
        pass
    sys.stdout.flush()
    for target, log in held:
        os.dup2(log, target)
        os.close(log)


def obey(order):
    """The order: `argv`, `cwd`, `environment` (what is not there yet) and `listener`."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.chdir(order["cwd"])
    os.environ.update(order["environment"])
    sys.argv = order["argv"]


def listener_of(order):
    """The listening socket that the process was begun with, as a descriptor; None where it is to open a port instead."""
    if order.get("listener") is None:
        return None
    listener = socket.socket(fileno=order["listener"])
    # What the app starts does not need it.
    listener.set_inheritable(False)
    listener.setblocking(False)
    return listener


def serve_on(listener):
    """Makes Streamlit's server take connections from the socket; from its own port, but without delay, where there is none.

    Streamlit has no option for either. Each hook removes itself when Streamlit uses it, so that servers of the app's own are
    left alone.
    """
    if "tornado.httpserver" in sys.modules:
        hook_tornado(sys.modules["tornado.httpserver"].HTTPServer, listener)
    # As of 1.57; before it an option, for which this must be installed as well.
    from importlib.util import find_spec

    try:
        if find_spec("streamlit.web.server.starlette") is not None and find_spec("uvicorn") is not None:
            hook_uvicorn(listener)
    except ImportError:  # Streamlit will say what is missing.
        pass


def hook_tornado(server, listener):
    """https://www.tornadoweb.org/en/stable/tcpserver.html; it answers without delay by itself."""
    if listener is None:
        return
    from tornado.ioloop import IOLoop

    def add_sockets(self, sockets):
        del server.add_sockets
        for one in sockets:
            # Not before Streamlit has asked for its port.
            IOLoop.current().add_callback(one.close)
        # Only the gateway connects, and its headers name the visitor.
        self.xheaders = True
        self.add_sockets([listener])

    server.add_sockets = add_sockets


def hook_uvicorn(listener):
    """https://github.com/encode/uvicorn/blob/main/uvicorn/server.py"""
    import uvicorn

    plain = uvicorn.Server

    class Server(plain):
        def __init__(self, config):
            uvicorn.Server = plain
            answer_below_base_path()
            if listener is not None:
                # Only the gateway connects, and its headers name the visitor.
                config.forwarded_allow_ips = "*"
            super().__init__(config)

        # What `st.App` is served by; it reads the app's code before it starts up.
        def run(self, sockets=None):
            super().run(sockets=self.replace(sockets))

        async def startup(self, sockets=None):
            await super().startup(sockets=self.replace(sockets))

        def replace(self, sockets):
            for one in sockets or ():
                if listener is None:
                    # Connections have this of the socket that accepts them. Without it, the end of an answer waits for
                    # 40 ms until what came before is acknowledged (https://man7.org/linux/man-pages/man7/tcp.7.html).
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                elif one is not listener:
                    one.close()
            return sockets if listener is None else [listener]

    uvicorn.Server = Server


def answer_below_base_path():
    """Makes the routes that an `st.App` has of its own answer below the app's path, as Streamlit's do.

    Streamlit puts its base path in front of its own routes only. Each is repeated rather than mounted: a mount would
    answer 404 to Streamlit's requests below the same path.
    """
    base = os.environ.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")
    try:
        from starlette.routing import compile_path
        from streamlit.web.server.starlette.starlette_app import App

        build = App._build_starlette_app
    except (ImportError, AttributeError):  # This Streamlit has none.
        return
    if not base:
        return

    def below(route):
        moved = copy.copy(route)
        moved.path = "/" + base + route.path
        # A mount takes all that is below it (https://www.starlette.io/routing/#submounting-routes).
        whole = moved.path + ("/{path:path}" if hasattr(route, "routes") else "")
        moved.path_regex, moved.path_format, moved.param_convertors = compile_path(whole)
        # `url_for` puts the base in front of the path of the route with the name, which is the other one.
        moved.name = "below " + base

        def matches(scope):
            match, child = route_matches(scope)
            return match, dict(child, app_root_path=scope.get("root_path", "") + "/" + base) if child else child

        route_matches, moved.matches = moved.matches, matches
        return moved

    def build_below(self):
        own = list(getattr(self, "_user_routes", None) or ())
        self._user_routes = [below(route) for route in own if hasattr(route, "path_regex")] + own
        return build(self)

    App._build_starlette_app = build_below


if __name__ == "__main__":
    main()
