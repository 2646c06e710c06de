"""What the commands of all rooms share."""

import pytest
from typer import Exit

from everyid.cli import leave, split_list


def test_exit_codes_of_a_run():
    leave(skipped=False, interrupted=False)
    for skipped, interrupted, code in ((True, False, 1), (False, True, 130), (True, True, 130)):
        with pytest.raises(Exit) as caught:
            leave(skipped=skipped, interrupted=interrupted)
        assert caught.value.exit_code == code


@pytest.mark.parametrize("text", ["csv,json", " csv , json,", "csv,,json"])
def test_comma_lists(text):
    assert split_list(text) == ("csv", "json")


def test_an_empty_comma_list():
    assert split_list(" , ") == ()
