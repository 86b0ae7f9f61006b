"""A keystore as `ros2 security` lays it out (SROS 2), made with the openssl command.

`enclaves/<name>/` holds a certificate whose subject is the enclave's name, its key, and the signed
permissions; one authority signs everything.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_DAYS = 30
_VALID = "<validity><not_before>2020-01-01T00:00:00</not_before>"
_VALID += "<not_after>2099-01-01T00:00:00</not_after></validity>"
_DOMAINS = "<domains><id_range><min>0</min><max>232</max></id_range></domains>"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<dds xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation='
    '"http://www.omg.org/spec/DDS-SECURITY/20170901/omg_shared_ca_{}.xsd">\n'
)
# Nobody joins without a certificate; every topic asks the permissions.
_GOVERNANCE = (
    _HEAD.format("governance")
    + f"""<domain_access_rules><domain_rule>{_DOMAINS}
<allow_unauthenticated_participants>false</allow_unauthenticated_participants>
<enable_join_access_control>true</enable_join_access_control>
<discovery_protection_kind>ENCRYPT</discovery_protection_kind>
<liveliness_protection_kind>ENCRYPT</liveliness_protection_kind>
<rtps_protection_kind>SIGN</rtps_protection_kind>
<topic_access_rules><topic_rule><topic_expression>*</topic_expression>
<enable_discovery_protection>true</enable_discovery_protection>
<enable_liveliness_protection>true</enable_liveliness_protection>
<enable_read_access_control>true</enable_read_access_control>
<enable_write_access_control>true</enable_write_access_control>
<metadata_protection_kind>ENCRYPT</metadata_protection_kind>
<data_protection_kind>ENCRYPT</data_protection_kind>
</topic_rule></topic_access_rules></domain_rule></domain_access_rules></dds>
"""
)


def make_keystore(folder: Path, enclaves: Mapping[str, Sequence[str]]) -> None:
    """Fill the folder.

    Args:
        folder: the keystore; is made.
        enclaves: name -> DDS topics that it may publish and subscribe, `*` for all.
    """
    for part in ("public", "private", "enclaves"):
        (folder / part).mkdir(parents=True)
    _make_key(folder / "private/ca.key.pem")
    subject = ("-subj", "/CN=test authority", "-days", str(_DAYS))
    _openssl("req", "-x509", "-new", "-key", folder / "private/ca.key.pem", *subject,
             "-out", folder / "public/ca.cert.pem")  # fmt: skip
    governance = folder / "enclaves/governance.xml"
    governance.write_text(_GOVERNANCE)
    _sign(folder, governance, governance.with_suffix(".p7s"))
    for name, topics in enclaves.items():
        _make_enclave(folder, name, topics)


def _make_enclave(keystore: Path, name: str, topics: Sequence[str]) -> None:
    folder = keystore / "enclaves" / name
    folder.mkdir()
    _make_key(folder / "key.pem")
    request = folder / "request.pem"
    _openssl("req", "-new", "-key", folder / "key.pem", "-subj", f"/CN=\\/{name}", "-out", request)
    _openssl("x509", "-req", "-in", request, "-CA", keystore / "public/ca.cert.pem",
             "-CAkey", keystore / "private/ca.key.pem", "-CAcreateserial", "-days", str(_DAYS),
             "-out", folder / "cert.pem")  # fmt: skip
    permissions = folder / "permissions.xml"
    permissions.write_text(_permissions(name, topics))
    _sign(keystore, permissions, folder / "permissions.p7s")
    for authority in ("identity_ca", "permissions_ca"):
        shutil.copy(keystore / "public/ca.cert.pem", folder / f"{authority}.cert.pem")
    shutil.copy(keystore / "enclaves/governance.p7s", folder)


def _permissions(name: str, topics: Sequence[str]) -> str:
    listed = "".join(f"<topic>{topic}</topic>" for topic in topics)
    allowed = "".join(f"<{verb}><topics>{listed}</topics></{verb}>" for verb in _VERBS)
    return (
        _HEAD.format("permissions") + f'<permissions><grant name="/{name}">\n'
        f"<subject_name>CN=/{name}</subject_name>{_VALID}\n"
        f"<allow_rule>{_DOMAINS}{allowed}</allow_rule>\n"
        "<default>DENY</default></grant></permissions></dds>\n"
    )


_VERBS = ("publish", "subscribe")


def _make_key(path: Path) -> None:
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)


def _sign(keystore: Path, text: Path, signed: Path) -> None:
    _openssl("smime", "-sign", "-text", "-in", text, "-out", signed,
             "-signer", keystore / "public/ca.cert.pem",
             "-inkey", keystore / "private/ca.key.pem")  # fmt: skip


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"
