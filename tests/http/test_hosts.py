"""Which addresses only this machine reaches, and what a Host header names."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.http import (
    LOCAL_HOSTS,
    host_name,
    is_loopback,
    known_hosts,
    machine_addresses,
    url_host,
)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_addresses_are_this_machines(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "localhost."])
def test_any_further_address_is_not(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("port", ["", ":1", ":65535"])
@pytest.mark.parametrize("name", ["localhost", "[::1]", "a.example"])
def test_a_host_header_is_a_name_and_perhaps_a_port(name, port):
    assert host_name(f" {name.upper()}{port}") == name


@pytest.mark.parametrize("header", ["a:65536", "a:x", "a:", "a:80:80", "a:٣"])
def test_an_impossible_port_names_no_host(header):
    assert host_name(header) == ""


@given(st.text(max_size=40))
def test_no_header_breaks_it(header):
    assert host_name(header) in {"", *[header.strip().lower()[:n] for n in range(41)]}


def test_an_address_stands_in_a_url():
    assert (url_host("::1"), url_host("localhost")) == ("[::1]", "localhost")


def test_a_server_answers_under_its_address_and_further_names_in_any_case():
    hosts = known_hosts("::1", ["ML.Example.org"])
    assert hosts == ("localhost", "127.0.0.1", "[::1]", "ml.example.org")
    assert host_name("ml.example.ORG:4270") in hosts


def test_a_server_on_all_addresses_goes_by_each_of_them_and_by_the_machines_name():
    names = known_hosts("0.0.0.0", ["ML.example.org"])
    assert {"127.0.0.1", "localhost", socket.gethostname().lower(), "ml.example.org"} <= set(names)
    assert set(machine_addresses()) <= set(names)
    assert "evil.example" not in names
    assert known_hosts("127.0.0.1") == LOCAL_HOSTS
