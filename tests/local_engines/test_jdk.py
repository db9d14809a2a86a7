"""The choice of one Java among several, and the error when none fits."""

import os

import pytest

from hybridrank.local_engines.account import Account
from hybridrank.local_engines.errors import JdkMissing
from hybridrank.local_engines.jdk import find_jdk


@pytest.fixture
def jdk(tmp_path):
    """Make a Java folder: a `release` file as every JDK has one, or only a program that prints its version."""

    def make(name, version, *, release=True):
        home = tmp_path / name
        (home / "bin").mkdir(parents=True)
        java = home / "bin" / "java"
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-21' >&2\n")
        java.chmod(0o755)
        if release:
            (home / "release").write_text(f'IMPLEMENTOR="Nobody"\nJAVA_VERSION="{version}"\n')
        return home

    return make


def test_the_newest_wins_wherever_it_is(jdk, tmp_path):
    jdk("usual/java-21", "21.0.2")
    environ = {"JAVA_HOME": str(jdk("a", "17.0.9")), "ES_JAVA_HOME": str(jdk("b", "25.0.1"))}
    found = find_jdk(environ, [f"{tmp_path}/usual/*"])
    assert (found.home, found.version) == (tmp_path / "b", 25)
    assert found.java == tmp_path / "b" / "bin" / "java"


def test_a_link_on_the_path_leads_to_its_folder(jdk, tmp_path):
    home = jdk("java-21", "21.0.2")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "java").symlink_to(home / "bin" / "java")
    assert find_jdk({"PATH": str(tmp_path / "links")}, []).home == home


def test_without_a_release_file_the_program_is_asked(jdk):
    found = find_jdk({"JAVA_HOME": str(jdk("plain", "22-ea", release=False))}, [])
    assert found.version == 22


@pytest.mark.parametrize(("written", "meant"), [("1.8.0_402", 8), ("11.0.22", 11), ("20", 20)])
def test_an_old_one_is_named_with_its_version(jdk, written, meant):
    home = jdk("old", written)
    with pytest.raises(JdkMissing) as caught:
        find_jdk({"OPENSEARCH_JAVA_HOME": str(home)}, [])
    assert caught.value.seen == (f"{home} (OPENSEARCH_JAVA_HOME): Java {meant}",)
    assert "need a JDK 21 or newer" in str(caught.value)
    assert "apt install openjdk-21-jdk-headless" in str(caught.value)


def test_a_folder_without_java_is_named(tmp_path):
    with pytest.raises(JdkMissing) as caught:
        find_jdk({"JAVA_HOME": str(tmp_path)}, [])
    assert caught.value.seen == (f"{tmp_path} (JAVA_HOME): no working bin/java",)


def test_no_jdk_at_all_is_an_error():
    with pytest.raises(JdkMissing, match="nothing found"):
        find_jdk({}, [])


def test_a_jdk_that_the_servers_account_cannot_read_is_skipped(jdk, tmp_path):
    """As it is with a JDK in root's home folder, since the servers refuse root."""
    jdk("private/java-25", "25")
    (tmp_path / "private").chmod(0o700)
    stranger = Account("stranger", uid=os.getuid() + 54321, gid=54321)
    with pytest.raises(JdkMissing, match="not readable by the user stranger"):
        find_jdk({"JAVA_HOME": str(tmp_path / "private" / "java-25")}, [], account=stranger)
