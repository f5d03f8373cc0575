"""Recipes: complete, checked, changed by --set, and runnable again from what a run wrote."""

import pytest

from usfm.errors import RequestError
from usfm.pretrain import recipe as recipes
from usfm.pretrain.selection import SELECTIONS
from usfm.toml import to_toml


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_says_what_it_is(name):
    recipe = recipes.load(name)
    assert all(getattr(recipe.about, field) for field in ("what", "cost", "expect", "source", "differs"))
    assert {part.strip() for part in recipe.selection.prior.split("+")} <= set(SELECTIONS)


@pytest.mark.parametrize("name", recipes.names())
def test_a_written_recipe_reads_back_the_same(name, tmp_path):
    recipe = recipes.load(name, ("optim.lr=3e-4",))
    file = tmp_path / "recipe.toml"
    file.write_text(to_toml(recipe.as_dict()))
    assert recipes.load(str(file)) == recipe


def test_set_by_full_or_short_name():
    recipe = recipes.load("polarmae", ("selection.region=false", "epochs=3", "prior=random"))
    assert recipe.selection.region is False
    assert recipe.run.epochs == 3
    assert recipe.selection.prior == "random"


@pytest.mark.parametrize(
    "name,assignment,says",
    [
        ("polarma", "epochs=1", "did you mean 'polarmae'"),
        ("mae", "epohcs=1", "did you mean 'epochs'"),
        ("mae", "selection.priro=random", "did you mean 'prior'"),
        ("mae", "kind=self", "write augment.kind or decoder.kind or target.kind or degrade.kind"),
        ("mae", "visible=2", "between"),
        ("mae", "decoder.kind=sideways", "no decoder is called 'sideways'.*self, cross"),
        ("mae", "target.kind=pixel", "did you mean 'pixels'"),
        ("mae", "degrade.kind=blurr", "did you mean 'blur'"),
        ("mae", "prior=texure", "did you mean 'texture'"),
        ("mae", "prior=texture+polar", "no prior is called 'polar'.*grid, beam"),
        ("mae", "stages='0.5'", "four rising"),
        ("mae", "stages=0.5,0.4,1,1", "four rising"),
        ("mae", "prior=beam", "needs region"),
        ("mae", "temperature=0", "temperature is 0"),
        ("missing.toml", "epochs=1", "no such recipe file"),
    ],
)
def test_a_wrong_word_is_one_sentence(name, assignment, says):
    with pytest.raises(RequestError, match=says):
        recipes.load(name, (assignment,))


@pytest.mark.parametrize("text,says", [("[modle]\nname='x'", "model"), ("x = 1", "no section"), ("[[[", "not a TOML")])
def test_a_broken_file_is_one_sentence(tmp_path, text, says):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(RequestError, match=says):
        recipes.load(str(file))


def test_fields_that_came_later_do_not_make_an_old_run_another_one():
    old = recipes.settings_of(recipes.load("mae"))
    assert "degrade" not in old
    assert not {"order", "targets_from"} & set(old["selection"])
    new = recipes.settings_of(recipes.load("mae", ("order=inverse", "degrade.kind=blur")))
    assert (new["selection"]["order"], new["degrade"]) == ("inverse", {"kind": "blur"})
