"""The serial guard of buttonhook-examples knows a good serial and what to put back."""

import pytest

from buttonhook_examples.hooks import is_vendor_serial, serial_before


@pytest.mark.parametrize("serial", ["", "FOC2149X0AB", "SAL0001AAAA", "JAE5353ZZZ9"])
def test_a_serial_of_the_vendor_is_valid(serial: str):
    assert is_vendor_serial(serial)


@pytest.mark.parametrize("serial", ["foc2149x0ab", "FOC2154X0AB", "FOC2100X0AB", "FOC2149X0AB\n", "123", None, 5])
def test_any_other_serial_is_not(serial: object):
    assert not is_vendor_serial(serial)


@pytest.mark.parametrize(
    ("removed", "serial"),
    [
        (None, ""),
        ({"serial": "FOC2149X0AB"}, "FOC2149X0AB"),
        ({"serial": ""}, ""),
        ({"serial": "also wrong"}, ""),
        ({"serial": None}, ""),
    ],
)
def test_the_former_serial_is_put_back_unless_it_was_wrong_too(removed: dict[str, object] | None, serial: str):
    assert serial_before({"removed": removed, "added": {"serial": "wrong"}}) == serial
