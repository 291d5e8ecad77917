"""What any bulletin to come needs is not deleted, however far ahead it is.

Real scheduler and content-ingest; the grace is short, the horizon as it is."""
import os
import re
import time
from datetime import datetime

import pytest
from province import LIMIT_S, Province, ms

TEN_DAYS_S = 10 * 86400
GRACE_S = 2
UNANSWERED = 'loa_content_deletions_total{outcome="unanswered"}'


@pytest.fixture(scope="module")
def p():
    with Province(options={
            "scheduler": ["--min-lead", "500ms"],
            "content-ingest": ["--delete-grace", f"{GRACE_S}s"]}) as p:
        p.import_areas()
        yield p


@pytest.fixture(scope="module")
def area(p):
    return p.communes()[0]


def said(p, text):
    content = p.say(text)
    p.approve(content)
    return content


def delete(p, content):
    return p.loactl("lan", "content", "delete", content["content"],
                    check=False)


def row(p, content):
    """The content as lan sees it, or None."""
    for c in p.loactl("lan", "content", "ls"):
        if c["content"] == content["content"]:
            return c
    return None


def gone(p, content):
    p.wait(lambda: row(p, content) is None, 2 * LIMIT_S, "deletion")


def stays(p, content):
    """What is deleted goes in the order in which it was asked for, and what is
    due is decided before the next: with a later one gone, this one stays."""
    later = said(p, f"Dấu mốc {os.urandom(4).hex()}.")
    assert delete(p, later).returncode == 0
    gone(p, later)
    there = row(p, content)
    assert there and not there["deleting"]


def test_deleted_what_was_planned_beyond_the_horizon(p, area):
    content = said(p, "Mười ngày nữa mới phát bản tin này.")
    planned = p.at(content, area, ms(TEN_DAYS_S))
    done = delete(p, content)
    assert done.returncode != 0, done.stdout
    told = done.stdout + done.stderr
    assert area in told and planned["bulletin"] in told, told
    assert not row(p, content)["deleting"]
    stays(p, content)
    p.loactl("lan", "schedule", "cancel", planned["bulletin"])
    done = delete(p, content)
    assert done.returncode == 0, done.stderr
    gone(p, content)


def test_planned_while_it_was_going(p, area):
    content = said(p, "Đang xoá thì có lịch mới.")
    assert delete(p, content).returncode == 0
    p.at(content, area, ms(TEN_DAYS_S + 600))
    p.wait(lambda: not row(p, content)["deleting"], LIMIT_S, "saved")
    stays(p, content)


def test_handed_in_again(p, area):
    """What was deleted comes back with a new approval, not with the old."""
    content = said(p, "Xoá rồi nạp lại.")
    assert delete(p, content).returncode == 0
    gone(p, content)
    again = said(p, "Xoá rồi nạp lại.")
    assert again["content"] == content["content"]

    def planned():
        return p.at(again, area, ms(TEN_DAYS_S + 1200), check=False)
    refused = planned()
    told = re.search(r"approved again after ([\d:]+ [\d/]+)", refused.stderr)
    assert refused.returncode != 0 and told, refused.stderr
    end = datetime.strptime(told[1] + " +0700", "%H:%M:%S %d/%m/%Y %z")
    p.wait(lambda: time.time() > end.timestamp() + 1, LIMIT_S,
           "the moment that it told")
    assert planned().returncode != 0    # The old approval.
    p.approve(again)
    assert planned().returncode == 0


def test_scheduler_away(p, area):
    marked, other = said(p, "Đã xin xoá."), said(p, "Chưa xin xoá.")
    assert delete(p, marked).returncode == 0
    p.halt("scheduler")
    before = p.metric("content-ingest", UNANSWERED)
    p.wait(lambda: p.metric("content-ingest", UNANSWERED) >= before + 2,
           2 * LIMIT_S, "asked twice")
    assert row(p, marked)["deleting"]
    done = delete(p, other)
    assert done.returncode != 0, done.stdout
    assert not row(p, other)["deleting"]
    p.start_service("loa-scheduler", "scheduler", "scheduler")
    gone(p, marked)
    assert row(p, other)


def test_planned_in_the_moment_of_deletion(p, area):
    """Schedules all the time while contents go, and both services are killed:
    what was accepted has its sound."""
    accepted_n = 0
    for i in range(4):
        content = said(p, f"Cuộc đua thứ {i}.")
        assert delete(p, content).returncode == 0
        time.sleep(GRACE_S + 0.7 * i)
        if i % 2:
            p.kill(("scheduler", "content-ingest")[i // 2])
        accepted = False
        end = time.monotonic() + 12
        while not accepted and time.monotonic() < end and row(p, content):
            accepted = p.at(content, area, ms(TEN_DAYS_S + 3600 + 600 * i),
                            check=False).returncode == 0
        if accepted:
            stays(p, content)
        else:
            gone(p, content)
        accepted_n += accepted
    print("accepted", accepted_n)
