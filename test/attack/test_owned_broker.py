"""The attacker owns the broker. What each attack stands for: P1..P10 are the
properties and #1..#16, M1..M11 the incidents and abuses of docs/security.md.

    LOA_ATTACK="name name" pytest ...       only these
"""
import os

import pytest

import attacks_keys
import attacks_messages
import attacks_times
import raid

attack = {**attacks_messages.attack, **attacks_keys.attack,
          **attacks_times.attack}
assert len(attack) == sum(map(len, (attacks_messages.attack,
                                    attacks_keys.attack,
                                    attacks_times.attack)))
ONLY = os.environ.get("LOA_ATTACK", "").split()


@pytest.fixture(scope="module")
def verdicts():
    return raid.run({n: f for n, f in attack.items() if not ONLY or n in ONLY})


@pytest.mark.parametrize("name", ONLY or attack)
def test_owned_broker(verdicts, name):
    assert verdicts[name] is None, verdicts[name]
