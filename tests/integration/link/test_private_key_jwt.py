"""Our client signs in by private_key_jwt (RFC 7523) at a server that demands it, as FAPI profiles do."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, KeySet, RSAKey

from keizoku.link.partner.oauth import OAuthClient, OAuthPlace
from keizoku.link.partner.port import PartnerRefusesUsError
from keizoku.scheduler.linking import link_setup_of
from keizoku.scheduler.settings import Settings
from keizoku.terms.refusal import Refused
from tests.worlds.link_double import BACK, Issued, Memory, partner_running
from tests.worlds.oauth_server import CLIENT


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    form, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(form, kind, serialization.NoEncryption()).decode()


RSA = pem(rsa.generate_private_key(65_537, 2_048))
EC = pem(ec.generate_private_key(ec.SECP256R1()))


def public(private: str, key_id: str) -> RSAKey | ECKey:
    kind = RSAKey if private is RSA else ECKey
    return kind.import_key(kind.import_key(private).as_dict(private=False) | {"kid": key_id})


def client(address: str, private: str, key_id: str, algorithm: str = "") -> OAuthClient:
    place = OAuthPlace(
        f"{address}/authorize", f"{address}/token", f"{address}/revoke", CLIENT,
        private_key=private, key_id=key_id, key_algorithm=algorithm, timeout_seconds=5,
    )  # fmt: skip
    return OAuthClient(place)


def issued(memory: Memory) -> str:
    memory.tokens.append(Issued("a", f"r{len(memory.tokens)}", "hanako", "data", time.monotonic() + 1_800))
    return memory.tokens[-1].refresh


def test_each_call_has_an_assertion_of_its_own_under_a_key_that_the_partner_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    memory = Memory(keys=KeySet([public(RSA, "2026-04"), public(EC, "2026-05")]))
    with partner_running(memory) as address:
        memory.audience = f"{address}/token"
        for private, key_id, algorithm in ((RSA, "2026-04", "PS256"), (EC, "2026-05", "ES256")):
            ours = client(address, private, key_id)
            renewed = ours.refresh(issued(memory))
            ours.revoke(renewed.access)
            assert memory.assertions[-2:] == [{"typ": "JWT", "alg": algorithm, "kid": key_id}] * 2
        assert len(memory.numbers) == 4
        wrong = (
            client(address, RSA, "2026-05"),  # the id of another key
            client(address, RSA, ""),  # no id
            client(address, RSA, "2026-04", "RS256"),
            client(address, pem(ec.generate_private_key(ec.SECP256R1())), "2026-05"),  # not our key there
        )
        for each in wrong:
            with pytest.raises(PartnerRefusesUsError, match="invalid_client"):
                each.refresh(issued(memory))
        ours = client(address, RSA, "2026-04")
        for seconds, taken in ((-5, True), (5, True), (-7_200, False), (7_200, False)):
            with monkeypatch.context() as skewed:  # our clock alone: the partner's is right
                clock = SimpleNamespace(time=lambda by=seconds: time.time() + by)
                skewed.setattr("authlib.oauth2.rfc7523.assertion.time", clock)
                skewed.setattr("keizoku.link.partner.oauth.time", clock)
                if taken:
                    assert ours.refresh(issued(memory)).refresh
                    continue
                with pytest.raises(PartnerRefusesUsError, match="id, key, scopes or clock"):
                    ours.refresh(issued(memory))


def test_a_key_that_cannot_sign_is_refused_in_one_line_without_a_letter_of_it(tmp_path: Path) -> None:
    weak, other = pem(rsa.generate_private_key(65_537, 1_024)), pem(ec.generate_private_key(ec.SECP384R1()))  # noqa: S505
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    ).decode()  # fmt: skip
    for text in (weak, other, locked, "nonsense", BACK):
        file = tmp_path / "key.pem"
        file.write_text(text, encoding="ascii")
        file.chmod(0o600)
        settings = Settings(
            link_partner="http", link_authorize_url="https://p.example/a", link_token_url="https://p.example/t",  # noqa: S106
            link_api_base="https://p.example/api", link_client_id="us", link_private_key_file=file,
        )  # fmt: skip
        with pytest.raises(Refused) as refused:
            link_setup_of(settings, None).partner()  # type: ignore[arg-type]
        assert refused.value.code == "link.keys"
        assert "KEIZOKU_LINK_PRIVATE_KEY_FILE" in str(refused.value)
        assert not set(text.split()) & set(str(refused.value).split())
