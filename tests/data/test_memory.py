from avground.data import memory


def test_available_memory():
    free = memory.available_memory()
    assert free is None or free > 0


def test_container_limit(tmp_path, monkeypatch):
    real = memory.Path
    for name, text in (("meminfo", "MemTotal: 9 kB\nMemAvailable:    8 kB\n"), ("max", "7000\n"), ("current", "1000")):
        (tmp_path / name).write_text(text)

    class Fake:
        def __init__(self, path):
            self.path = str(path)

        def __truediv__(self, name):
            return Fake(f"{self.path}/{name}")

        def read_text(self, encoding):
            return real(tmp_path / self.path.replace("/", ".").split(".")[-1]).read_text(encoding)

    monkeypatch.setattr(memory, "Path", Fake)
    assert memory.available_memory() == 6000
    (tmp_path / "max").write_text("max\n")
    assert memory.available_memory() == 8192
    (tmp_path / "meminfo").unlink()
    assert memory.available_memory() is None
