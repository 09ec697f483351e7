"""Mirrors whose certificates cannot be checked, or are not trusted: each says so, and the next mirror is tried."""

from __future__ import annotations

import re
import ssl
import threading
from functools import partial
from http.server import ThreadingHTTPServer

import pytest
from test_fetch import QuietHandler, contents, labels_of, places, put, server, tiny_files

from copi_np.datasets import DATASETS, Description, idx, load_dataset
from copi_np.errors import DataError

__all__ = ["places", "server"]  # fixtures

CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYFiymdScNcFDAOk3
rIdMfd44eYvs/Xa+0vg39z2pDBShRANCAASWLTdy5h2ch5V3NsNQcZrwhQToMZyZ
y//4AQz1KGWLX+4wsAV369AtnMo76hAJhgxuR4f7xRupM/SapgU2Vnkc
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUKjlbPTTnCtDQLfZuD3ABm7fT3u0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTEwMzEyOFoYDzIxMjYxMTA1
MTAzMTI4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASWLTdy5h2ch5V3NsNQcZrwhQToMZyZy//4AQz1KGWLX+4wsAV369At
nMo76hAJhgxuR4f7xRupM/SapgU2Vnkco2QwYjAdBgNVHQ4EFgQU8ZhDaeV6AcH9
bHHkYClzwv4ojOcwHwYDVR0jBBgwFoAU8ZhDaeV6AcH9bHHkYClzwv4ojOcwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IQCqtdNQc7qrCfOg/OsvtxE5w/4qeogi6k+4LmMYZ60s6AIgY5qWDal02S9Otd4R
wpboAkwb2CFoASGa1L9NDRjQZ3E=
-----END CERTIFICATE-----
"""
"""A certificate for 127.0.0.1, signed by itself, after its key, which serves these tests alone; valid for a century."""


@pytest.fixture
def secure(places):
    """Serve the folder "served" by https, and yield the URL."""
    (places / "certificate.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(places / "certificate.pem")
    handler = partial(QuietHandler, directory=places / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *arguments: None  # clients that refuse the certificate
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def load_from(monkeypatch, *mirrors):
    monkeypatch.setitem(DATASETS, "tiny", Description(idx.load_idx, tiny_files(mirrors)))
    return load_dataset("tiny").train.labels.tolist()


FAULTS = {
    "untrusted": (None, "certificate verify failed: self.signed certificate"),
    "no such file": (
        "nothing.pem",
        r"Could not find a suitable TLS CA certificate bundle, .*nothing\.pem",
    ),
    "no certificate": ("text.pem", "no certificate or crl found"),
    "another host": ("certificate.pem", "certificate verify failed: Hostname mismatch, .* not valid for 'localhost'."),
    "not secure": ("certificate.pem", "wrong version number"),
}
"""Name of the file that REQUESTS_CA_BUNDLE names, and what is said of the mirror."""


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_is_named_and_the_next_mirror_tried(fault, places, server, secure, monkeypatch):
    bundle, reason = FAULTS[fault]
    put(places / "served", contents())
    (places / "text.pem").write_text("no certificate")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    if bundle:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(places / bundle))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    mirror = {"another host": secure.replace("127.0.0.1", "localhost"), "not secure": server.replace("http", "https")}
    faulty = mirror.get(fault, secure)
    with pytest.raises(DataError) as caught:
        load_from(monkeypatch, faulty)
    host = re.escape(faulty.split("/")[2])
    assert re.match(rf"cannot download train-images-idx3-ubyte\.gz \({host}: {reason}\): save ", str(caught.value))
    assert load_from(monkeypatch, faulty, server) == labels_of(contents())


def test_a_trusted_certificate_is_accepted(places, server, secure, monkeypatch):
    put(places / "served", contents())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(places / "certificate.pem"))
    assert load_from(monkeypatch, secure) == labels_of(contents())


def test_a_proxy_that_does_not_answer_is_named(places, secure, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"\(127.0.0.1:\d+: no connection to the proxy\): save "):
        load_from(monkeypatch, secure)
