"""A published setup, made smaller."""

from __future__ import annotations

import pytest

from benchmarks.figures.scaled import Scale, scaled
from benchmarks.figures.setups import SETUPS, Setup
from eventbraid.studies.simulation import Ask, Study, Work, simulate
from eventbraid.studies.simulation.published import protodune, protodune_scaling, resnet50


def gpu(study: Study) -> float:
    """Seconds of an event on a GPU."""
    (asked,) = (each for each in study.client.modules if isinstance(each, Ask))
    return asked.requests * study.servers[0].device.service(asked.model).seconds(asked.rows)


def test_times_of_an_event_become_smaller_and_a_client_asks_for_several() -> None:
    small = scaled(protodune(1693, 1), Scale(time=0.01, load=20, joined=8))
    work, asked = small.client.modules
    assert isinstance(work, Work)
    assert isinstance(asked, Ask)
    assert work.seconds == pytest.approx(1.10)
    assert (asked.requests, asked.rows) == (4, 1693)
    assert asked.requests * asked.before == pytest.approx(0.07)
    assert gpu(small) == pytest.approx(0.01 * 20 * protodune_scaling(1693).gpu)
    assert small.client.stagger == pytest.approx(0.01 * protodune_scaling(1693).ideal)


def test_the_links_of_clients_are_in_the_way_so_that_an_event_alone_takes_its_share_of_the_time() -> None:
    published = protodune(1693, 1)
    assert scaled(published, Scale(time=0.01, joined=8)).servers[0].network.client is None
    as_long = simulate(scaled(published, Scale(time=0.01, joined=8))).event.mean
    assert as_long == pytest.approx(0.01 * simulate(published).event.mean, rel=1e-6)


def test_a_preset_s_loss_on_several_gpus_stays() -> None:
    assert gpu(scaled(resnet50(4, 1), Scale())) == pytest.approx(0.040 / 0.85)


def test_requests_that_are_no_whole_groups_are_refused() -> None:
    with pytest.raises(AssertionError, match="32 requests are no groups of 5"):
        scaled(protodune(1693, 1), Scale(joined=5))


def test_a_scale_says_what_it_changes() -> None:
    assert str(Scale()) == "as published"
    assert str(Scale(time=0.01, load=20, joined=8)) == "times x 0.01, GPU's x 20 more, 8 requests in one"


@pytest.mark.parametrize("setup", SETUPS, ids=lambda each: f"{each.figure}, {each.what}")
def test_the_clients_of_a_setup_load_its_gpus_and_fewer_do_not(setup: Setup) -> None:
    study = setup.scaled
    alone = simulate(study).event.mean
    loading = study.servers[0].device.gpus * alone / gpu(study)
    assert setup.clients[1] < loading < setup.clients[-1]
