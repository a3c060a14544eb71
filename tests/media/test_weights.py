import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from torch import nn

from avground.errors import DataError
from avground.media.weights import Published, examine, load

CONTENT = b"published weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = f"net-{DIGEST[:8]}.pth"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def published(tmp_path):
    """A file at a ``file:`` address."""
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote" / NAME).write_bytes(CONTENT)
    return Published((tmp_path / "remote" / NAME).as_uri(), "--audio-weights")


@pytest.fixture
def server():
    """A server that sends half of what it promises under /half/, and nothing under /none/."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/none/"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[: len(CONTENT) // (2 if self.path.startswith("/half/") else 1)])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def assert_explains(message, cache, url):
    for part in (NAME, url, str(cache), "--weights", "--audio-weights"):
        assert part in message


def test_names():
    published = Published("https://example.org/v0.1/vggish_pca_params-970ea276.pth")
    assert (published.name, published.prefix) == ("vggish_pca_params-970ea276.pth", "970ea276")


def test_fetched_once(published, cache, tmp_path):
    found = published.find()
    assert found == (cache / NAME, DIGEST)
    assert found.path.read_bytes() == CONTENT
    (tmp_path / "remote" / NAME).unlink()
    assert published.find() == found
    assert [path.name for path in cache.iterdir()] == [NAME]


def test_over_http(server, cache):
    assert Published(f"{server}/{NAME}").find() == (cache / NAME, DIGEST)


def test_another_file_is_not_kept(tmp_path, cache):
    wrong = tmp_path / "net-00000000.pth"
    wrong.write_bytes(CONTENT)
    with pytest.raises(DataError, match=rf"could not be fetched from .*: its SHA-256 is {DIGEST[:16]}\.\.\."):
        Published(wrong.as_uri()).find()
    assert not list(cache.iterdir())


@pytest.mark.parametrize("kind", ["half", "none"])
def test_a_download_that_breaks_off(server, cache, kind):
    url = f"{server}/{kind}/{NAME}"
    with pytest.raises(DataError, match="could not be fetched") as error:
        Published(url, "--audio-weights").find()
    assert_explains(str(error.value), cache, url)
    assert not list(cache.iterdir())


def test_offline(cache, tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        unused = closed.server_port
    url = f"http://127.0.0.1:{unused}/{NAME}"
    with pytest.raises(DataError, match="Connection refused") as error:
        Published(url, "--audio-weights").find(folder=tmp_path)
    assert_explains(str(error.value), cache, url)


def test_a_cache_that_cannot_be_written(published, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match="could not be fetched"):
        published.find()


def test_given_file_comes_first(published, tmp_path, cache):
    (tmp_path / "own.pth").write_bytes(b"own")
    found = published.find(tmp_path / "own.pth", tmp_path / "remote")
    assert found == (tmp_path / "own.pth", hashlib.sha256(b"own").hexdigest())
    with pytest.raises(DataError, match=r"none\.pth: expected a file of weights, got no such file"):
        published.find(tmp_path / "none.pth")
    with pytest.raises(DataError, match=r"remote: expected a file of weights, got "):
        published.find(tmp_path / "remote")
    assert not cache.exists()


def test_folder_comes_before_the_cache(published, tmp_path, cache):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    assert published.find(folder=folder) == (folder / NAME, DIGEST)
    assert not cache.exists()
    (folder / NAME).unlink()
    assert published.find(folder=folder).path == cache / NAME
    with pytest.raises(DataError, match="nowhere: expected a folder of weights, got no such folder"):
        published.find(folder=tmp_path / "nowhere")


@pytest.mark.parametrize("content", [CONTENT[:-1], b"", b"x" + CONTENT[1:]])
def test_a_file_that_is_not_what_its_name_says(published, cache, content):
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(content)
    with pytest.raises(DataError, match=f"{NAME}: expected the file published as .* begins with {DIGEST[:8]}, got "):
        published.find()


def test_no_home(published, monkeypatch):
    def lost(_):
        raise RuntimeError("no home")

    monkeypatch.delenv("AVGROUND_CACHE")
    monkeypatch.setattr("pathlib.Path.expanduser", lost)
    with pytest.raises(DataError, match="no folder for weights: no home; set AVGROUND_CACHE"):
        published.find()


# Loading.


@pytest.fixture
def network():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_load(network, tmp_path):
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    state = other.state_dict()
    del state["1.num_batches_tracked"]
    torch.save(state, tmp_path / "w.pth")
    load(network, tmp_path / "w.pth")
    for name, value in other.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "missing 0.weight"),
        ({"0.weight": torch.zeros(3, 3), "0.bias": torch.zeros(4)}, "6 weights do not fit the model"),
        ([1], "expected a file of named weights, got a list"),
        ({"a": 1}, "expected a file of named weights, got a dict of something else"),
    ],
)
def test_weights_that_do_not_fit(network, tmp_path, content, message):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(DataError, match=rf"w\.pth: .*{message}"):
        load(network, tmp_path / "w.pth")


def test_a_file_cut_short(network, tmp_path):
    path = tmp_path / "w.pth"
    torch.save(network.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"w\.pth: expected a complete file of weights"):
        load(network, path)


def test_examine(tmp_path):
    (tmp_path / "w").write_bytes(CONTENT)
    assert examine(tmp_path / "w") == (tmp_path / "w", DIGEST)
