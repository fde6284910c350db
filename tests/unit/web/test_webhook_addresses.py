"""Where events may be sent: every way to write an address of our own network, and a name that changes its mind."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from keizoku.terms.refusal import Refused
from keizoku.web.webhooks.addresses import NotAllowedError, Target, is_public, look_up, target_of
from keizoku.web.webhooks.posting import Connection, SendingError
from tests.integration.web.receiver import Receiver


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/", "ftp://shop.example/", "https://", "https:///x", "shop.example", "https://a b/",
        "https://user:pw@shop.example/", "https://user@shop.example/", "https://shop.example/#a",
        "https://shop.example\\@127.0.0.1/", "https://shop.example:0/", "https://shop.example:99999/",
        "https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://intranet/",
        "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/",
        "https://0x7f.0.0.1/", "https://127.0.0.0x1/", "https://[::1]/", "https://[::]/", "https://[fe80::1%25eth0]/",
        "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/", "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "https://[fd00::1]/",
        "https://[ff02::1]/", "https://[::8.8.8.8]/", "https://[fec0::1]/", "https://0.0.0.0/", "https://10.0.0.1/",
        "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data", "https://100.64.0.1/",
        "https://192.0.0.8/", "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/",
        "https://shop.example/\r\nX-Evil:1", "https://shop.example/ü", "https://sh\u3002op.example/",
        "https://" + "a" * 2_000 + ".example/", "https://shop..example/",
    ],
)  # fmt: skip
def test_an_address_that_is_no_public_one_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(Refused) as refused:
        target_of(url, ())
    assert refused.value.code == "webhook.unfit"
    assert "\n" not in str(refused.value)


def test_a_public_address_is_taken_in_its_parts() -> None:
    assert target_of("https://Shop.Example/a?b=c", ()) == Target(True, "shop.example", 443, "/a?b=c", allowed=False)
    assert target_of("https://8.8.8.8:8443", ()).host_header == "8.8.8.8:8443"
    assert target_of("https://[2606:4700::1111]/", ()).host_header == "[2606:4700::1111]"
    allowed = target_of("http://10.0.0.7:9000/x", ("10.0.0.7:9000",))
    assert (allowed.allowed, allowed.secure) == (True, False)
    with pytest.raises(Refused):
        target_of("http://10.0.0.7:9001/x", ("10.0.0.7:9000",))


def test_every_address_of_a_name_has_to_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    target = target_of("https://shop.example/", ())

    def answers(*addresses: str) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    answers("93.184.216.34")
    assert look_up(target) == ["93.184.216.34"]
    for wrong in (["93.184.216.34", "127.0.0.1"], ["::ffff:10.0.0.1"], ["fe80::1"], ["169.254.169.254"], []):
        answers(*wrong)
        with pytest.raises(NotAllowedError):
            look_up(target)
    assert not is_public(ipaddress.ip_address("192.88.99.1"))


def test_a_name_that_answers_otherwise_the_second_time_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = socket.create_connection

    def rebinds(host: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected: list[Any] = []

    def connects(address: Any, timeout: float | None = None) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinds)
    monkeypatch.setattr(socket, "create_connection", connects)
    connection = Connection(target_of("https://shop.example/", ()), 1)
    with pytest.raises(SendingError, match="cannot be reached"):
        connection.post(b"{}", {})
    assert (asked, connected) == (["shop.example"], [("93.184.216.34", 443)])
    with pytest.raises(SendingError, match="not public"):
        connection.post(b"{}", {})
    assert connected == [("93.184.216.34", 443)]
    assert real is not connects


def test_a_certificate_has_to_be_of_the_name_and_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "c.pem"
    pem.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    local = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: local)
    monkeypatch.setattr(
        "keizoku.web.webhooks.posting.socket.create_connection",
        lambda address, timeout: _connected(address, timeout),
    )

    def _connected(address: tuple[str, int], timeout: float) -> socket.socket:
        opened = socket.socket()
        opened.settimeout(timeout)
        opened.connect(address)
        return opened

    with Receiver(tls=context) as receiver:
        url, allowed = f"https://hooks.example:{receiver.port}/", ("hooks.example", "other.example")
        with pytest.raises(SendingError, match="its certificate is not taken"):
            Connection(target_of(url, allowed), 5).post(b"{}", {})
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        connection = Connection(target_of(url, allowed), 5)
        assert [connection.post(b"{}", {}).status for _ in range(3)] == [200, 200, 200]
        connection.close()
        assert (len(receiver.got), receiver.connections) == (3, 2)
        other = target_of(url.replace("hooks.", "other."), allowed)
        with pytest.raises(SendingError, match="its certificate is not taken"):
            Connection(other, 5).post(b"{}", {})
